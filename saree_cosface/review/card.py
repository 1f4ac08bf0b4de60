"""An entry of a review as HTML: the photo, its label, why it is here, what to compare it with, what was said of it."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from saree_cosface.curation.decisions import Entry as Decision
from saree_cosface.data.content import same_content
from saree_cosface.data.images import BadImage
from saree_cosface.html.page import escape, photo_uri
from saree_cosface.languages.language import Language
from saree_cosface.review.bench import Bench, Progress, Said
from saree_cosface.review.queue import Entry
from saree_cosface.taxonomy import load_taxonomy

_FACTS = {"table.source": "source", "review.piece": "piece", "table.part": "split", "review.path": "path"}
_DECISIONS = ("accept", "relabel", "exclude", "duplicate", "defer", "merge", "comment", "undo")
_LARGE, _SMALL = 900, 300  # pixels of a picture's longer side


def card(bench: Bench, index: int, said: Said, say: Language) -> str:
    """The entry at a place of the queue.

    Args:
        bench: with the queue.
        index: of the entry.
        said: what curators said of its photo.
        say: language.
    """
    entry, facts = bench.queue.entries[index], bench.queue.collection.facts
    photo, label = facts.iloc[entry.row], bench.label(index)
    name = label_name(label, say)
    doubted = entry.rival and entry.kinds != ("caption",)  # that nobody has looked at it speaks for no other craft
    rival = f"<p>{say('review.perhaps', craft=escape(say.craft(entry.rival)))}</p>" if doubted else ""
    reasons = "".join(
        f"<li><b>{say(f'reason.kind_{reason.kind}')}</b> {escape(say.again(reason.says))}</li>"
        for reason in entry.reasons
    )
    told = [(what, photo[column]) for what, column in _FACTS.items() if str(photo[column])]
    known = "".join(f"<div><dt>{say(what)}</dt><dd>{escape(value)}</dd></div>" for what, value in told)
    picture = _picture(bench, entry.row, _LARGE)
    shown = (
        f'<img src="{picture}" alt="{say("review.photo", label=escape(name))}">'
        if picture
        else f'<p class="absent">{say("review.unreadable")}</p>'
    )
    return (
        f'<div class="entry"><div class="look">{shown}<dl class="fine">{known}</dl></div><div class="judge">'
        f'<p class="fine">{say("review.labelled")}</p><h3>{escape(name)}</h3>{rival}<h4>{say("review.why")}</h4>'
        f"<ul>{reasons}</ul>{_compared(bench, entry, name, say)}{_history(said, say)}</div></div>"
    )


def progress_bar(progress: Progress, index: int, say: Language) -> str:
    """How far the review is, and who did how much."""
    total, share = progress.total, progress.decided / max(progress.total, 1)
    people = ", ".join(f"{escape(name)} {say.number(count)}" for name, count in list(progress.by.items())[:6])
    parts = [f"<b>{say('review.place', number=index + 1, total=total)}</b>", say("review.decided", n=progress.decided)]
    parts += [say("review.put_off", n=len(progress.put_off))] if progress.put_off else []
    parts += [say("review.conflicts", n=progress.conflicts)] if progress.conflicts else []
    parts += [f"<span>{people}</span>"] if people else []
    return (
        f'<div class="progress"><p>{" · ".join(parts)}</p>'
        f'<div class="track" role="progressbar" aria-label="{say("review.progress")}" aria-valuemin="0" '
        f'aria-valuemax="{total}" aria-valuenow="{progress.decided}">'
        f'<div class="bar" style="width:{100 * share:.1f}%"></div></div></div>'
    )


def sentence(decision: Decision, say: Language) -> str:
    """A decision for people, as HTML: who, when, what and why."""
    values: dict[str, str] = {}
    if decision.kind in ("relabel", "accept"):
        values = {"label": label_name(decision.value, say)}
    elif decision.kind in ("duplicate", "merge"):
        values = {"photos": ", ".join(decision.others)}
    elif decision.kind == "undo":
        values = {"number": str(decision.value)}
    what = say(f"decision.{decision.kind}", **values) if decision.kind in _DECISIONS else decision.kind
    why = f" <q>{escape(' '.join(decision.why.split()))}</q>" if decision.why else ""
    when = say("time.utc", moment=say.moment(decision.when))
    return f"<bdi><b>{escape(decision.by)}</b></bdi> {escape(what)}{why} <small>{when}</small>"


def clash_note(entries: Sequence[Decision], what: str, say: Language) -> str:
    """What others decided, of which a curator who decided otherwise had not known, as HTML."""
    said = "".join(f"<li>{sentence(entry, say)}</li>" for entry in entries)
    return (
        f'<div class="note problem" role="alert"><p><b>{say("review.clash")}</b> '
        f"{say('review.about_to_say', decision=escape(what))}</p><ul>{said}</ul><p>{say('review.look_again')}</p></div>"
    )


def label_name(craft: str, say: Language) -> str:
    """Name of a label for people; one that is no craft of the taxonomy as it stands."""
    return say.craft(craft) if craft else say("review.no_label")


def craft_choices(bench: Bench, say: Language) -> list[tuple[str, str]]:
    """Crafts that a photo may be: those of the collection first, then all others, as name and id."""
    own = [str(craft) for craft in dict.fromkeys(bench.queue.collection.manifest.crafts.tolist()) if craft]
    others = [craft.id for craft in load_taxonomy().crafts if craft.id not in own]
    return [(say.craft(craft), craft) for craft in (*sorted(own, key=say.craft), *sorted(others, key=say.craft))]


def _compared(bench: Bench, entry: Entry, name: str, say: Language) -> str:
    labels = {str(bench.queue.collection.manifest.crafts[row]) for row in entry.others}
    other = say("review.compared")
    if entry.rival and labels == {entry.rival}:
        other = say("review.most_like", craft=escape(say.craft(entry.rival)))
    groups = ((entry.own, say("review.most_like", craft=escape(name))), (entry.others, other))
    return "".join(
        f"<h4>{title}</h4><div class='compared'>{''.join(_figure(bench, row, say) for row in rows)}</div>"
        for rows, title in groups
        if rows
    )


def _figure(bench: Bench, row: int, say: Language) -> str:
    photo = bench.queue.collection.facts.iloc[row]
    picture, name = _picture(bench, row, _SMALL), escape(label_name(str(photo["craft"]), say))
    shown = f'<img src="{picture}" alt="{name}">' if picture else f'<div class="absent">{say("review.gone")}</div>'
    return (
        f'<figure>{shown}<figcaption>{name}<span title="{escape(photo["path"])}">{escape(photo["source"])}</span>'
        "</figcaption></figure>"
    )


def _history(said: Said, say: Language) -> str:
    if not said.entries:
        return ""
    lines = "".join(
        f"<li{' class=undone' if entry.number in said.undone else ''}>{sentence(entry, say)}</li>"
        for entry in said.entries
    )
    torn = f'<p class="torn">{say("review.contradict")}</p>' if said.conflict else ""
    return f'<h4>{say("review.history")}</h4><ul class="history">{lines}</ul>{torn}'


def _picture(bench: Bench, row: int, side: int) -> str:
    path, sha256 = bench.queue.collection.manifest.file(row), str(bench.queue.collection.sha256[row])
    try:
        return _uri(path, sha256, path.stat().st_mtime_ns, side)
    except OSError:
        return ""


@lru_cache(maxsize=256)
def _uri(path: Path, sha256: str, changed: int, side: int) -> str:
    """The photo that was looked at when the queue was ranked; "" where another file lies in its place."""
    try:
        same_content(path, sha256)
    except BadImage:
        return ""
    return photo_uri(path, side)
