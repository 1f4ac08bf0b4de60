"""The atlas as HTML: a card a craft, with what is known of it and what is not."""

from functools import lru_cache
from pathlib import Path

from saree_cosface.html.page import escape, photo_uri, pixels_uri
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.pages.atlas_cards import Atlas, Card, drawn_example, search_text
from saree_cosface.taxonomy import Craft

_EVALUATE = "<code>saree-cosface evaluate RUN MANIFEST</code>"
_SIDE = 260  # pixels of a picture's longer side


def atlas_page(atlas: Atlas, say: Language) -> str:
    """A field to search, families to choose from, and all cards, in a language; the script that sifts them is the
    caller's."""
    known = sum(card.known for card in atlas.cards)
    families = "".join(f'<option value="{escape(name)}">{escape(say.family(name))}</option>' for name in atlas.families)
    cards = "".join(card_html(card, atlas.evaluated, say) for card in atlas.cards)
    some = say("atlas.some", shown="{shown}", all="{all}")  # which the script fills in
    return (
        f'<div class="saree atlas"><h2>{say("atlas.title")}</h2><p>{_opening(atlas, known, say)}</p>'
        f'<form class="sift" role="search"><label>{say("atlas.search")}<input type="search" id="atlas-search" '
        f'placeholder="{say("atlas.for_example")}" autocomplete="off" spellcheck="false"></label>'
        f'<label>{say("atlas.family")}<select id="atlas-family"><option value="">{say("atlas.all_families")}</option>'
        f'{families}</select></label><label class="tick"><input type="checkbox" id="atlas-known"> '
        f"{say('atlas.only_known')}</label></form>"
        f'<p class="count fine" role="status" aria-live="polite" data-some="{some}">'
        f"{say('atlas.traditions', n=len(atlas.cards))}</p>"
        f'<div class="cards">{cards}</div><p class="none" hidden>{say("atlas.none")}</p></div>'
    )


def card_html(card: Card, evaluated: bool, say: Language) -> str:
    """One card.

    Args:
        card: of a craft.
        evaluated: whether the run was evaluated with sources held out.
        say: language.
    """
    craft = card.craft
    name = f"atlas-{craft.id}"
    facts = [escape(say.family(craft.family))] if craft.family else []
    facts += [f'<span lang="en">{escape(craft.place)}</span>'] if craft.place else []
    gi = f'<span lang="en">{escape(craft.gi or "")}</span>'
    registered = f'<p class="fine">{say("atlas.registered", name=gi)}</p>' if craft.gi else ""
    marks = "".join(f"<li>{escape(mark)}</li>" for mark in craft.look_for)
    look = f'<h4>{say("atlas.look_for")}</h4><ul lang="en">{marks}</ul>' if marks else ""
    return (
        f'<article class="craft{" known" if card.known else ""}" aria-labelledby="{escape(name)}" '
        f'data-search="{escape(search_text(craft))}" data-family="{escape(craft.family)}">'
        f'{_pictures(card, say)}<div class="says"><h3 id="{escape(name)}">{_names(craft, say)}</h3>'
        f'<p class="facts">{" · ".join(facts)}</p>{registered}{_standing(card, say)}{look}'
        f"{_measured(card, evaluated, say)}{_sisters(card, evaluated, say)}{_spellings(card, say)}</div></article>"
    )


def _names(craft: Craft, say: Language) -> str:
    """The name of a craft, with the one in Latin letters beside it where it is another."""
    name = say.craft(craft.id)
    return escape(name) if name == craft.name else f'{escape(name)} <small lang="en">{escape(craft.name)}</small>'


def _opening(atlas: Atlas, known: int, say: Language) -> str:
    counts = {"photos": atlas.photos, "sources": say("count.sources", n=atlas.sources)}
    if atlas.evaluated:
        said = say("atlas.evaluated", **counts)
    elif atlas.problem and not atlas.calibrated:
        said = say("atlas.problem", problem=escape(say.again(atlas.problem)))
    elif atlas.calibrated:
        said = say("atlas.calibrated", **counts, whose=say("about.whose"))
        said += f" {escape(say.sentence(atlas.problem)) or say('atlas.evaluate', command=_EVALUATE)}"
    else:
        said = say("atlas.not_measured", command=_EVALUATE)
    return f"{say('atlas.known', n=known, all=len(atlas.cards))} {said}"


