"""One answer as HTML: photos, cosine bars, thumbnails of references."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from saree_cosface.answers.attribution import Attribution, NearReference, PhotoSay, RankedTradition
from saree_cosface.html.page import escape, file_uri
from saree_cosface.runs.calibration import Calibration
from saree_cosface.taxonomy import craft_name


def bars(traditions: Sequence[RankedTradition], calibration: Calibration | None = None) -> str:
    """Cosines to the prototypes as bars on an axis from 0 to 1, with probabilities; a negative cosine has no bar.

    Args:
        traditions: nearest first.
        calibration: whose two thresholds are drawn across the bars; None where there is none.
    """
    thresholds = []
    if calibration is not None:
        thresholds.append(("known", calibration.known, f"outside below {calibration.known:.2f}"))
        thresholds.append(("named", calibration.cosine, f"named from {calibration.cosine:.2f}"))
    lines = "".join(f'<div class="line {name}" style="left:{_percent(at)}"></div>' for name, at, _ in thresholds)
    cells = []
    for rank, tradition in enumerate(traditions):
        first = "" if rank else " first"
        # A heavier name, not only a deeper colour, marks the first: colour alone would be lost in print.
        cells.append(
            f'<div class="name{first}">{escape(tradition.name)}</div>'
            f'<div class="track"><div class="bar{first}" style="width:{_percent(tradition.cosine)}"></div>{lines}</div>'
            f'<div class="value{first}">{tradition.cosine:.3f}{_allowance(tradition)}{_chance(tradition)}</div>'
        )
    ticks = "".join(f'<span style="left:{_percent(tick)}">{tick:g}</span>' for tick in (0, 0.5, 1))
    cells.append(f'<div></div><div class="axis">{ticks}</div><div></div>')
    said = "".join(f'<b class="{name}">{label}</b>' for name, _, label in thresholds)
    cells.append(f'<div></div><div class="lines">{said}</div>' if said else "")
    return f'<div class="bars">{"".join(cells)}</div>'


def _percent(cosine: float) -> str:
    return f"{100 * min(max(cosine, 0.0), 1.0):.1f}%"


def _allowance(tradition: RankedTradition) -> str:
    return f" <small>+ {tradition.allowance:.3f}</small>" if tradition.allowance else ""


def _chance(tradition: RankedTradition) -> str:
    return "" if tradition.probability is None else f" <small>{tradition.probability:.0%}</small>"


def reference_cards(references: Sequence[NearReference], gallery: Path | None) -> str:
    """The nearest reference pieces with thumbnail, craft, source and cosine.

    Args:
        references: nearest first.
        gallery: folder that their thumbnails are relative to.
    """
    cards = []
    for reference in references:
        uri = file_uri(gallery / reference.thumbnail) if gallery is not None and reference.thumbnail else ""
        name = escape(craft_name(reference.craft))
        picture = f'<img src="{uri}" alt="{name}">' if uri else '<div class="absent">no picture</div>'
        source = f"<span>{escape(reference.source)}</span>" if reference.source else ""
        cards.append(
            f"<figure>{picture}<figcaption>{name}{source}<span>cosine {reference.cosine:.3f}</span>"
            "</figcaption></figure>"
        )
    return f'<div class="references">{"".join(cards)}</div>'


def _photo(uri: str, name: str, say: PhotoSay | None) -> str:
    """A photo; of a piece that has several with its name and what it says by itself."""
    picture = f'<img src="{uri}" alt="{escape(name)}">'
    if say is None:
        return picture
    alone = f"by itself {escape(say.name)} {say.cosine:.3f}, counting {say.weight:.0%}"
    return f"<figure>{picture}<figcaption>{escape(name)}<span>{alone}</span></figcaption></figure>"


def photo_figures(attribution: Attribution, pictures: Sequence[str]) -> str:
    """The photos of a piece; where there are several, each with its name and what it says by itself.

    Args:
        attribution: the answer.
        pictures: data URIs of its photos; "" for one that cannot be shown.
    """
    return "".join(
        _photo(uri, Path(photo).name, say if len(attribution.says) > 1 else None)
        for uri, photo, say in zip_longest(pictures, attribution.photos, attribution.says)
        if uri
    )


def answer(
    attribution: Attribution,
    pictures: Sequence[str],
    heading: str,
    gallery: Path | None,
    *,
    calibration: Calibration | None = None,
) -> str:
    """One piece: its photos, the ranked traditions as bars, the nearest references.

    Args:
        attribution: the answer.
        pictures: data URIs of its photos; "" for one that cannot be shown.
        heading: HTML above the bars.
        gallery: folder that the references' thumbnails are relative to.
        calibration: whose thresholds are drawn; None where there is none.
    """
    shown = photo_figures(attribution, pictures)
    title = "Cosine to each tradition"
    if any(tradition.probability is not None for tradition in attribution.traditions):
        title += ", and how probable it is if it is one of those known"
    return (
        f'<div class="answer"><div class="seen">{shown}</div><div>{heading}'
        f"<h4>{title}</h4>{bars(attribution.traditions, calibration)}"
        f"<h4>Nearest reference pieces</h4>{reference_cards(attribution.references, gallery)}</div></div>"
    )
