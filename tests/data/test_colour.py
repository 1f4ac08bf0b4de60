"""A colour is the same colour whatever numbers a file writes it in."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage.color import lab2rgb

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.profiles import ADOBE_CURVE, ADOBE_RGB, REC709, SRGB, SRGB_CURVE, coded_profile, matrix_profile
from tests.helpers import bad_photos as bad
from tests.helpers import colours

P3_PROFILE = coded_profile(12, 13)
ADOBE_PROFILE = matrix_profile(ADOBE_RGB, ADOBE_CURVE)


def adobe_light(values):
    return (values / 255) ** (563 / 256)


def png(pixels, *chunks):
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "PNG")
    return colours.with_chunks(stored.getvalue(), *chunks)


def apart(pixels, expected):
    """Mean difference in the middle of the patches, away from what JPEG does to their edges."""
    return np.abs(pixels[4::8, 4::8].astype(float) - expected[4::8, 4::8]).mean()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".heic", ".avif"])
@pytest.mark.parametrize("shrink_to", [None, 32])
def test_an_embedded_profile_is_heeded_in_every_format(suffix, shrink_to, tmp_path):
    options = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}, ".heic": {"quality": -1}}
    options[".avif"] = {"quality": 100, "subsampling": "4:4:4"}
    path = bad.save(tmp_path / f"p3{suffix}", colours.patches(), icc_profile=P3_PROFILE, **options.get(suffix, {}))
    expected = colours.in_srgb(colours.srgb_light(colours.patches()), colours.P3)
    pixels = decode(path, shrink_to=shrink_to)
    if shrink_to is not None:
        pixels = pixels.repeat(2, axis=0).repeat(2, axis=1)
    assert apart(colours.patches(), expected) > 3  # what was wrong before
    assert apart(pixels, expected) <= 1


@pytest.mark.parametrize(
    ("profile", "light", "matrix", "wrong"),
    [
        (ADOBE_PROFILE, adobe_light, colours.ADOBE, 4),
        (coded_profile(9, 13), colours.srgb_light, colours.REC2020, 6),
    ],
)
def test_other_gamuts(profile, light, matrix, wrong, tmp_path):
    path = bad.save(tmp_path / "wide.png", colours.patches(), icc_profile=profile)
    expected = colours.in_srgb(light(colours.patches()), matrix)
    assert apart(colours.patches(), expected) > wrong
    assert apart(decode(path), expected) <= 1


def test_photos_tagged_srgb_keep_their_pixels(tmp_path):
    pixels = bad.textured()
    for number, profile in enumerate([SRGB, matrix_profile(REC709, SRGB_CURVE)]):
        path = bad.save(tmp_path / f"{number}.png", pixels, icc_profile=profile)
        np.testing.assert_array_equal(decode(path), pixels)


def test_the_inks_of_a_press_are_what_they_look_like_on_paper(tmp_path):
    labs = {(1, 0, 0, 0): (55, -37, -50), (0, 1, 0, 0): (48, 74, -3), (0, 0, 1, 0): (89, -5, 93)}
    inks = np.zeros((8, 32, 4), np.uint8)
    for number in range(3):
        inks[:, 8 * number : 8 * number + 8, number] = 255
    image = Image.frombytes("CMYK", (32, 8), inks.tobytes())
    for name in ("press.tif", "press.jpg"):
        image.save(tmp_path / name, icc_profile=colours.press_profile(labs))
        pixels = decode(tmp_path / name)[4, 4::8].astype(float)
        expected = [255 * lab2rgb(np.array([[lab]], float), illuminant="D65")[0, 0] for lab in labs.values()]
        assert np.abs(pixels[:3] - np.array(expected)).max() <= 12
        assert np.abs(pixels[3] - 255).max() <= 2
    image.save(tmp_path / "plain.tif")
    assert decode(tmp_path / "plain.tif")[4, 4].tolist() == [0, 255, 255]


def test_a_profile_of_greys(tmp_path):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    expected = colours.in_srgb(np.repeat((ramp[0, :, None] / 255) ** 1.0, 3, axis=1), np.eye(3))
    profile = colours.grey_profile(1.0)
    bad.save(tmp_path / "grey.png", ramp, icc_profile=profile)
    bad.save(tmp_path / "deep.png", ramp.astype(np.uint16) * 257, icc_profile=profile)
    see_through = Image.merge("LA", [Image.fromarray(ramp), Image.new("L", (256, 4), 255)])
    see_through.save(tmp_path / "see-through.png", icc_profile=profile)
    for name in ("grey.png", "deep.png", "see-through.png"):
        assert np.abs(decode(tmp_path / name)[0].astype(float) - expected).max() <= 2


def test_colours_that_are_seen_through_are_converted_and_the_white_stays_white(tmp_path):
    pixels = np.dstack([colours.patches(), np.full((64, 64), 255, np.uint8)])
    pixels[:, 32:] = 0
    shown = decode(bad.save(tmp_path / "a.png", pixels, icc_profile=P3_PROFILE))
    expected = colours.in_srgb(colours.srgb_light(colours.patches()), colours.P3)
    assert apart(shown[:, :32], expected[:, :32]) <= 1
    assert (shown[:, 32:] == 255).all()


def test_a_palette_has_the_profile_of_its_file(tmp_path):
    Image.fromarray(colours.patches()).quantize(64).save(tmp_path / "p.png", icc_profile=P3_PROFILE)
    Image.fromarray(colours.patches()).quantize(64).save(tmp_path / "q.png")
    expected = colours.in_srgb(colours.srgb_light(decode(tmp_path / "q.png")), colours.P3)
    assert apart(decode(tmp_path / "p.png"), expected) <= 1


@pytest.mark.parametrize(
    "profile",
    [
        b"nothing that is a profile",
        P3_PROFILE[:200],
        P3_PROFILE[:128] + bytes(len(P3_PROFILE) - 128),
        colours.press_profile({}),  # of inks, in a picture of lights
        colours.grey_profile(1.0),
    ],
)
def test_a_profile_that_is_broken_or_of_another_space_is_passed_over(profile, tmp_path):
    path = bad.save(tmp_path / "a.png", colours.patches(), icc_profile=profile)
    np.testing.assert_array_equal(decode(path), colours.patches())
    grey = bad.save(tmp_path / "grey.png", colours.patches()[..., 0], icc_profile=P3_PROFILE)
    np.testing.assert_array_equal(decode(grey)[..., 1], colours.patches()[..., 0])


def test_lab(tmp_path):
    lab = ImageCms.profileToProfile(
        Image.fromarray(bad.picture()), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    lab.save(tmp_path / "lab.tif")
    assert np.abs(decode(tmp_path / "lab.tif").astype(int) - bad.picture()).mean() < 4


@pytest.mark.parametrize(
    ("primaries", "transfer", "matrix"),
    [(12, 13, colours.P3), (9, 1, colours.REC2020), (1, 13, np.eye(3)), (2, 2, np.eye(3))],
)
def test_colours_in_code_points(primaries, transfer, matrix, tmp_path):
    expected = colours.in_srgb(colours.srgb_light(colours.patches()), matrix)
    bad.save(
        tmp_path / "n.heic", colours.patches(), quality=-1, color_primaries=primaries, transfer_characteristics=transfer
    )
    coded = (b"cICP", bytes([primaries, transfer, 0, 1]))
    (tmp_path / "n.png").write_bytes(png(colours.patches(), coded))
    saved = bad.save(tmp_path / "n.avif", colours.patches(), quality=100, subsampling="4:4:4").read_bytes()
    box = saved.index(b"colrnclx") + 8
    (tmp_path / "n.avif").write_bytes(saved[:box] + struct.pack(">HH", primaries, transfer) + saved[box + 4 :])
    for name in ("n.heic", "n.png", "n.avif"):
        assert apart(decode(tmp_path / name), expected) <= 2, name


@pytest.mark.parametrize("transfer", [16, 18])
def test_pictures_for_hdr_screens_are_refused(transfer, tmp_path):
    bad.save(tmp_path / "h.heic", bad.picture(), color_primaries=9, transfer_characteristics=transfer)
    (tmp_path / "h.png").write_bytes(png(bad.picture(), (b"cICP", bytes([9, transfer, 0, 1]))))
    for name in ("h.heic", "h.png"):
        with pytest.raises(BadImage, match="HDR screens"):
            decode(tmp_path / name)


def test_gamma_and_chromaticities_of_a_png(tmp_path):
    corners = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
    chroma = (b"cHRM", struct.pack(">8I", *(round(1e5 * value) for value in corners)))
    linear, usual = ((b"gAMA", struct.pack(">I", value)) for value in (100_000, 45_455))
    srgb = (b"sRGB", b"\0")
    values = colours.patches()
    cases = {
        "p3": ((chroma, usual), colours.in_srgb(colours.srgb_light(values), colours.P3)),
        "linear": ((linear,), colours.in_srgb(values / 255, np.eye(3))),
        "usual": ((usual,), values),
        "srgb wins": ((srgb, linear, chroma), values),
        "nonsense": (((b"cHRM", bytes(32)), usual), values),
    }
    for name, (chunks, expected) in cases.items():
        (tmp_path / f"{name}.png").write_bytes(png(values, *chunks))
        assert apart(decode(tmp_path / f"{name}.png"), expected) <= 1, name


@pytest.mark.parametrize("deep", [False, True])
def test_gamma_of_greys(deep, tmp_path):
    values = colours.patches()[..., 0]
    stored = io.BytesIO()
    Image.fromarray(values.astype(np.uint16) * 257 if deep else values).save(stored, "PNG")
    linear = (b"gAMA", struct.pack(">I", 100_000))
    (tmp_path / "linear.png").write_bytes(colours.with_chunks(stored.getvalue(), linear))
    expected = colours.in_srgb(values[..., None].repeat(3, axis=2) / 255, np.eye(3))
    assert apart(decode(tmp_path / "linear.png"), expected) <= 1


def jpeg2000_with(pixels, method, profile):
    """A JPEG 2000 file whose colours are stated by a profile in a box, as museums' software writes it."""
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG2000", no_jp2=True)

    def box(name, content):
        return struct.pack(">I4s", 8 + len(content), name) + content

    height, width = pixels.shape[:2]
    size = box(b"ihdr", struct.pack(">IIHBBBB", height, width, 3, 7, 7, 0, 0))
    colour = box(b"colr", bytes([method, 0, 0]) + profile)
    head = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return head + box(b"jp2h", size + colour) + box(b"jp2c", stored.getvalue())


