"""Synthetic sources: each shop has a backdrop, a lamp, a camera, a favourite view and a taste of its own."""

from dataclasses import dataclass

import cv2
import numpy as np

from saree_cosface.loom.cloth import Colour
from saree_cosface.loom.dyes import Taste
from saree_cosface.loom.light import Picture, Swatch, lamp, lay
from saree_cosface.loom.views import VIEWS, Frame, frame, paint_solids

BACKDROPS = ("paper", "planks", "wall", "tiles", "sheet", "marble", "curtain", "garden")
FORMATS = ((1.0, 1.0), (1.0, 0.75), (1.0, 0.8), (0.75, 1.0))


@dataclass(frozen=True)
class Shop:
    """Who photographs.

    Attributes:
        name: the source's id in the manifest.
        backdrop: one of BACKDROPS, in colours ``near`` and ``far``.
        azimuth, elevation: where the lamp stands, in radians.
        ambient: how soft the light is, 0 to 1.
        cast: gains of red, green and blue.
        exposure, saturation: factors, 1 is neutral.
        blur: of the lens, in pixels at a size of 448.
        noise: of the sensor, standard deviation in grey levels of 255.
        vignette: how much darker the corners are, 0 to 1.
        quality: of the JPEG files.
        shape: height and width of a photograph as shares of its longer side.
        badge: whether it stamps its sign in a corner, and in which (0 to 3); None stamps none.
        views: chance of each view, in the order of VIEWS.
        taste: what it likes to sell.
    """

    name: str
    backdrop: str
    near: Colour
    far: Colour
    azimuth: float
    elevation: float
    ambient: float
    cast: tuple[float, float, float]
    exposure: float
    saturation: float
    blur: float
    noise: float
    vignette: float
    quality: int
    shape: tuple[float, float]
    badge: int | None
    views: tuple[float, ...]
    taste: Taste


def open_shop(seed: int, number: int) -> Shop:
    """Shop ``number`` of the street that follows from ``seed``."""
    rng = np.random.default_rng([seed, 7001, number])
    kind = BACKDROPS[(number * 3 + seed) % len(BACKDROPS)]
    hue = rng.uniform(-1, 1, 3)  # rooms are mostly greyish: lime wash, wood, stone
    near = tuple(int(c) for c in np.clip(rng.uniform(90, 225) + 26 * hue + (12, 4, -12), 10, 245))
    far = tuple(int(c) for c in np.clip(np.array(near) * rng.uniform(0.55, 0.9) + rng.uniform(-12, 12, 3), 10, 245))
    warm = float(np.clip(rng.normal(0, 0.06), -0.09, 0.12))
    favourite = number % len(VIEWS)
    views = np.full(len(VIEWS), 0.5 / (len(VIEWS) - 1))
    views[favourite] = 0.5
    return Shop(
        name=f"shop_{number:02d}",
        backdrop=kind,
        near=(near[0], near[1], near[2]),
        far=(far[0], far[1], far[2]),
        azimuth=float(rng.uniform(-np.pi, 0.2)),
        elevation=float(rng.uniform(0.55, 1.1)),
        ambient=float(rng.uniform(0.3, 0.65)),
        cast=(1 + warm, 1 + float(rng.normal(0, 0.02)), 1 - warm),
        exposure=float(rng.uniform(0.82, 1.18)),
        saturation=float(rng.uniform(0.78, 1.2)),
        blur=float(rng.uniform(0.3, 0.9)),
        noise=float(rng.uniform(1.0, 6.5)),
        vignette=float(rng.uniform(0.0, 0.35)),
        quality=int(rng.integers(68, 94)),
        shape=FORMATS[int(rng.integers(len(FORMATS)))],
        badge=int(rng.integers(4)) if rng.random() < 0.5 else None,
        views=tuple(float(share) for share in views),
        taste=Taste(int(rng.integers(2**31))),
    )


