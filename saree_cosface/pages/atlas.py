"""The atlas as HTML: a card a craft, with what is known of it and what is not."""

from functools import lru_cache
from pathlib import Path

from saree_cosface.html.page import escape, photo_uri, pixels_uri
from saree_cosface.pages.atlas_cards import Atlas, Card, drawn_example, search_text
from saree_cosface.scoring.found_accuracy import WHOSE
from saree_cosface.taxonomy import craft_name

_SIDE = 260  # pixels of a picture's longer side


def atlas_page(atlas: Atlas) -> str:
    """A field to search, families to choose from, and all cards; the script that sifts them is the caller's."""
    known = sum(card.known for card in atlas.cards)
    families = "".join(f'<option value="{escape(name)}">{escape(name)}</option>' for name in atlas.families)
    cards = "".join(card_html(card, atlas.evaluated) for card in atlas.cards)
    return (
        f'<div class="saree atlas"><h2>Craft traditions</h2><p>{_opening(atlas, known)}</p>'
        '<form class="sift" role="search"><label>Search by name, spelling, place or mark'
        '<input type="search" id="atlas-search" placeholder="for example Kancheepuram, Odisha, double ikat" '
        'autocomplete="off" spellcheck="false"></label><label>Family<select id="atlas-family"><option value="">All '
        f'families</option>{families}</select></label><label class="tick"><input type="checkbox" id="atlas-known"> '
        "Only those this model knows</label></form>"
        f'<p class="count fine" role="status" aria-live="polite">{len(atlas.cards)} traditions</p>'
        f'<div class="cards">{cards}</div><p class="none" hidden>No tradition matches. Try another spelling, or fewer '
        "letters.</p></div>"
    )


def card_html(card: Card, evaluated: bool) -> str:
    """One card.

    Args:
        card: of a craft.
        evaluated: whether the run was evaluated with sources held out.
    """
    craft = card.craft
    name = f"atlas-{craft.id}"
    facts = " · ".join(escape(fact) for fact in (craft.family, craft.place) if fact)
    registered = f'<p class="fine">Registered as {escape(craft.gi)}</p>' if craft.gi else ""
    marks = "".join(f"<li>{escape(mark)}</li>" for mark in craft.look_for)
    look = f"<h4>What to look for</h4><ul>{marks}</ul>" if marks else ""
    return (
        f'<article class="craft{" known" if card.known else ""}" aria-labelledby="{escape(name)}" '
        f'data-search="{escape(search_text(craft))}" data-family="{escape(craft.family)}">'
        f'{_pictures(card)}<div class="says"><h3 id="{escape(name)}">{escape(craft.name)}</h3><p class="facts">{facts}'
        f"</p>{registered}{_standing(card)}{look}{_measured(card, evaluated)}{_sisters(card, evaluated)}"
        f"{_spellings(card)}</div></article>"
    )


def _opening(atlas: Atlas, known: int) -> str:
    if atlas.evaluated:
        said = (
            f"How well each is named was measured on {atlas.photos} photos of {_count(atlas.sources, 'source')} that "
            "the model never saw."
        )
    elif atlas.problem and not atlas.calibrated:
        said = f"How well each is named cannot be told: {escape(atlas.problem)}"
    elif atlas.calibrated:
        said = (
            f"How well each is named was found by calibration, on {atlas.photos} photos of "
            f"{_count(atlas.sources, 'source')}: {WHOSE}. "
        )
        said += escape(atlas.problem) or "<code>saree-cosface evaluate RUN MANIFEST</code> scores that."
    else:
        said = (
            "How well each is named was not measured for this model: <code>saree-cosface evaluate RUN MANIFEST</code> "
            "does that, on sources held out."
        )
    return f"This model knows {known} of the {len(atlas.cards)} traditions here; these come first. {said}"


def _standing(card: Card) -> str:
    if not card.known:
        return '<p class="standing">Not in this model</p>'
    sources = f" from {_count(card.sources, 'source')}" if card.sources else ""
    how = "" if card.learned else ", enrolled after training"
    return f'<p class="standing in">In this model: {_count(card.pieces, "reference piece")}{sources}{how}</p>'


def _measured(card: Card, evaluated: bool) -> str:
    if not card.known:
        return ""
    if card.measured is None:
        what = "no photo of it was held out" if evaluated else "this model was not evaluated"
        return f'<h4>Nearest is right</h4><p class="fine">Not measured: {what}.</p>'
    right, photos = card.measured.right, card.measured.photos
    share, few = right / photos, " Too few to rely on." if photos < 10 else ""
    title, said = "Nearest is right, sources held out", f"{right} of {_count(photos, 'photo')}."
    if card.measured.by == "calibration":
        title, said = "Nearest is right, found by calibration", f"{right} of {_count(photos, 'photo')}{_interval(card)}"
        few += f" Found by calibration: {WHOSE}."
    return (
        f'<h4>{title}</h4><div class="measure"><div class="track"><div class="bar" '
        f'style="width:{100 * share:.0f}%"></div></div><b>{share:.0%}</b></div>'
        f'<p class="fine">{said}{few}</p>'
    )


def _interval(card: Card) -> str:
    interval = card.measured.interval if card.measured else None
    if interval is None:
        return ", all of one source."
    return f"; 95 % interval over sources {interval[0]:.0%} to {interval[1]:.0%}."


def _sisters(card: Card, evaluated: bool) -> str:
    if card.sisters:
        lines = []
        for sister in card.sisters:
            ways = [f"taken for it {_count(sister.taken, 'time')}"] if sister.taken else []
            ways += [f"mistaken for this {_count(sister.gave, 'time')}"] if sister.gave else []
            lines.append(f"<li>{escape(sister.name)} <small>{', '.join(ways)}</small></li>")
        return f"<h4>Confused with</h4><ul>{''.join(lines)}</ul>"
    if not card.kin:
        return ""
    names = ", ".join(escape(craft_name(craft)) for craft in card.kin)
    measured = evaluated and card.measured is not None and card.measured.by == "evaluation"
    said = (
        "No confusion was measured; of the same technique are" if measured else "Of the same technique, so look twice"
    )
    return f'<h4>Easily confused</h4><p class="fine">{said}: {names}.</p>'


def _spellings(card: Card) -> str:
    if not card.craft.spellings:
        return ""
    names = ", ".join(escape(spelling) for spelling in card.craft.spellings)
    return f"<details><summary>{_count(len(card.craft.spellings), 'other spelling')}</summary><p>{names}</p></details>"


def _pictures(card: Card) -> str:
    uris = [uri for uri in (_thumbnail(path) for path in card.pictures) if uri]
    name = escape(card.craft.name)
    if uris:
        shown = "".join(
            f'<img src="{uri}" alt="Reference piece {number} of {name}" loading="lazy" decoding="async">'
            for number, uri in enumerate(uris, start=1)
        )
        return f'<div class="pictures n{len(uris)}">{shown}</div>'
    drawn = _drawn(card.craft.id)
    if drawn:
        return (
            f'<div class="pictures n1"><img src="{drawn}" alt="Drawing of {name}" loading="lazy" decoding="async">'
            '<span class="tag">Drawn by the loom, no photograph</span></div>'
        )
    return '<div class="pictures n0" aria-hidden="true"></div>'


@lru_cache(maxsize=2048)
def _thumbnail(path: Path) -> str:  # thumbnails are named by their content: they never change
    return photo_uri(path, _SIDE)


@lru_cache(maxsize=64)
def _drawn(craft: str) -> str:
    pixels = drawn_example(craft)
    return "" if pixels is None else pixels_uri(pixels, _SIDE + 100)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
