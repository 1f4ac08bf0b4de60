import contextlib
import copy
import io
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from saree_cosface.data import images
from saree_cosface.data.images import BadImage, decode, size_and_format
from saree_cosface.data.photos import find_photos, map_files
from saree_cosface.data.refusal import Refused
from tests.helpers import bad_photos as bad


@pytest.mark.parametrize("make", bad.BAD, ids=lambda make: make.__name__)
@pytest.mark.parametrize("shrink_to", [None, 64])
def test_what_is_no_photo_is_refused_with_a_reason(make, shrink_to, tmp_path):
    path = make(tmp_path)
    with pytest.raises(BadImage, match=bad.BAD[make]) as caught:
        decode(path, shrink_to=shrink_to)
    assert caught.value.path == path
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("make", bad.ODD, ids=lambda make: make.__name__)
def test_unusual_photos_decode_to_what_they_show(make, tmp_path):
    pixels = decode(make(tmp_path))
    expected = bad.picture()
    assert pixels.shape == expected.shape
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - expected).mean() < 12
    assert np.abs(pixels[10, 10].astype(int) - (200, 20, 20)).max() < 30  # the red quarter is where it was


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path):
    pixels = decode(bad.sixteen_bit(tmp_path))
    expected = np.rint(np.linspace(0, 65535, 96).astype(np.uint16) / 257)
    np.testing.assert_array_equal(pixels[0, :, 0], expected)
    assert (pixels == pixels[..., :1]).all()


