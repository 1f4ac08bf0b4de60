"""The rows of the paper's experiments: which losses, margins and scales are compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from saree_cosface.options import HeadOptions

LMCL = "LMCL"


@dataclass(frozen=True)
class Setting:
    """One row of an experiment.

    Attributes:
        name: for people.
        head: the loss.
        published: what the paper's table gives for it (arXiv:1801.09414), where it does, in per cent: accuracy on LFW
            and on YTF; with a million distractors of MegaFace, rank 1 and true accepts at 1e-6 false ones.
        together: photos of one person that lie together in a batch.
    """

    name: str
    head: HeadOptions
    published: tuple[float, float, float, float] | None = None
    together: int = 1


def losses(head: HeadOptions) -> tuple[Setting, ...]:
    """Table 2 of the paper, and NSL. The scale is the same wherever a loss has one, so that nothing else differs.

    Contrastive and triplet loss compare the photos of a batch, so theirs hold four photos of each person drawn.
    """
    return (
        Setting("softmax", replace(head, name="softmax"), (97.88, 93.1, 54.85, 65.92)),
        Setting(
            "softmax + contrastive",
            replace(head, name="contrastive", margin=1.0),
            (98.78, 93.5, 65.21, 78.86),
            together=4,
        ),
        Setting("triplet", replace(head, name="triplet", margin=0.2), (98.70, 93.4, 64.79, 78.32), together=4),
        Setting("L-Softmax", replace(head, name="lsoftmax", margin=4), (99.10, 94.0, 67.12, 80.42)),
        Setting("softmax + center", replace(head, name="center"), (99.05, 94.4, 65.49, 80.14)),
        Setting("A-Softmax", replace(head, name="sphereface", margin=4), (99.42, 95.0, 72.72, 85.56)),
        Setting(
            "A-Softmax-NormFea", replace(head, name="sphereface_normalized", margin=4), (99.32, 95.4, 75.42, 88.82)
        ),
        Setting("NSL", replace(head, name="nsl", margin=0.0)),
        Setting(LMCL, replace(head, name="cosface"), (99.33, 96.1, 77.11, 89.88)),
    )


def only(settings: Sequence[Setting], names: Sequence[str] | None) -> list[Setting]:
    """The settings of these names, in the order of the table; all of them where no name is given.

    Raises:
        ValueError: a name is not in the table.
    """
    if names is None:
        return list(settings)
    known = {setting.name.lower(): setting for setting in settings}
    if unknown := [name for name in names if name.lower() not in known]:
        raise ValueError(f"no row named {', '.join(unknown)}; there are {', '.join(each.name for each in settings)}.")
    wanted = {name.lower() for name in names}
    return [setting for name, setting in known.items() if name in wanted]


def margins(head: HeadOptions) -> tuple[Setting, ...]:
    """Figure 5 of the paper: m from 0 to 0.45 at one scale, the head's own, and two that are too large."""
    values = sorted({0.0, 0.1, 0.2, 0.3, 0.35, 0.45, head.margin, 0.7, 1.0})
    return tuple(Setting(f"m = {margin:g}", _lmcl(head, head.scale, margin)) for margin in values)


def scales(head: HeadOptions) -> tuple[Setting, ...]:
    """Half to four times the scale, at the head's margin and without: gains of a margin may be gains of a scale."""
    return tuple(
        Setting(f"s = {scale:g}, m = {margin:g}", _lmcl(head, scale, margin))
        for margin in (0.0, head.margin)
        for scale in (head.scale / 2, head.scale, 2 * head.scale, 4 * head.scale)
    )


def _lmcl(head: HeadOptions, scale: float, margin: float) -> HeadOptions:
    """Without a margin it is NSL, and named so: a run of the one is a run of the other."""
    return replace(head, name="cosface" if margin else "nsl", scale=scale, margin=margin)


def normalization(head: HeadOptions) -> tuple[Setting, ...]:
    """Table 1 of the paper: LMCL with embeddings of their own lengths, and with all at length s."""
    return (
        Setting(
            "without normalised features",
            replace(head, name="cosface_unnormalized"),
            (99.10, 93.1, 75.10, 88.65),
        ),
        Setting("with normalised features", replace(head, name="cosface"), (99.33, 96.1, 77.11, 89.88)),
    )
