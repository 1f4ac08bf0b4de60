"""Views of a photo: what the network is shown of it.

A network takes squares of a fixed side, and a photo is more than one of them: seen whole, its layout shows; seen in
parts at a larger scale, its weave does. So a photo is cut into a pyramid of overlapping squares at four scales.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saree_cosface.options import ViewOptions

if TYPE_CHECKING:
    import albumentations as A

Pixels = NDArray[np.uint8]

PYRAMID = ((1.43, 2), (3.0, 4), (1.15, 1), (2.0, 3))
"""Scales of the parts: the short side in units of the network's input, and the parts along each side of the grid."""

BRIEF = 9
"""The first views are the whole, the four parts at scale 1.43 and the four central ones at scale 3. A prediction is
made from these alone: they do nearly as well as all 31 at under a third of the cost."""

SIDES = ((1, 3), (2, 4), (1, 2), (3, 4))
"""Of these views the two that show the left, right, upper and lower side of a photo."""

LARGEST = 3.0
"""Photos need no more pixels than this many inputs along their short side."""

LONGEST = 8
"""Of a photo longer than this many times its width only the middle is looked at: blown up until the short side fills a
view, a strip one pixel wide would take all memory."""

WHOLE = 0.1
"""Chance that a random view is the whole photo, squashed to a square."""


@dataclass(frozen=True)
class PyramidViews:
    """The fixed views of a photo: the whole, squashed to a square, and grids of overlapping parts at four scales.

    Attributes:
        size: side of a view in pixels.
        brief: only the first ``BRIEF`` views.

    >>> PyramidViews(32)(np.zeros((100, 60, 3), np.uint8), "any").shape
    (31, 32, 32, 3)
    >>> PyramidViews(32, brief=True)(np.zeros((100, 60, 3), np.uint8), "any").shape
    (9, 32, 32, 3)
    """

    size: int
    brief: bool = False

    @property
    def key(self) -> str:
        """Names what is computed from these views, in caches."""
        return f"pyramid-{self.size}{'-brief' * self.brief}"

    def boxes(self, pixels: Pixels) -> NDArray[np.float64]:
        """Where each view of pixels ``(H, W, 3)`` lies in them: top, left, bottom, right as shares, ``(V, 4)``."""
        height, width = pixels.shape[:2]
        middle = _middle(pixels)
        inner = np.array(middle.shape[:2])
        offset = (np.array([height, width]) - inner) // 2
        corners = [(np.zeros(2), np.ones(2))]
        rest: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        for scale, parts in PYRAMID[: 2 if self.brief else None]:
            large = _scaled((inner[1], inner[0]), round(scale * self.size))[::-1]
            tops = np.linspace(0, large[0] - self.size, parts).round()
            lefts = np.linspace(0, large[1] - self.size, parts).round()
            for row, top in enumerate(tops):
                for column, left in enumerate(lefts):
                    central = parts == 2 or (parts == 4 and {row, column} <= {1, 2})
                    start = np.array([top, left])
                    (corners if central else rest).append((start / large, (start + self.size) / large))
        ordered = corners if self.brief else corners + rest
        places = [np.concatenate([offset + start * inner, offset + stop * inner]) for start, stop in ordered]
        return np.stack(places) / [height, width, height, width]

    def __call__(self, pixels: Pixels, photo: str) -> Pixels:
        """Views ``(V, S, S, 3)`` of pixels ``(H, W, 3)``; which photo it is does not matter here."""
        size = self.size
        image = Image.fromarray(_middle(pixels))
        views = [np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))]
        rest: list[Pixels] = []
        for scale, parts in PYRAMID[: 2 if self.brief else None]:
            large = _shortest_side(image, round(scale * size))
            tops = np.linspace(0, large.shape[0] - size, parts).round().astype(int)
            lefts = np.linspace(0, large.shape[1] - size, parts).round().astype(int)
            for row, top in enumerate(tops):
                for column, left in enumerate(lefts):
                    central = parts == 2 or (parts == 4 and {row, column} <= {1, 2})
                    (views if central else rest).append(large[top : top + size, left : left + size])
        return np.stack(views if self.brief else views + rest)