@pytest.mark.parametrize("method", [2, 3])
def test_the_profile_of_a_jpeg_2000_is_heeded(method, tmp_path):
    (tmp_path / "a.jp2").write_bytes(jpeg2000_with(colours.patches(), method, ADOBE_PROFILE))
    expected = colours.in_srgb(adobe_light(colours.patches()), colours.ADOBE)
    assert apart(decode(tmp_path / "a.jp2"), expected) <= 1
    (tmp_path / "b.jp2").write_bytes(jpeg2000_with(colours.patches(), 1, struct.pack(">I", 16)))
    assert apart(decode(tmp_path / "b.jp2"), colours.patches()) == 0


def test_a_narrow_range_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png(bad.picture(), (b"cICP", bytes([1, 13, 0, 0]))))
    with pytest.raises(BadImage, match="narrow range"):
        decode(tmp_path / "a.png")


def test_a_bitmap_whose_fourth_byte_was_left_empty_is_opaque(tmp_path):
    """With a mask for transparency in its header, as some cameras' software writes it."""
    pixels = colours.patches()
    height, width = pixels.shape[:2]
    stored = np.zeros((height, width, 4), np.uint8)
    stored[..., :3] = pixels[::-1, :, ::-1]
    header = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, stored.nbytes, 2835, 2835, 0, 0)
    header += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    file = struct.pack("<2sIHHI", b"BM", 14 + len(header) + stored.nbytes, 0, 0, 14 + len(header))
    (tmp_path / "a.bmp").write_bytes(file + header + stored.tobytes())
    np.testing.assert_array_equal(decode(tmp_path / "a.bmp"), pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_seen_through_in_sixteen_bits_is_white(channels, tmp_path):
    """Pillow writes no such file, so its chunks are put together here."""
    values = np.full((8, 8, channels), 40_000, ">u2")
    values[:4] = 10_280  # 40 in eight bits
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    kind = struct.pack(">IIBBBBB", 8, 8, 16, 0 if channels == 1 else 2, 0, 0, 0)
    through = chunk(b"tRNS", struct.pack(f">{channels}H", *[10_280] * channels))
    body = chunk(b"IHDR", kind) + through + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    found = decode(tmp_path / "a.png")
    assert found[:4].min() == 255
    assert np.abs(found[4:].astype(int) - 156).max() <= 1


@pytest.mark.parametrize(
    ("exif", "adobe"),
    [
        (colours.adobe_rgb_exif(), True),
        (colours.adobe_rgb_exif(b"R98", 1), False),
        (colours.adobe_rgb_exif(b"R03", 1), False),
        (b"Exif\0\0MM\0*\xff\xff R03 junk", False),
    ],
)
def test_cameras_that_say_adobe_rgb_in_exif_alone(exif, adobe, tmp_path):
    options = {"quality": 100, "subsampling": 0}
    path = bad.save(tmp_path / "_DSC0001.jpg", colours.patches(), exif=exif, **options)
    plain = colours.patches().astype(float)
    expected = colours.in_srgb(adobe_light(colours.patches()), colours.ADOBE) if adobe else plain
    assert apart(decode(path), expected) <= 1.5
    # A profile is the better witness.
    tagged = bad.save(tmp_path / "tagged.jpg", colours.patches(), exif=exif, icc_profile=SRGB, **options)
    assert apart(decode(tagged), plain) <= 1.5


def test_the_profile_of_srgb_is_always_the_same_and_names_itself():
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(SRGB)))
    assert SRGB[24:36] == bytes(12)


def test_no_display_has_primaries_on_a_line():
    with pytest.raises(ValueError, match="no display"):
        matrix_profile(((0.3, 0.3), (0.1, 0.1), (0.2, 0.2), (0.4, 0.4)), (2.2,))
