"""How cloth looks under a lamp: threads at close range, silk that shines along its folds, zari that glints."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from saree_cosface.loom.cloth import LENGTH, WIDTH, Cloth

Plane = NDArray[np.float32]
Picture = NDArray[np.float32]  # (height, width, 3), 0 to 255


@dataclass(frozen=True)
class Lamp:
    """Where the light stands and how soft it is.

    Attributes:
        direction: unit vector towards the lamp; x to the right, y down, z towards the camera.
        ambient: share of the light that comes from everywhere.
    """

    direction: tuple[float, float, float]
    ambient: float


def lamp(azimuth: float, elevation: float, ambient: float) -> Lamp:
    """A lamp at ``azimuth`` (radians, 0 to the right, clockwise) and ``elevation`` above the cloth."""
    flat = np.cos(elevation)
    direction = (float(flat * np.cos(azimuth)), float(flat * np.sin(azimuth)), float(np.sin(elevation)))
    return Lamp(direction, ambient)


@dataclass(frozen=True)
class Swatch:
    """A cloth made ready to be photographed.

    Attributes:
        levels: (rows, columns, 4) at full, half and quarter size: red, green, blue, zari, each 0 to 255.
        veils: opacity of the cloth at the same sizes, 0 to 255; empty when the cloth hides everything.
        warp: brightness of each warp thread, (WIDTH,).
        weft: brightness of each weft thread, (LENGTH,).
        glitter: (256, 256) where on a metal thread the light is caught, 0 to 1.
        cloth: what was made ready.
    """

    levels: tuple[NDArray[np.uint8], ...]
    veils: tuple[NDArray[np.uint8], ...]
    warp: Plane
    weft: Plane
    glitter: Plane
    cloth: Cloth


def swatch(cloth: Cloth, rng: np.random.Generator) -> Swatch:
    """Colour the draft and spin its uneven threads."""
    full = np.array([(*yarn.colour, round(255 * yarn.zari)) for yarn in cloth.palette], np.uint8)[cloth.yarns]
    opacity = np.array([round(255 * yarn.opacity) for yarn in cloth.palette], np.uint8)
    veils = _pyramid(opacity[cloth.yarns]) if opacity.min() < 230 else ()
    warp = 1 + cloth.slub * rng.standard_normal(WIDTH).astype(np.float32)
    weft = 1 + 1.4 * cloth.slub * rng.standard_normal(LENGTH).astype(np.float32)
    glitter = (rng.random((256, 256)).astype(np.float32)) ** 4
    return Swatch(_pyramid(full), veils, warp, weft, glitter, cloth)


def _pyramid(full: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    levels = [full]
    for _ in range(2):
        height, width = levels[-1].shape[:2]
        small = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(small, dtype=np.uint8))
    return tuple(levels)


@dataclass(frozen=True)
class Layer:
    """One thickness of cloth in a photograph.

    Attributes:
        u: column of the draft seen at each pixel, in millimetres.
        v: row of the draft seen at each pixel.
        slope_x: how steeply the cloth rises to the right.
        slope_y: how steeply it rises downwards.
        cover: 1 where the layer is, 0 where it is not.
        scale: millimetres of cloth to a pixel, about.
        lift: how far its shadow falls, as a share of the frame; 0 casts none.
    """

    u: Plane
    v: Plane
    slope_x: Plane
    slope_y: Plane
    cover: Plane
    scale: float
    lift: float = 0.0


def lay(picture: Picture, layer: Layer, on: Swatch, light: Lamp) -> None:
    """Draw one layer of cloth over ``picture``, with its shadow, in place."""
    if layer.lift > 0:
        _shadow(picture, layer, light)
    level = int(np.clip(np.floor(np.log2(max(layer.scale, 0.25)) + 0.3), 0, 2))
    at_u, at_v = (layer.u + 0.5) / 2**level - 0.5, (layer.v + 0.5) / 2**level - 0.5
    seen = cv2.remap(on.levels[level], at_u, at_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    colour = seen[..., :3].astype(np.float32)
    zari = seen[..., 3].astype(np.float32) / 255
    diffuse, gloss = _shading(layer, light)
    gain = diffuse * _threads(layer, on)
    sheen = on.cloth.sheen
    colour *= (gain * (1 - 0.22 * zari))[..., None]
    colour += (sheen * 34 * gloss * (1 - zari))[..., None]
    columns, rows = (layer.u * 0.9).astype(np.int32) & 255, (layer.v * 0.9).astype(np.int32) & 255
    spark = on.glitter[rows, columns] * min(1.0, 1.1 / max(layer.scale, 0.4)) + 0.22
    glint = zari * (70 * gloss + 120 * gloss * gloss) * (0.45 + 1.7 * spark)
    colour += glint[..., None] * np.array((1.0, 0.86, 0.55), np.float32)
    alpha = layer.cover
    if on.veils:
        veil = cv2.remap(on.veils[level], at_u, at_v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        alpha = np.asarray(alpha * (veil / 255), dtype=np.float32)
    picture += (colour - picture) * alpha[..., None]


def _shading(layer: Layer, light: Lamp) -> tuple[Plane, Plane]:
    """Diffuse light, 1 on level cloth, and the gloss of cloth that mirrors the lamp."""
    x, y, z = light.direction
    length = np.sqrt(1 + layer.slope_x * layer.slope_x + layer.slope_y * layer.slope_y)
    facing = (-layer.slope_x * x - layer.slope_y * y + z) / length
    diffuse = light.ambient + (1 - light.ambient) * np.clip(facing, 0, None) / max(z, 0.3)
    reach = float(np.linalg.norm((x, y, z + 1)))
    mirror = (-layer.slope_x * x - layer.slope_y * y + z + 1) / (reach * length)
    squared = np.square(np.clip(mirror, 0, 1))
    gloss = squared * np.square(np.square(squared) * squared)  # to the power of 14
    return diffuse.astype(np.float32), gloss.astype(np.float32)


def _threads(layer: Layer, on: Swatch) -> Plane:
    """Uneven yarn and, where a pixel is finer than a thread, the weave itself."""
    rows = np.clip(layer.v, 0, WIDTH - 1).astype(np.int32)
    columns = np.clip(layer.u, 0, LENGTH - 1).astype(np.int32)
    uneven: Plane = on.warp[rows] * on.weft[columns]
    pitch = on.cloth.pitch
    strength = float(np.clip(1.15 - 2.0 * layer.scale / pitch, 0, 0.5))
    if strength == 0:
        return uneven
    a, b = np.pi / pitch * layer.u, np.pi / pitch * layer.v
    weave = 0.55 * np.sin(a) * np.sin(b) + 0.22 * (np.cos(2 * a) + np.cos(2 * b))
    return np.asarray(uneven * (1 + strength * (0.5 * weave - 0.06)), dtype=np.float32)


def _shadow(picture: Picture, layer: Layer, light: Lamp) -> None:
    size = max(picture.shape[:2])
    reach = layer.lift * size
    x, y, _ = light.direction
    shift = np.array(((1, 0, -x * reach), (0, 1, -y * reach)), np.float32)
    height, width = picture.shape[:2]
    moved = cv2.warpAffine(layer.cover, shift, (width, height))
    dark = cv2.GaussianBlur(moved, (0, 0), max(0.8, reach * 0.8))
    picture *= (1 - 0.5 * (1 - 0.55 * light.ambient) * dark)[..., None]
