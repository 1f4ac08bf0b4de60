"""Which photos show one saree."""

from collections.abc import Iterable

_BETWEEN = "\x1f"
"""Between a source and its piece: no name holds it, since it counts as a blank where names are read."""


def piece_keys(sources: Iterable[str], pieces: Iterable[str], shared: Iterable[str], paths: Iterable[str]) -> list[str]:
    """One name for the saree of each photo, to compare and to group by; not to be shown.

    A number of a piece is one source's number: two shops that both have a ``PAT-001`` have two sarees. What several
    sources photographed bears one name in ``shared``, which alone counts then. A photo of unknown piece stands for
    itself by its path.

    >>> keys = piece_keys(["asha", "meera", "asha"], ["1", "1", "1"], ["", "", ""], ["a.jpg", "b.jpg", "c.jpg"])
    >>> keys[0] == keys[2], keys[0] == keys[1]
    (True, False)
    """
    return [
        f"{_BETWEEN}{_BETWEEN}{together}" if together else f"{source}{_BETWEEN}{piece}" if piece else path
        for source, piece, together, path in zip(sources, pieces, shared, paths, strict=True)
    ]
