"""An entry of a review as HTML: the photo, its label, why it is here, what to compare it with, what was said of it."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from saree_cosface.curation.decisions import Entry as Decision
from saree_cosface.data.content import same_content
from saree_cosface.data.images import BadImage
from saree_cosface.html.page import escape, photo_uri
from saree_cosface.review.bench import Bench, Progress, Said
from saree_cosface.review.queue import Entry
from saree_cosface.review.reasons import KINDS
from saree_cosface.taxonomy import craft_name, load_taxonomy

_LARGE, _SMALL = 900, 300  # pixels of a picture's longer side

_DID = {
    "accept": "accepted the label",
    "relabel": "gave it another label",
    "exclude": "excluded it",
    "duplicate": "called it a duplicate",
    "defer": "put it off",
    "merge": "joined it with other photos",
    "comment": "remarked",
    "undo": "took a decision back",
}


def card(bench: Bench, index: int, said: Said) -> str:
    """The entry at a place of the queue.

    Args:
        bench: with the queue.
        index: of the entry.
        said: what curators said of its photo.
    """
    entry, facts = bench.queue.entries[index], bench.queue.collection.facts
    photo, label = facts.iloc[entry.row], bench.label(index)
    name = label_name(label)
    doubted = entry.rival and entry.kinds != ("caption",)  # that nobody has looked at it speaks for no other craft
    rival = f"<p>Perhaps {escape(craft_name(entry.rival))} instead.</p>" if doubted else ""
    reasons = "".join(
        f"<li><b>{escape(KINDS[reason.kind].capitalize())}</b> {escape(reason.says)}</li>" for reason in entry.reasons
    )
    told = (("source", photo["source"]), ("piece", photo["piece"]), ("part", photo["split"]), ("path", photo["path"]))
    known = "".join(f"<div><dt>{what}</dt><dd>{escape(value)}</dd></div>" for what, value in told if str(value))
    picture = _picture(bench, entry.row, _LARGE)
    shown = (
        f'<img src="{picture}" alt="The photo in question, labelled {escape(name)}">'
        if picture
        else '<p class="absent">This photo cannot be read any more, or was changed since the queue was ranked.</p>'
    )
    return (
        f'<div class="entry"><div class="look">{shown}<dl class="fine">{known}</dl></div><div class="judge">'
        f'<p class="fine">Labelled</p><h3>{escape(name)}</h3>{rival}<h4>Why it is here</h4><ul>{reasons}</ul>'
        f"{_compared(bench, entry, name)}{_history(said)}</div></div>"
    )


def progress_bar(progress: Progress, index: int) -> str:
    """How far the review is, and who did how much."""
    total, share = progress.total, progress.decided / max(progress.total, 1)
    people = ", ".join(f"{escape(name)} {count}" for name, count in list(progress.by.items())[:6])
    later = f" · {len(progress.put_off)} put off" if progress.put_off else ""
    torn = f" · {_count(progress.conflicts, 'photo')} in conflict" if progress.conflicts else ""
    return (
        f'<div class="progress"><p><b>Photo {index + 1} of {total}</b> · {progress.decided} decided{later}{torn}'
        f"{f' · <span>{people}</span>' if people else ''}</p>"
        f'<div class="track" role="progressbar" aria-label="Decided" aria-valuemin="0" aria-valuemax="{total}" '
        f'aria-valuenow="{progress.decided}"><div class="bar" style="width:{100 * share:.1f}%"></div></div></div>'
    )


def sentence(decision: Decision) -> str:
    """A decision for people, as HTML: who, when, what and why."""
    what = _DID.get(decision.kind, decision.kind)
    if decision.kind in ("relabel", "accept"):
        what += f": {label_name(decision.value)}"
    elif decision.kind in ("duplicate", "merge"):
        what += (
            f" of {', '.join(decision.others)}" if decision.kind == "duplicate" else f": {', '.join(decision.others)}"
        )
    elif decision.kind == "undo":
        what = f"took back decision {decision.value}"
    why = f" <q>{escape(' '.join(decision.why.split()))}</q>" if decision.why else ""
    when = decision.when.replace("T", " ")[:16]
    return f"<bdi><b>{escape(decision.by)}</b></bdi> {escape(what)}{why} <small>{escape(when)} UTC</small>"


def clash_note(entries: Sequence[Decision], what: str) -> str:
    """What others decided, of which a curator who decided otherwise had not known, as HTML."""
    said = "".join(f"<li>{sentence(entry)}</li>" for entry in entries)
    return (
        '<div class="note problem" role="alert"><p><b>Somebody else decided otherwise; nothing was recorded.</b> '
        f"You were about to say: {escape(what)}.</p><ul>{said}</ul><p>Look again. If you still say so, overrule it; "
        "both decisions stay in the log.</p></div>"
    )


def label_name(craft: str) -> str:
    """Name of a label for people; one that is no craft of the taxonomy as it stands."""
    return craft_name(craft) if craft else "nothing yet"


def craft_choices(bench: Bench) -> list[tuple[str, str]]:
    """Crafts that a photo may be: those of the collection first, then all others, as name and id."""
    own = [str(craft) for craft in dict.fromkeys(bench.queue.collection.manifest.crafts.tolist()) if craft]
    others = [craft.id for craft in load_taxonomy().crafts if craft.id not in own]
    return [(craft_name(craft), craft) for craft in (*sorted(own, key=craft_name), *sorted(others, key=craft_name))]


def _compared(bench: Bench, entry: Entry, name: str) -> str:
    labels = {str(bench.queue.collection.manifest.crafts[row]) for row in entry.others}
    other = "What it is compared with"
    if entry.rival and labels == {entry.rival}:
        other = f"Most like it of {craft_name(entry.rival)}"
    groups = ((entry.own, f"Most like it of {name}"), (entry.others, other))
    return "".join(
        f"<h4>{escape(title)}</h4><div class='compared'>{''.join(_figure(bench, row) for row in rows)}</div>"
        for rows, title in groups
        if rows
    )


def _figure(bench: Bench, row: int) -> str:
    photo = bench.queue.collection.facts.iloc[row]
    picture, name = _picture(bench, row, _SMALL), escape(label_name(str(photo["craft"])))
    shown = f'<img src="{picture}" alt="{name}">' if picture else '<div class="absent">gone</div>'
    return (
        f'<figure>{shown}<figcaption>{name}<span title="{escape(photo["path"])}">{escape(photo["source"])}</span>'
        "</figcaption></figure>"
    )


def _history(said: Said) -> str:
    if not said.entries:
        return ""
    lines = "".join(
        f"<li{' class=undone' if entry.number in said.undone else ''}>{sentence(entry)}</li>" for entry in said.entries
    )
    torn = '<p class="torn">These contradict each other: it counts as undecided.</p>' if said.conflict else ""
    return f'<h4>Said of it so far</h4><ul class="history">{lines}</ul>{torn}'


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


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
