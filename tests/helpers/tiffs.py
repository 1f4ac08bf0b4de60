"""TIFFs of every kind that shows ``picture()``, its greys, or its black and white."""

import struct

import numpy as np
from PIL import Image

from tests.helpers.bad_photos import picture

PICTURE = picture()
GREYS = np.asarray(Image.fromarray(PICTURE).convert("L"))
HEIGHT, WIDTH = GREYS.shape


def deep(values: np.ndarray, bits: int) -> np.ndarray:
    """Values of 8 bits with more or fewer."""
    kind = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    return np.rint(values * ((2.0**bits - 1) / 255)).astype(kind)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(values)[..., None], 3, axis=2)


def on_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.where(alpha[..., None] > 0, pixels, 255)


def half_transparent() -> np.ndarray:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, WIDTH // 2 :] = 0
    return alpha


def palette() -> tuple[np.ndarray, np.ndarray]:
    """Indices ``(H, W)`` and the colours ``(256, 3)`` of a picture with a palette."""
    image = Image.fromarray(PICTURE).quantize(64)
    colours = np.zeros((256, 3), np.uint16)
    found = np.array(image.getpalette()).reshape(-1, 3)
    colours[: len(found)] = found
    return np.asarray(image), colours


def packed(bits: int, *, white_is_zero: bool = False, order: str = "<", fill: int = 1) -> tuple[bytes, np.ndarray]:
    """An uncompressed TIFF of greys of any number of bits, and what they look like ``(H, W, 3)``."""
    values = deep(GREYS, bits)
    shown = grey(np.rint(values * (255 / (2**bits - 1))))
    stored = 2**bits - 1 - values if white_is_zero else values
    rows = []
    for row in stored.tolist():
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        octets = (text[start : start + 8] for start in range(0, len(text), 8))
        rows.append(bytes(int(octet[::-1] if fill == 2 else octet, 2) for octet in octets))
    data = b"".join(rows)
    tags = [(256, 3, WIDTH), (257, 3, HEIGHT), (258, 3, bits), (259, 3, 1), (262, 3, int(not white_is_zero))]
    tags += [(266, 3, fill), (273, 4, 8), (277, 3, 1), (278, 3, HEIGHT), (279, 4, len(data))]
    content = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data)) + data
    content += struct.pack(order + "H", len(tags))
    for tag, kind, value in tags:
        stored_value = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
        content += struct.pack(order + "HHI", tag, kind, 1) + stored_value
    return content + bytes(4), shown