@dataclass(frozen=True)
class RandomViews:
    """Random views for training, each a function of the photo and the view's number alone.

    So view 7 of a photo is the same whatever other photos there are, in whichever process, and after a restart.

    Attributes:
        size: side of a view in pixels.
        options: strengths of the changes.

    >>> RandomViews(32, ViewOptions(random=4))(np.zeros((100, 60, 3), np.uint8), "any").shape
    (4, 32, 32, 3)
    """

    size: int
    options: ViewOptions

    @property
    def key(self) -> str:
        """Names what is computed from these views, in caches."""
        settings = repr(sorted(asdict(self.options).items())) + repr((PYRAMID, WHOLE, "one stream"))
        return f"random-{self.size}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}"

    @cached_property
    def _transform(self) -> "A.Compose":
        import albumentations as A  # slow to import, and only training needs it
        import cv2

        size, options = self.size, self.options
        scales = [round(size * scale) for scale, parts in PYRAMID for _ in range(parts)]
        jitter = options.colour_jitter
        whole = A.Resize(size, size, interpolation=cv2.INTER_AREA, p=WHOLE)
        part = A.Sequential(
            [A.SmallestMaxSize(scales, interpolation=cv2.INTER_AREA), A.RandomCrop(size, size)],
            p=1 - WHOLE,
        )
        return A.Compose(
            [
                A.OneOf([whole, part], p=1),
                A.HorizontalFlip(p=0.5),
                A.VerticalFlip(p=options.vertical_flip),
                A.ColorJitter(jitter, jitter, jitter, jitter / 10, p=0.8 if jitter else 0),
            ]
        )

    def __call__(self, pixels: Pixels, photo: str) -> Pixels:
        """Views 0 to ``random`` - 1, ``(K, S, S, 3)``, of pixels ``(H, W, 3)``."""
        return np.stack([self.view(pixels, photo, number) for number in range(self.options.random)])

    def view(self, pixels: Pixels, photo: str, number: int) -> Pixels:
        """View ``number`` of the photo, ``(H, W, 3) -> (S, S, 3)``."""
        digest = hashlib.sha256(f"{photo}/{number}".encode()).digest()
        reseed(self._transform, int.from_bytes(digest[:4], "little"))
        view: Pixels = self._transform(image=_middle(pixels))["image"]
        return view


@dataclass(frozen=True)
class ChangedViews:
    """The brief views of what a photo is changed to: of one picture, of several after each other, or of none.

    Attributes:
        size: side of a view in pixels.
        name: of the change, by which caches tell it from others; another change needs another name.
        change: what a photo ``(H, W, 3)`` becomes, pictures of any size.

    >>> both = ChangedViews(32, "as-it-is-and-upside-down", lambda pixels: [pixels, pixels[::-1]])
    >>> both(np.zeros((100, 60, 3), np.uint8), "any").shape
    (18, 32, 32, 3)
    """

    size: int
    name: str
    change: Callable[[Pixels], Sequence[Pixels]]

    @property
    def key(self) -> str:
        """Names what is computed from these views, in caches."""
        return f"{PyramidViews(self.size, brief=True).key}-{self.name}"

    def __call__(self, pixels: Pixels, photo: str) -> Pixels:
        """Views ``(K * BRIEF, S, S, 3)`` of the K pictures that pixels ``(H, W, 3)`` are changed to."""
        cut = PyramidViews(self.size, brief=True)
        none = np.zeros((0, self.size, self.size, 3), np.uint8)
        return np.concatenate([none, *(cut(picture, photo) for picture in self.change(pixels))])


Views = PyramidViews | RandomViews | ChangedViews


def reseed(transform: "A.Compose", seed: int) -> None:
    """Let what the transform does next follow from the seed.

    Its own ``set_random_seed`` would hand the same seed to each of its parts, so that they draw the same numbers: then
    a view would be mirrored or not according to where it was cropped. Here all parts draw from one stream.
    """
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))


def _middle(pixels: Pixels) -> Pixels:
    longest = LONGEST * min(pixels.shape[:2])
    top, left = (max(0, length - longest) // 2 for length in pixels.shape[:2])
    return pixels[top : top + longest, left : left + longest]


def _shortest_side(image: Image.Image, side: int) -> Pixels:
    """The image resized so that its shorter side is ``side``: ``(H, W, 3)``. Bicubic, as the weights were trained."""
    return np.asarray(image.resize(_scaled(image.size, side), Image.Resampling.BICUBIC))


def _scaled(lengths: tuple[int, int], side: int) -> tuple[int, int]:
    """Both lengths in proportion, the shorter being ``side``."""
    first, second = (max(side, round(length * side / min(lengths))) for length in lengths)
    return first, second