def photograph(shop: Shop, on: Swatch, view: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Photograph a saree: (height, width, 3) bytes of red, green and blue, the longer side ``size`` pixels."""
    height, width = round(shop.shape[0] * size), round(shop.shape[1] * size)
    at = frame(height, width)
    picture = _backdrop(shop, at, rng)
    light = lamp(shop.azimuth + float(rng.normal(0, 0.15)), shop.elevation + float(rng.normal(0, 0.06)), shop.ambient)
    scene = VIEWS[view](rng, on.cloth, at)
    paint_solids(picture, scene)
    for layer in scene.layers:
        lay(picture, layer, on, light)
    if shop.badge is not None:
        _stamp_badge(picture, shop)
    return _develop(picture, shop, at, rng)


def empty_room(shop: Shop, size: int, rng: np.random.Generator) -> np.ndarray:
    """Photograph the shop without a saree: as :func:`photograph` does, but for what lies before the backdrop."""
    at = frame(round(shop.shape[0] * size), round(shop.shape[1] * size))
    picture = _backdrop(shop, at, rng)
    if shop.badge is not None:
        _stamp_badge(picture, shop)
    return _develop(picture, shop, at, rng)


def _noise(rng: np.random.Generator, at: Frame, cells: tuple[int, int]) -> np.ndarray:
    """Smooth noise between -1 and 1 with so many cells down and across."""
    coarse = rng.uniform(-1, 1, cells).astype(np.float32)
    height, width = at.x.shape
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _backdrop(shop: Shop, at: Frame, rng: np.random.Generator) -> Picture:
    """Paint the room behind the saree; the camera never stands in quite the same place."""
    near, far = (np.array(colour, np.float32) for colour in (shop.near, shop.far))
    x, y = at.x + float(rng.uniform(0, 0.3)), at.y + float(rng.uniform(-0.05, 0.05))
    if shop.backdrop == "paper":
        mix = np.clip(y * 1.2 - 0.2, 0, 1) + 0.04 * _noise(rng, at, (3, 3))
    elif shop.backdrop == "planks":
        board = np.floor(x * 6)
        grain = np.sin(60 * (x * 6 % 1) + 4 * np.sin(5 * y + board * 2.1)) * 0.08 + 0.08 * _noise(rng, at, (4, 60))
        mix = 0.5 + 0.3 * np.sin(board * 12.9) + grain - 0.8 * (np.abs(x * 6 % 1 - 0.5) > 0.485)
    elif shop.backdrop == "wall":
        floor = y > 0.78
        mix = np.where(floor, 0.95 - 0.4 * (np.abs((x * 3 + y) % 1 - 0.5) > 0.47), 0.12 + 0.1 * _noise(rng, at, (6, 6)))
        mix = mix - 0.5 * (np.abs(y - 0.775) < 0.006)
    elif shop.backdrop == "tiles":
        mix = 0.35 + 0.3 * ((np.floor(x * 5) + np.floor(y * 5)) % 2) + 0.06 * _noise(rng, at, (20, 20))
        mix = np.where((np.abs(x * 5 % 1 - 0.5) > 0.48) | (np.abs(y * 5 % 1 - 0.5) > 0.48), 1.1, mix)
    elif shop.backdrop == "sheet":
        mix = 0.4 + 0.3 * _noise(rng, at, (5, 7)) + 0.1 * np.sin(40 * x + 6 * _noise(rng, at, (3, 3)))
    elif shop.backdrop == "marble":
        swirl = _noise(rng, at, (5, 5)) + 0.5 * _noise(rng, at, (12, 12))
        mix = 0.9 - 0.8 * np.exp(-((np.sin(5 * x + 3 * y + 3 * swirl) / 0.16) ** 2)) + 0.05 * swirl
    elif shop.backdrop == "curtain":
        mix = 0.5 + 0.4 * np.sin(30 * x + 1.2 * np.sin(4 * y + 3 * x))
    else:
        mix = 0.5 + 0.5 * _noise(rng, at, (9, 9)) + 0.25 * _noise(rng, at, (18, 18))
    return np.asarray(np.clip(far + (near - far) * mix[..., None], 0, 255), dtype=np.float32)


def _stamp_badge(picture: Picture, shop: Shop) -> None:
    """The shop's sign: a pale disc with a mark of its own."""
    height, width = picture.shape[:2]
    size = round(0.11 * max(height, width))
    corner = shop.badge or 0
    top = height - size - size // 4 if corner >= 2 else size // 4
    left = width - size - size // 4 if corner % 2 else size // 4
    y, x = np.mgrid[:size, :size] / size * 2 - 1
    far, angle = np.hypot(x, y), np.arctan2(y, x)
    rays = 3 + shop.taste.seed % 5
    ink = (far < 0.9) & ((far > 0.76) | (far < 0.28 + 0.22 * np.cos(rays * angle)))
    alpha = np.where(far < 0.9, 0.55, 0.0)
    colour = np.where(ink[..., None], np.array(shop.near) * 0.5, 250.0)
    part = picture[top : top + size, left : left + size]
    part += ((colour - part) * alpha[..., None]).astype(np.float32)


def _develop(picture: Picture, shop: Shop, at: Frame, rng: np.random.Generator) -> np.ndarray:
    """Lens, light meter, film and sensor."""
    mx, my = at.middle
    blur = shop.blur * at.size / 448 * float(rng.uniform(0.8, 1.5))
    if blur > 0.25:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), dtype=np.float32)
    far = ((at.x - mx) ** 2 + (at.y - my) ** 2) / (mx**2 + my**2)
    gain = (1 - shop.vignette * far) * shop.exposure * float(rng.uniform(0.9, 1.1))
    picture = np.asarray(picture * (gain[..., None] * np.array(shop.cast, np.float32)), dtype=np.float32)
    grey = picture.mean(axis=2, keepdims=True)
    picture = grey + (picture - grey) * shop.saturation
    height, width = at.x.shape
    picture = picture + rng.standard_normal((height, width, 1), dtype=np.float32) * shop.noise
    shoulder = np.minimum(picture, 215 + (picture - 215) * 0.55)
    return np.asarray(np.clip(shoulder + 0.5, 0, 255), dtype=np.uint8)