def test_floats_between_zero_and_one_are_greys(tmp_path):
    path = bad.save(tmp_path / "f.tif", np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    assert decode(path)[0, :, 0].tolist() == [0, 128, 255]


def test_transparency_lies_on_white(tmp_path):
    pixels = decode(bad.transparent(tmp_path))
    assert (pixels[:, 48:] == 255).all()
    np.testing.assert_array_equal(pixels[:, :48], bad.picture()[:, :48])


def test_palette_with_a_transparent_colour_lies_on_white(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([9, 9, 9, 200, 0, 0])
    image.putpixel((0, 0), 1)
    image.save(tmp_path / "p.png", transparency=0)
    pixels = decode(tmp_path / "p.png")
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[3, 3].tolist() == [255, 255, 255]


def test_one_pixel_is_a_photo(tmp_path):
    assert decode(bad.one_pixel(tmp_path), shrink_to=64).tolist() == [[[10, 20, 30]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_every_exif_orientation(orientation, suffix, tmp_path):
    undo = {
        **{1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud},
        **{5: lambda p: p.swapaxes(0, 1), 6: np.rot90, 7: lambda p: np.rot90(p, 2).swapaxes(0, 1)},
        8: lambda p: np.rot90(p, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = bad.picture()
    path = bad.save(tmp_path / f"o{suffix}", np.ascontiguousarray(undo[orientation](upright)), exif=exif)
    pixels = decode(path)
    assert pixels.shape == upright.shape
    assert np.abs(pixels.astype(int) - upright).mean() < 8


@pytest.mark.parametrize("make", bad.ODD, ids=lambda make: make.__name__)
def test_size_and_format_are_those_of_the_decoded_photo(make, tmp_path):
    path = make(tmp_path)
    width, height, kind = size_and_format(path)
    assert (height, width) == decode(path).shape[:2]
    assert kind in (*images._FORMATS, "MPO")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "heic"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_size_is_that_of_the_upright_photo(orientation, suffix, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(bad.picture()).save(path, exif=exif.tobytes())
    assert size_and_format(path)[:2] == decode(path).shape[1::-1]
    assert size_and_format(path)[0] == (96 if orientation < 5 else 72)


@pytest.mark.parametrize("make", [bad.zero_byte, bad.html_named_jpg, bad.noise, bad.folder_named_jpg, bad.broken_link])
def test_a_file_without_a_readable_header_has_no_size(make, tmp_path):
    with pytest.raises(BadImage, match=bad.BAD[make]):
        size_and_format(make(tmp_path))


def test_broken_exif_leaves_the_pixels_as_stored(tmp_path):
    path = bad.save(tmp_path / "e.jpg", bad.picture(), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff junk")
    assert decode(path).shape == (72, 96, 3)


def test_an_orientation_that_is_no_number_is_ignored(tmp_path, monkeypatch):
    monkeypatch.setattr(Image.Image, "getexif", lambda self: {0x0112: "sideways"})
    assert decode(bad.save(tmp_path / "e.png", bad.picture())).shape == (72, 96, 3)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(width=st.integers(1, 300), height=st.integers(1, 300), bound=st.integers(1, 200))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_shrinking_bounds_the_short_side_and_keeps_the_aspect(width, height, bound, suffix, tmp_path):
    path = bad.save(tmp_path / f"s{suffix}", bad.picture(max(width, 2), max(height, 2))[:height, :width])
    rows, columns, _ = decode(path, shrink_to=bound).shape
    assert min(rows, columns) == min(bound, width, height)
    factor = min(rows, columns) / min(width, height)
    assert abs(rows - height * factor) <= 0.51
    assert abs(columns - width * factor) <= 0.51


def test_shrinking_a_jpeg_shows_the_same_picture(tmp_path):
    path = bad.save(tmp_path / "big.jpg", bad.picture(1600, 1200), quality=95)
    small = decode(path, shrink_to=60).astype(int)
    exact = np.asarray(Image.fromarray(decode(path)).resize((80, 60), Image.Resampling.LANCZOS)).astype(int)
    assert small.shape == (60, 80, 3)
    assert np.abs(small - exact).mean() < 2


def test_decoding_twice_gives_the_same_pixels(tmp_path):
    path = bad.save(tmp_path / "a.jpg", bad.picture(500, 400))
    np.testing.assert_array_equal(decode(path, shrink_to=100), decode(path, shrink_to=100))


def test_a_bound_below_one_pixel_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        decode(bad.one_pixel(tmp_path), shrink_to=0)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (MemoryError(), "not enough memory"),
        *((error, "cut short") for error in (struct.error("x"), SyntaxError("bad"), RecursionError(), EOFError())),
    ],
)
def test_whatever_a_plugin_raises_becomes_a_bad_image(failure, said, tmp_path, monkeypatch):
    def fail(self):
        raise failure

    path = bad.save(tmp_path / "a.bmp", bad.picture())
    monkeypatch.setattr(Image.Image, "load", fail)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(BadImage, match=said):
        decode(path)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PermissionError(13, "denied"), "no permission"), (OSError(5, "disk error"), "disk error")],
)
def test_files_that_cannot_be_opened(error, reason, tmp_path, monkeypatch):
    path = bad.save(tmp_path / "a.jpg", bad.picture())

    def refuse(self, *args, **kwargs):
        raise error

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(BadImage, match=reason):
        decode(path)


def test_missing_files_and_impossible_names(tmp_path):
    with pytest.raises(BadImage, match="no such file"):
        decode(tmp_path / "nothing.jpg")
    with pytest.raises(BadImage, match=r"file name|no such file"):
        decode(tmp_path / "a\0b.jpg")
    with pytest.raises(BadImage, match="cannot be read"):
        decode(tmp_path / ("x" * 400 + ".jpg"))


def test_a_picture_without_pixels_is_refused(tmp_path):
    with pytest.raises(Refused, match="no pixels"):
        images._pixels(io.BytesIO(), Image.new("RGB", (0, 5)), None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_decode_or_are_refused_and_nothing_else(data, tmp_path):
    suffix = data.draw(st.sampled_from([".jpg", ".png", ".gif", ".tif", ".webp", ".bmp", ".jp2", ".avif", ".heic"]))
    path = tmp_path / f"d{suffix}"
    content = bytearray(bad.save(path, bad.textured(40, 30)).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with contextlib.suppress(BadImage):
        pixels = decode(path, shrink_to=16)
        assert pixels.dtype == np.uint8
        assert pixels.shape[2:] == (3,)


def test_bad_images_cross_process_borders(tmp_path):
    error = copy.copy(BadImage(tmp_path / "a.jpg", "why"))  # goes the way of pickling
    assert (error.path, error.reason) == (tmp_path / "a.jpg", "why")


def test_finding_photos(tmp_path):
    first = bad.save(tmp_path / "b" / "1.jpg", bad.picture())
    second = bad.save(tmp_path / "a dir" / "deep" / "2.PNG", bad.picture(), format="PNG")
    bad.save(tmp_path / ".hidden" / "3.jpg", bad.picture())
    bad.save(tmp_path / "b" / "._4.jpg", bad.picture(), format="JPEG")
    (tmp_path / "b" / "notes.txt").write_text("no photo")
    (tmp_path / "b" / "dangling").symlink_to("nowhere")
    (tmp_path / "b" / "up").symlink_to(tmp_path, target_is_directory=True)
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    bad.save(elsewhere / "5.webp", bad.picture())
    (tmp_path / "c").symlink_to(elsewhere, target_is_directory=True)
    loop, broken, folder = bad.symlink_loop(tmp_path), bad.broken_link(tmp_path), bad.folder_named_jpg(tmp_path)
    photos, wrong = find_photos(tmp_path)
    assert photos == sorted([first, second, tmp_path / "c" / "5.webp"])
    assert [entry.path for entry in wrong] == sorted([loop, broken, folder])


def test_a_folder_that_is_none_or_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(NotADirectoryError, match=r"nothing.*not a folder"):
        find_photos(tmp_path / "nothing")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    photos, wrong = find_photos(tmp_path)
    assert photos == []
    assert "Permission denied" in wrong[0].reason


def test_mapping_keeps_the_order_and_passes_errors_on(tmp_path):
    paths = [tmp_path / str(number) for number in range(50)]
    assert map_files(lambda path: path.name, paths, "Names") == [str(number) for number in range(50)]
    assert map_files(lambda path: path, [], "Nothing") == []
    with pytest.raises(ZeroDivisionError):
        map_files(lambda path: 1 / (int(path.name) - 3), paths, "Dividing")
