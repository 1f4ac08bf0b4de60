"""What the CosFace paper proves about the scale s and the margin m, and a margin warm-up.

The bounds describe the best case: C prototypes that lie as far apart as they can on the unit sphere, with every
embedding on its own prototype. With few classes the scale floor is low and a scale far above it saturates the loss; a
scale below it cannot fit. Report s and m separately: a gain of a margin over a baseline with another scale may be a
gain of the scale.

Source: Wang et al., CosFace, arXiv:1801.09414, Section 3.
"""

import math

SATURATION_FACTOR = 4.0
"""A scale this many times its floor is called too large by :func:`check`: a rule of thumb, not a theorem. It is applied
where the prototypes have room for a simplex (C <= D + 1); crowded ones need a scale far above the floor."""


def minimum_scale(num_classes: int, posterior: float, margin: float = 0.0) -> float:
    """The smallest scale s at which a class centre can reach ``posterior`` in the loss.

    For margin 0 this is Eq. 6 of the paper: s >= (C - 1) / C ln((C - 1) P / (1 - P)). With a margin the same
    argument (prototypes on a regular simplex, whose cosines are -1 / (C - 1)) gives our derivation
    s >= ln((C - 1) P / (1 - P)) / (C / (C - 1) - m). It is 0 for a posterior at or below chance.
    The floor holds in any dimension D; it suffices where C <= D + 1, and where no simplex fits more is needed.

    Args:
        num_classes: C, at least 2.
        posterior: P, the probability wanted for the class of a class centre, within (0, 1).
        margin: m, in cosine units, below C / (C - 1).

    Raises:
        ValueError: an argument is outside its range.

    >>> round(minimum_scale(40, 0.99), 1), round(minimum_scale(40, 0.99, margin=0.35), 1)
    (8.1, 12.2)
    """
    _check_classes(num_classes)
    if not 0 < posterior < 1:
        raise ValueError(f"posterior is {posterior}; it is a probability strictly between 0 and 1")
    spread = num_classes / (num_classes - 1)
    if not 0 <= margin < spread:
        raise ValueError(
            f"margin is {margin}; with {num_classes} classes no scale can fit a margin outside [0, {spread:.4g})"
        )
    odds = (num_classes - 1) * posterior / (1 - posterior)
    return max(0.0, math.log(odds) / (spread - margin))


def maximum_margin(num_classes: int, embedding_dim: int) -> float:
    """The largest margin m, in cosine units, that C prototypes in D dimensions could respect.

    D = 2: 1 - cos(2 pi / C). C <= D + 1: C / (C - 1), reached by a regular simplex. C > D + 1: the same
    C / (C - 1), now a limit that cannot be reached; the margin has to stay well below it. D = 1 has room for two
    prototypes only, so the margin of more classes is 0.

    Raises:
        ValueError: fewer than 2 classes or less than 1 dimension.

    >>> round(maximum_margin(8, 2), 3), round(maximum_margin(40, 512), 3)
    (0.293, 1.026)
    """
    _check_classes(num_classes)
    if embedding_dim < 1:
        raise ValueError(f"embedding_dim is {embedding_dim}; an embedding needs at least 1 dimension")
    if embedding_dim == 1 and num_classes > 2:
        return 0.0
    if embedding_dim == 2:
        return 1 - math.cos(2 * math.pi / num_classes)
    return num_classes / (num_classes - 1)


def check(scale: float, margin: float, num_classes: int, embedding_dim: int, posterior: float = 0.99) -> list[str]:
    """What is wrong with a scale and a margin, each as a sentence with a remedy; empty when nothing is.

    >>> check(scale=30, margin=0.35, num_classes=40, embedding_dim=512)
    []
    >>> check(scale=10, margin=0.35, num_classes=40, embedding_dim=512)  # doctest: +ELLIPSIS
    ['Scale 10 is below 12.2, the floor for 40 classes with margin 0.35 ...']
    """
    warnings = []
    limit = maximum_margin(num_classes, embedding_dim)
    reachable = embedding_dim == 2 or num_classes <= embedding_dim + 1
    if margin > limit or (margin == limit and not reachable):
        warnings.append(
            f"Margin {margin:.4g} cannot be respected: {num_classes} classes in {embedding_dim} dimensions allow "
            f"{'at most' if reachable else 'less than'} {limit:.4g}. Lower the margin"
            f"{'' if reachable else ' or raise the embedding dimension'}."
        )
    if margin >= num_classes / (num_classes - 1):
        return warnings
    floor = minimum_scale(num_classes, posterior, margin)
    if scale < floor:
        warnings.append(
            f"Scale {scale:.4g} is below {floor:.1f}, the floor for {num_classes} classes with margin {margin:.4g} at "
            f"posterior {posterior:.4g}, so the loss cannot become small: raise the scale to at least {floor:.1f} or "
            "lower the margin."
        )
    elif num_classes <= embedding_dim + 1 and scale > SATURATION_FACTOR * floor:
        warnings.append(
            f"Scale {scale:.4g} is {scale / floor:.1f} times its floor of {floor:.1f} for {num_classes} classes with "
            f"margin {margin:.4g}, so the loss is likely to saturate before the embeddings have learnt much: try a "
            f"scale between {1.5 * floor:.0f} and {3 * floor:.0f}."
        )
    return warnings


def warmup_margin(margin: float, step: int, warmup_steps: int) -> float:
    """The margin at ``step``: it rises linearly from 0 and is ``margin`` from ``warmup_steps`` on.

    >>> [round(warmup_margin(0.35, step, 100), 3) for step in (0, 50, 100, 1000)]
    [0.0, 0.175, 0.35, 0.35]
    """
    if step < 0 or warmup_steps < 0:
        raise ValueError(f"step {step} and warmup_steps {warmup_steps} count training steps: neither is negative")
    return margin if step >= warmup_steps else margin * step / warmup_steps


def _check_classes(num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(f"num_classes is {num_classes}; there is nothing to separate with fewer than 2")
