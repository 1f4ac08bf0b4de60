"""What answers ask of a gallery, whether it lies in a folder or on a server."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from saree_cosface.taxonomy import load_taxonomy


@dataclass(frozen=True)
class Only:
    """Which references are searched: those that are all of this.

    Attributes:
        craft: id of their tradition; "" for any.
        place: what the taxonomy says of where that is made has these words in it; "" for anywhere.
        source: who took them; "" for anybody.
    """

    craft: str = ""
    place: str = ""
    source: str = ""


EVERY = Only()


def places_of(crafts: Iterable[str]) -> list[str]:
    """Where each craft is made, as the taxonomy has it; "" for one that it does not know.

    >>> places_of(["patola", "shawls_of_my_aunt"])
    ['Patan and Rajkot, Gujarat', '']
    """
    taxonomy = load_taxonomy()
    return [taxonomy[craft].place if craft in taxonomy else "" for craft in crafts]


class AnyGallery(Protocol):
    """References and prototypes, as :class:`saree_cosface.runs.gallery.Gallery` describes them."""

    def __len__(self) -> int: ...

    @property
    def crafts(self) -> list[str]:
        """Craft ids with at least one reference, in alphabetical order: C of them."""

    @property
    def prototypes(self) -> NDArray[np.float32]:
        """Unit prototype of each craft, ``(C, D)``."""

    @property
    def pieces(self) -> NDArray[np.int_]:
        """How many reference pieces each craft has, ``(C,)``."""

    @property
    def dimensions(self) -> int:
        """D, the length of an embedding."""

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """All of them, ``(N, D)``; a server has to send them first."""

    @property
    def references(self) -> pd.DataFrame:
        """All of them; a server has to send them first."""

    @property
    def piece_of(self) -> NDArray[np.str_]:
        """Physical saree of each of ``references``, ``(N,)``."""

    @property
    def folder(self) -> Path | None:
        """What thumbnails are relative to."""

    def neighbours(
        self, embedding: NDArray[np.float32], k: int, *, one_a_piece: bool = True, only: Only = EVERY
    ) -> pd.DataFrame:
        """The k nearest references of an embedding ``(D,)``: their rows with a column ``cosine``, nearest first."""

    def known(self, sha256: Sequence[str]) -> pd.DataFrame:
        """The references whose photos have these SHA-256."""
