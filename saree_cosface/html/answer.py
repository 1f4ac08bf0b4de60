"""One answer as HTML: photos, cosine bars, thumbnails of references."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from saree_cosface.answers.attribution import Attribution, NearReference, PhotoSay, RankedTradition
from saree_cosface.html.page import escape, file_uri
from saree_cosface.languages.language import Language
from saree_cosface.languages.values import Amount
from saree_cosface.runs.calibration import Calibration


def bars(traditions: Sequence[RankedTradition], say: Language, calibration: Calibration | None = None) -> str:
    """Cosines to the prototypes as bars on an axis from 0 to 1, with probabilities; a negative cosine has no bar.

    Args:
        traditions: nearest first.
        say: language.
        calibration: whose two thresholds are drawn across the bars; None where there is none.
    """
    thresholds = []
    if calibration is not None:
        known, named = Amount(calibration.known, 2), Amount(calibration.cosine, 2)
        thresholds.append(("known", calibration.known, say("answer.outside_below", cosine=known)))
        thresholds.append(("named", calibration.cosine, say("answer.named_from", cosine=named)))
    lines = "".join(f'<div class="line {name}" style="left:{_percent(at)}"></div>' for name, at, _ in thresholds)
    cells = []
    for rank, tradition in enumerate(traditions):
        first = "" if rank else " first"
        measured = f"{say.number(tradition.cosine, 3)}{_allowance(tradition, say)}{_chance(tradition, say)}"
        # A heavier name, not only a deeper colour, marks the first: colour alone would be lost in print.
        cells.append(
            f'<div class="name{first}">{escape(say.craft(tradition.craft))}</div>'
            f'<div class="track"><div class="bar{first}" style="width:{_percent(tradition.cosine)}"></div>{lines}</div>'
            f'<div class="value{first}">{measured}</div>'
        )
    ticks = "".join(
        f'<span style="left:{_percent(at)}">{say.number(at, d)}</span>' for at, d in ((0, 0), (0.5, 1), (1, 0))
    )
    cells.append(f'<div></div><div class="axis">{ticks}</div><div></div>')
    said = "".join(f'<b class="{name}">{label}</b>' for name, _, label in thresholds)
    cells.append(f'<div></div><div class="lines">{said}</div>' if said else "")
    return f'<div class="bars">{"".join(cells)}</div>'


def bars_title(traditions: Sequence[RankedTradition], say: Language) -> str:
    """What stands above the bars."""
    chances = any(tradition.probability is not None for tradition in traditions)
    return say("answer.cosines_and_chances" if chances else "answer.cosines")


def _percent(cosine: float) -> str:
    return f"{100 * min(max(cosine, 0.0), 1.0):.1f}%"


def _allowance(tradition: RankedTradition, say: Language) -> str:
    return f" <small>+ {say.number(tradition.allowance, 3)}</small>" if tradition.allowance else ""


def _chance(tradition: RankedTradition, say: Language) -> str:
    return "" if tradition.probability is None else f" <small>{say.percent(tradition.probability)}</small>"


def reference_cards(references: Sequence[NearReference], gallery: Path | None, say: Language) -> str:
    """The nearest reference pieces with thumbnail, craft, source and cosine.

    Args:
        references: nearest first.
        gallery: folder that their thumbnails are relative to.
        say: language.
    """
    cards = []
    for reference in references:
        uri = file_uri(gallery / reference.thumbnail) if gallery is not None and reference.thumbnail else ""
        name = escape(say.craft(reference.craft))
        picture = f'<img src="{uri}" alt="{name}">' if uri else f'<div class="absent">{say("answer.no_picture")}</div>'
        source = f"<span>{escape(reference.source)}</span>" if reference.source else ""
        cosine = say("answer.cosine", cosine=Amount(reference.cosine, 3))
        cards.append(f"<figure>{picture}<figcaption>{name}{source}<span>{cosine}</span></figcaption></figure>")
    return f'<div class="references">{"".join(cards)}</div>'


def _photo(uri: str, name: str, own: PhotoSay | None, say: Language) -> str:
    """A photo; of a piece that has several with its name and what it says by itself."""
    picture = f'<img src="{uri}" alt="{escape(name)}">'
    if own is None:
        return picture
    weight = Amount(own.weight, share=True)
    values = {"craft": escape(say.craft(own.craft)), "cosine": Amount(own.cosine, 3), "weight": weight}
    alone = say("answer.by_itself", **values)
    return f"<figure>{picture}<figcaption>{escape(name)}<span>{alone}</span></figcaption></figure>"


def photo_figures(attribution: Attribution, pictures: Sequence[str], say: Language) -> str:
    """The photos of a piece; where there are several, each with its name and what it says by itself.

    Args:
        attribution: the answer.
        pictures: data URIs of its photos; "" for one that cannot be shown.
        say: language.
    """
    return "".join(
        _photo(uri, Path(photo).name, own if len(attribution.says) > 1 else None, say)
        for uri, photo, own in zip_longest(pictures, attribution.photos, attribution.says)
        if uri
    )


def answer(
    attribution: Attribution,
    pictures: Sequence[str],
    heading: str,
    gallery: Path | None,
    say: Language,
    *,
    calibration: Calibration | None = None,
) -> str:
    """One piece: its photos, the ranked traditions as bars, the nearest references.

    Args:
        attribution: the answer.
        pictures: data URIs of its photos; "" for one that cannot be shown.
        heading: HTML above the bars.
        gallery: folder that the references' thumbnails are relative to.
        say: language.
        calibration: whose thresholds are drawn; None where there is none.
    """
    shown = photo_figures(attribution, pictures, say)
    drawn, cards = bars(attribution.traditions, say, calibration), reference_cards(attribution.references, gallery, say)
    below = f"<h4>{bars_title(attribution.traditions, say)}</h4>{drawn}<h4>{say('answer.references')}</h4>{cards}"
    return f'<div class="answer"><div class="seen">{shown}</div><div>{heading}{below}</div></div>'
