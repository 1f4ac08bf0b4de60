"""Makers of every awkward file a collection may hold. Each takes a folder, writes there, and returns the path."""

import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()


def picture(width: int = 96, height: int = 72, seed: int = 0) -> np.ndarray:
    """A smooth coloured pattern ``(H, W, 3)`` that differs by seed; its top left quarter is red."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    pixels = np.array(coarse.resize((width, height), Image.Resampling.BICUBIC))
    pixels[: height // 2, : width // 2] = (200, 20, 20)
    return pixels


def textured(width: int = 96, height: int = 72, seed: int = 0) -> np.ndarray:
    """A pattern ``(H, W, 3)`` all over, so that two seeds look quite different."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    return np.array(coarse.resize((width, height), Image.Resampling.BICUBIC))


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of which hardly anything is there but its header."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# --- files that are no photos -------------------------------------------------------------------------------------


def zero_byte(folder: Path) -> Path:
    return _write(folder / "zero_byte.jpg", b"")


def truncated(folder: Path) -> Path:
    whole = save(folder / "whole.tmp.jpg", picture(400, 300))
    path = _write(folder / "truncated.jpg", whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    return path


def truncated_png(folder: Path) -> Path:
    whole = save(folder / "whole.tmp.png", textured(200, 150))
    path = _write(folder / "truncated.png", whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    return path


def truncated_heic(folder: Path) -> Path:
    whole = save(folder / "whole.tmp.heic", textured(200, 150))
    path = _write(folder / "truncated.heic", whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()
    return path


def truncated_tiff(folder: Path) -> Path:
    whole = save(folder / "whole.tmp.tif", textured(200, 150))
    path = _write(folder / "truncated.tif", whole.read_bytes()[:9000])
    whole.unlink()
    return path


def bomb(folder: Path) -> Path:
    """30,000 × 30,000 pixels in a few hundred bytes."""
    return _write(folder / "bomb.png", png_header(30_000, 30_000))


def large(folder: Path) -> Path:
    """Over the bound of memory, at whatever size it is wanted."""
    return _write(folder / "large.png", png_header(24_000, 24_000))


def svg_named_jpg(folder: Path) -> Path:
    content = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'
    return _write(folder / "svg.jpg", content)


def html_named_jpg(folder: Path) -> Path:
    return _write(folder / "html.jpg", b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>")


def noise(folder: Path) -> Path:
    return _write(folder / "noise.jpg", np.random.default_rng(0).bytes(5000))


def jpeg_header_then_noise(folder: Path) -> Path:
    whole = save(folder / "whole.tmp.jpg", picture())
    content = whole.read_bytes()[:200] + np.random.default_rng(0).bytes(3000)
    whole.unlink()
    return _write(folder / "half_noise.jpg", content)


def unknown_floats(folder: Path) -> Path:
    """A picture of floating-point values whose range nobody can know."""
    return save(folder / "floats.tif", np.linspace(-5, 900, 100, dtype=np.float32).reshape(10, 10))


def folder_named_jpg(folder: Path) -> Path:
    path = folder / "folder.jpg"
    path.mkdir()
    return path


def symlink_loop(folder: Path) -> Path:
    path = folder / "loop.jpg"
    path.symlink_to(path.name)
    return path


def broken_link(folder: Path) -> Path:
    path = folder / "broken.jpg"
    path.symlink_to("nowhere.jpg")
    return path


def fifo(folder: Path) -> Path:
    """A pipe, which a careless reader waits on for ever."""
    path = folder / "pipe.jpg"
    os.mkfifo(path)
    return path


BAD: Mapping[Callable[[Path], Path], str] = {
    zero_byte: "empty",
    truncated: "cut short",
    truncated_png: "cut short",
    truncated_heic: "cut short|or damaged",
    truncated_tiff: "cut short",
    bomb: "too large",
    large: "24000 × 24000.*--photo-memory",
    svg_named_jpg: "SVG",
    html_named_jpg: "HTML",
    noise: "not a photo",
    jpeg_header_then_noise: "damaged",
    unknown_floats: "unknown range",
    folder_named_jpg: "a folder",
    symlink_loop: "back to itself",
    broken_link: "missing file",
    fifo: "not a regular file",
}
"""What is no photo, and a pattern that the reason must match."""


# --- unusual photos that can be read ------------------------------------------------------------------------------


def one_pixel(folder: Path) -> Path:
    return save(folder / "one_pixel.png", np.full((1, 1, 3), (10, 20, 30), dtype=np.uint8))


def cmyk(folder: Path) -> Path:
    path = folder / "cmyk.jpg"
    Image.fromarray(picture()).convert("CMYK").save(path, quality=95)
    return path


def palette(folder: Path) -> Path:
    path = folder / "palette.png"
    Image.fromarray(picture()).quantize(64).save(path)
    return path


def sixteen_bit(folder: Path) -> Path:
    """A greyscale ramp from 0 to 65535, left to right."""
    ramp = np.tile(np.linspace(0, 65535, 96).astype(np.uint16), (72, 1))
    return save(folder / "sixteen.png", ramp)


def transparent(folder: Path) -> Path:
    """The right half fully transparent, over black."""
    pixels = np.dstack([picture(), np.full((72, 96), 255, dtype=np.uint8)])
    pixels[:, 48:] = 0
    return save(folder / "transparent.png", pixels)


def animated(folder: Path) -> Path:
    path = folder / "animated.gif"
    later = Image.new("RGB", (96, 72), "blue")
    Image.fromarray(picture()).save(path, save_all=True, append_images=[later, later])
    return path


def exif_rotated(folder: Path) -> Path:
    """Stored lying, to be shown upright as ``picture()``."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return save(folder / "rotated.jpg", np.rot90(picture()), exif=exif, quality=95)


def heic(folder: Path) -> Path:
    return save(folder / "photo.heic", picture(), quality=95)


def avif(folder: Path) -> Path:
    return save(folder / "photo.avif", picture(), quality=95)


def webp(folder: Path) -> Path:
    return save(folder / "photo.webp", picture(), quality=95)


def mpo(folder: Path) -> Path:
    """What stereo cameras and some phones write: several JPEGs in one file."""
    path = folder / "photo.mpo"
    second = Image.new("RGB", (96, 72), "blue")
    Image.fromarray(picture()).save(path, save_all=True, append_images=[second], quality=95)
    return path


def named_in_unicode(folder: Path) -> Path:
    return save(folder / "बनारसी साड़ी  №1.jpg", picture(), quality=95)


def upper_suffix(folder: Path) -> Path:
    return save(folder / "PHOTO.JPG", picture(), format="JPEG", quality=95)


ODD: tuple[Callable[[Path], Path], ...] = (
    *(cmyk, palette, animated, exif_rotated, heic, avif, webp, mpo, named_in_unicode, upper_suffix),
)
"""Photos that must decode to about ``picture()``."""
