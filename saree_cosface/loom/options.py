"""What a corpus drawn by the loom is made of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LoomOptions:
    """How many sarees the loom draws, and how they are photographed.

    Attributes:
        pieces_per_craft: physical sarees drawn for each craft.
        photos_per_piece: photographs of each saree, all by the same shop.
        shops: synthetic sources; of every eight, three sell mostly one craft.
        size: longer side of a photograph in pixels.
        seed: everything drawn follows from it.
        workers: processes that draw; 0 takes as many as there are threads. The drawings do not depend on it.

    Raises:
        ValueError: a count is below one, the size is below 64 pixels, or the seed or the workers are negative.
    """

    pieces_per_craft: int = 24
    photos_per_piece: int = 3
    shops: int = 8
    size: int = 448
    seed: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        for name, least in (("pieces_per_craft", 1), ("photos_per_piece", 1), ("shops", 1), ("size", 64)):
            if getattr(self, name) < least:
                raise ValueError(f"loom option {name} is {getattr(self, name)}; give at least {least}")
        for name in ("seed", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"loom option {name} is {getattr(self, name)}; give 0 or more")
