"""TIFFs are read as they say, or refused with the reason; none becomes another picture."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.profiles import ADOBE_CURVE, ADOBE_RGB, matrix_profile
from tests.helpers import tiffs
from tests.helpers.tiffs import GREYS, PICTURE, deep, grey, on_white

ALPHA = tiffs.half_transparent()
INDICES, COLOURS = tiffs.palette()
PALETTE = COLOURS[INDICES].astype(np.uint8)
CMYK = np.asarray(Image.fromarray(PICTURE).convert("CMYK"))
PREMULTIPLIED = np.dstack([PICTURE * (ALPHA[..., None] > 0), ALPHA])
INTERLEAVED, PLANES = {"planarconfig": "contig"}, {"planarconfig": "separate"}
BLACK, WHITE = {"photometric": "minisblack"}, {"photometric": "miniswhite"}
RGB, INKS = {"photometric": "rgb"}, {"photometric": "separated"}
SMALL = {"compression": "zlib"}

READ = {
    "greys": (GREYS, grey(GREYS), BLACK),
    "greys, white is zero": (255 - GREYS, grey(GREYS), WHITE),
    "16 bits": (deep(GREYS, 16), grey(GREYS), BLACK),
    "16 bits, big-endian": (deep(GREYS, 16), grey(GREYS), {**BLACK, "byteorder": ">"}),
    "16 bits, predicted": (deep(GREYS, 16), grey(GREYS), {**BLACK, **SMALL, "predictor": True}),
    "16 bits, white is zero": (65535 - deep(GREYS, 16), grey(GREYS), WHITE),
    "16 bits, compressed, white is zero": (65535 - deep(GREYS, 16), grey(GREYS), {**WHITE, **SMALL}),
    "12 bits in 16": (deep(GREYS, 12), grey(GREYS // 16), BLACK),  # as the file says, which is dark
    "floats": ((GREYS / 255).astype(np.float32), grey(GREYS), BLACK),
    "floats, big-endian": ((GREYS / 255).astype(np.float32), grey(GREYS), {**BLACK, "byteorder": ">"}),
    "floats, white is zero": ((1 - GREYS / 255).astype(np.float32), grey(GREYS), WHITE),
    "bits": (GREYS > 127, grey(255 * (GREYS > 127)), BLACK),
    "bits, white is zero": (GREYS <= 127, grey(255 * (GREYS > 127)), WHITE),
    "RGB": (PICTURE, PICTURE, RGB),
    "RGB, tiles": (PICTURE, PICTURE, {**RGB, "tile": (32, 48)}),
    "RGB, BigTIFF": (PICTURE, PICTURE, {**RGB, "bigtiff": True}),
    "RGB, planes": (PICTURE.transpose(2, 0, 1), PICTURE, {**RGB, **PLANES}),
    "RGB, planes of tiles": (PICTURE.transpose(2, 0, 1), PICTURE, {**RGB, **PLANES, "tile": (32, 32)}),
    "RGB of 16 bits": (deep(PICTURE, 16), PICTURE, RGB),
    "RGB of 16 bits, big-endian": (deep(PICTURE, 16), PICTURE, {**RGB, **SMALL, "byteorder": ">", "predictor": True}),
    "RGB of 16 bits, planes": (deep(PICTURE, 16).transpose(2, 0, 1), PICTURE, {**RGB, **PLANES, **SMALL}),
    "CMYK": (CMYK, PICTURE, {**INKS, **INTERLEAVED}),
    "CMYK, planes": (CMYK.transpose(2, 0, 1), PICTURE, {**INKS, **PLANES}),
    "CMYK of 16 bits": (deep(CMYK, 16), PICTURE, {**INKS, **INTERLEAVED}),
    "palette": (INDICES, PALETTE, {"photometric": "palette", "colormap": COLOURS.T * 257}),
    "palette of 8 bits": (INDICES, PALETTE, {"photometric": "palette", "colormap": COLOURS.T}),
    "alpha": (np.dstack([PICTURE, ALPHA]), on_white(PICTURE, ALPHA), {**RGB, "extrasamples": ["unassalpha"]}),
    "alpha, premultiplied": (PREMULTIPLIED, on_white(PICTURE, ALPHA), {**RGB, "extrasamples": ["assocalpha"]}),
    "a fourth channel of no meaning": (np.dstack([PICTURE, ALPHA]), PICTURE, {**RGB, "extrasamples": ["unspecified"]}),
    "alpha of greys": (
        np.dstack([GREYS, ALPHA]),
        on_white(grey(GREYS), ALPHA),
        {**BLACK, **INTERLEAVED, "extrasamples": ["unassalpha"]},
    ),
}

REFUSED = {
    "signed": ((GREYS // 2).astype(np.int8), BLACK, "signed numbers"),
    "signed, 16 bits": ((deep(GREYS, 16) // 2).astype(np.int16), BLACK, "signed numbers"),
    "32 bits": (deep(GREYS, 32), BLACK, "whole numbers of 32 bits"),
    "32 bits of few values": (deep(GREYS, 16).astype(np.uint32), BLACK, "whole numbers of 32 bits"),
    "RGB of 32 bits": (deep(PICTURE, 32), RGB, r"RGB, 32 bits a channel, 3 channels.*8 or 16 bits"),
    "RGB of floats": ((PICTURE / 255).astype(np.float32), RGB, "RGB, floating-point"),
    "long floats": ((GREYS / 255).astype(np.float64), BLACK, "greys, floating-point"),
    "RGB of 16 bits, bare planes": (deep(PICTURE, 16).transpose(2, 0, 1), {**RGB, **PLANES}, "planes of 16 bits.*LZW"),
    "floats, big-endian": (
        (GREYS / 255).astype(np.float32),
        {**BLACK, **SMALL, "byteorder": ">"},
        "floating-point numbers in big-endian",
    ),
    "16 bits, white is zero, big-endian": (deep(GREYS, 16), {**WHITE, "byteorder": ">"}, "greys, 16 bits"),
    "YCbCr": (PICTURE, {"photometric": "ycbcr", "subsampling": (1, 1)}, "uncompressed YCbCr"),
    "Lab of 16 bits": (deep(PICTURE, 16), {"photometric": "cielab", **INTERLEAVED}, "CIE Lab, 16 bits"),
    "Lab of a profile": (PICTURE, {"photometric": "icclab", **INTERLEAVED}, "ICC Lab"),
    "inks of a shop": (
        CMYK,
        {**INKS, **INTERLEAVED, "extratags": [(332, "H", 1, 2, True)]},
        "printing inks other than",
    ),
    "raw": (deep(GREYS, 16), {"photometric": "cfa"}, "raw picture; develop it"),
    "big-endian BigTIFF": (PICTURE, {**RGB, "bigtiff": True, "byteorder": ">"}, "BigTIFF in big-endian"),
}


def made(path, values, options):
    tifffile.imwrite(path, values, **options)
    return path


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("shrink_to", [None, 36])
def test_what_is_read_is_read_rightly(name, shrink_to, tmp_path):
    values, expected, options = READ[name]
    pixels = decode(made(tmp_path / "a.tif", values, options), shrink_to=shrink_to)
    if shrink_to is not None:
        expected = np.asarray(Image.fromarray(expected.astype(np.uint8)).resize((48, 36), Image.Resampling.LANCZOS))
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < (1 if shrink_to is None else 4)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_rightly_is_refused_with_the_reason(name, tmp_path):
    values, options, reason = REFUSED[name]
    path = made(tmp_path / "a.tif", values, options)
    with pytest.raises(BadImage, match=reason):
        decode(path)


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("fill", [1, 2])
def test_few_bits_are_spread_over_the_greys(bits, white_is_zero, order, fill, tmp_path):
    content, expected = tiffs.packed(bits, white_is_zero=white_is_zero, order=order, fill=fill)
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    if bits == 12 and (white_is_zero or order == ">" or fill == 2):
        with pytest.raises(BadImage, match="greys, 12 bits a channel"):
            decode(path)
    else:
        np.testing.assert_allclose(decode(path), expected, atol=1)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"])
def test_usual_compressions_are_read(compression, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.tif", compression=compression)
    assert np.abs(decode(tmp_path / "a.tif").astype(int) - PICTURE).mean() < 5


@pytest.mark.parametrize("number", [34887, 50001, 12345])
def test_other_compressions_are_named(number, tmp_path):
    path = made(tmp_path / "a.tif", PICTURE, RGB)
    content = path.read_bytes()
    entry = b"\x03\x01\x03\x00\x01\x00\x00\x00"  # tag 259, a short
    at = content.index(entry) + len(entry)
    path.write_bytes(content[:at] + number.to_bytes(2, "little") + content[at + 2 :])
    with pytest.raises(BadImage, match=r"compressed in a way not read here \((LERC|WebP|method 12345)\)"):
        decode(path)


def test_a_thumbnail_before_the_picture_is_not_the_picture(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PICTURE[::4, ::4].copy(), subfiletype=1, **RGB)
        file.write(ALPHA > 0, subfiletype=4, **BLACK)
        file.write(PICTURE, **RGB)
        file.write(255 - PICTURE, **RGB)
    np.testing.assert_array_equal(decode(tmp_path / "a.tif"), PICTURE)


def test_a_thumbnail_that_does_not_say_so_is_not_the_picture(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PICTURE[::4, ::4].copy(), iccprofile=matrix_profile(ADOBE_RGB, ADOBE_CURVE), **RGB)
        file.write(PICTURE, **RGB)
    np.testing.assert_array_equal(decode(tmp_path / "a.tif"), PICTURE)  # nor is its profile that of the picture


def test_of_several_pictures_the_first_is_taken(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PICTURE, **RGB)
        file.write(PICTURE[::4, ::4].copy(), subfiletype=1, **RGB)
        file.write(255 - PICTURE, **RGB)
    np.testing.assert_array_equal(decode(tmp_path / "a.tif"), PICTURE)


def test_a_lone_thumbnail_is_a_picture(tmp_path):
    np.testing.assert_array_equal(decode(made(tmp_path / "a.tif", PICTURE, {**RGB, "subfiletype": 1})), PICTURE)


@pytest.mark.parametrize("below", [True, False])
def test_the_thumbnail_of_a_raw_file_is_refused(below, tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.dng") as file:
        file.write(PICTURE[::4, ::4].copy(), subfiletype=1, subifds=int(below), **RGB)
        file.write(deep(GREYS, 16), photometric="cfa")
    with pytest.raises(BadImage, match="only a thumbnail.*raw picture; develop it"):
        decode(tmp_path / "a.dng")


def test_reduced_pictures_below_a_whole_one_are_passed_over(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PICTURE, subifds=1, tile=(16, 16), **RGB)
        file.write(PICTURE[::2, ::2].copy(), subfiletype=1, tile=(16, 16), **RGB)
    np.testing.assert_array_equal(decode(tmp_path / "a.tif"), PICTURE)
