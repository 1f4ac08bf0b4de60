"""Photos whose numbers do not mean sRGB, and what their colours are in sRGB by arithmetic apart from any profile."""

import struct
import zlib

import numpy as np

# Published matrices from linear light of other displays to that of sRGB.
P3 = np.array([[1.22494, -0.22494, 0.0], [-0.04206, 1.04206, 0.0], [-0.01964, -0.07864, 1.09828]])
ADOBE = np.array([[1.39836, -0.39836, 0.0], [0.0, 1.0, 0.0], [0.0, -0.04293, 1.04293]])
REC2020 = np.array([[1.66049, -0.58764, -0.07285], [-0.12455, 1.13290, -0.00835], [-0.01815, -0.10058, 1.11873]])


def patches() -> np.ndarray:
    """Eight by eight colours ``(64, 64, 3)``, each 8 pixels square, the paler ones inside every gamut."""
    steps = np.linspace(80, 180, 8).astype(np.uint8)
    red, blue = np.meshgrid(steps, steps)
    return np.repeat(np.repeat(np.stack([red, np.full_like(red, 120), blue], axis=-1), 8, axis=0), 8, axis=1)


def srgb_light(values: np.ndarray) -> np.ndarray:
    scaled = values / 255
    return np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)


def in_srgb(light: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Linear light of another display ``(..., 3)``, in the numbers of sRGB."""
    linear = np.clip(light @ matrix.T, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def press_profile(labs: dict[tuple[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """A CMYK profile of a press: the Lab of each of the sixteen overprints of full inks; paper where none is given."""
    header = struct.pack(">I4sI4s4s4s", 0, bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    identity = bytes(range(256))
    inks = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    nodes = b"".join(
        bytes([round(lightness * 2.55), round(a) + 128, round(b) + 128])
        for lightness, a, b in (labs.get(ink, (0.0, 0.0, 0.0) if any(ink) else (100.0, 0.0, 0.0)) for ink in inks)
    )
    matrix = struct.pack(">9i", *(65536 * (place % 4 == 0) for place in range(9)))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + 4 * identity + nodes + 3 * identity
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    start = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", start, len(white), b"A2B0", start + len(white), len(table))
    content = header + tags + white + table
    return struct.pack(">I", len(content)) + content[4:]


def grey_profile(gamma: float) -> bytes:
    """A profile of greys with a plain gamma."""
    header = struct.pack(">I4sI4s4s4s", 0, bytes(4), 0x02400000, b"mntr", b"GRAY", b"XYZ ") + bytes(12) + b"acsp"
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    start = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", start, len(white), b"kTRC", start + len(white), 14)
    content = header + tags + white + curve
    return struct.pack(">I", len(content)) + content[4:]


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with chunks put behind its header."""
    added = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return png[:33] + added + png[33:]


def adobe_rgb_exif(interoperability: bytes = b"R03", space: int = 0xFFFF) -> bytes:
    """What a camera writes into Exif that is set to Adobe RGB: no profile, only a space that is not sRGB and "R03"."""
    head = b"II*\0" + struct.pack("<I", 8)
    main = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    exif = struct.pack("<HHHII", 2, 0xA001, 3, 1, space) + struct.pack("<HHIII", 0xA005, 4, 1, 56, 0)
    interop = struct.pack("<HHHI4sI", 1, 1, 2, 4, interoperability + b"\0", 0)
    return b"Exif\0\0" + head + main + exif + interop