def _standing(card: Card, say: Language) -> str:
    if not card.known:
        return f'<p class="standing">{say("atlas.not_in")}</p>'
    pieces = say("atlas.pieces", n=card.pieces)
    if card.sources:
        pieces = say("atlas.pieces_of", pieces=pieces, sources=say("count.sources", n=card.sources))
    return f'<p class="standing in">{say("atlas.in" if card.learned else "atlas.in_enrolled", pieces=pieces)}</p>'


def _measured(card: Card, evaluated: bool, say: Language) -> str:
    if not card.known:
        return ""
    if card.measured is None:
        why = say("atlas.not_held_out" if evaluated else "atlas.not_evaluated")
        return f'<h4>{say("atlas.right")}</h4><p class="fine">{why}</p>'
    right, photos = card.measured.right, card.measured.photos
    remarks = [say("atlas.right_of", right=right, photos=say("count.photos", n=photos))]
    title = say("atlas.right_held_out")
    if card.measured.by == "calibration":
        title, interval = say("atlas.right_calibrated"), card.measured.interval
        remarks = [say("atlas.right_of_one", right=right, photos=say("count.photos", n=photos))]
        if interval is not None:
            low, high = (Amount(bound, share=True) for bound in interval)
            values = {"right": right, "photos": say("count.photos", n=photos), "low": low, "high": high}
            remarks = [say("atlas.right_interval", **values)]
    remarks += [say("atlas.too_few")] if photos < 10 else []
    remarks += [say("about.found_first", whose=say("about.whose"))] if card.measured.by == "calibration" else []
    share = right / photos
    return (
        f'<h4>{title}</h4><div class="measure"><div class="track"><div class="bar" '
        f'style="width:{100 * share:.0f}%"></div></div><b>{say.percent(share)}</b></div>'
        f'<p class="fine">{" ".join(remarks)}</p>'
    )


def _sisters(card: Card, evaluated: bool, say: Language) -> str:
    if card.sisters:
        lines = []
        for sister in card.sisters:
            ways = [say("atlas.taken_for", n=sister.taken)] if sister.taken else []
            ways += [say("atlas.mistaken_for", n=sister.gave)] if sister.gave else []
            lines.append(f"<li>{escape(say.craft(sister.craft))} <small>{', '.join(ways)}</small></li>")
        return f"<h4>{say('atlas.confused')}</h4><ul>{''.join(lines)}</ul>"
    if not card.kin:
        return ""
    names = ", ".join(escape(say.craft(craft)) for craft in card.kin)
    measured = evaluated and card.measured is not None and card.measured.by == "evaluation"
    told = say("atlas.kin_measured" if measured else "atlas.kin", crafts=names)
    return f'<h4>{say("atlas.easily_confused")}</h4><p class="fine">{told}</p>'


def _spellings(card: Card, say: Language) -> str:
    if not card.craft.spellings:
        return ""
    names = ", ".join(escape(spelling) for spelling in card.craft.spellings)
    told = say("atlas.spellings", n=len(card.craft.spellings))
    return f'<details><summary>{told}</summary><p lang="en">{names}</p></details>'


def _pictures(card: Card, say: Language) -> str:
    uris = [uri for uri in (_thumbnail(path) for path in card.pictures) if uri]
    name = escape(say.craft(card.craft.id))
    if uris:
        shown = "".join(
            f'<img src="{uri}" alt="{say("atlas.piece_of", number=number, craft=name)}" loading="lazy" '
            'decoding="async">'
            for number, uri in enumerate(uris, start=1)
        )
        return f'<div class="pictures n{len(uris)}">{shown}</div>'
    drawn = _drawn(card.craft.id)
    if drawn:
        return (
            f'<div class="pictures n1"><img src="{drawn}" alt="{say("atlas.drawing_of", craft=name)}" loading="lazy" '
            f'decoding="async"><span class="tag">{say("atlas.drawn")}</span></div>'
        )
    return '<div class="pictures n0" aria-hidden="true"></div>'


@lru_cache(maxsize=2048)
def _thumbnail(path: Path) -> str:  # thumbnails are named by their content: they never change
    return photo_uri(path, _SIDE)


@lru_cache(maxsize=64)
def _drawn(craft: str) -> str:
    pixels = drawn_example(craft)
    return "" if pixels is None else pixels_uri(pixels, _SIDE + 100)
