"""Large photos are decoded at a fraction where that fits into memory, and refused from their header where not."""

import threading

import numpy as np
import pytest
from PIL import Image

from saree_cosface.data import images, memory
from saree_cosface.data.images import BadImage, decode
from saree_cosface.machine.photo_memory import VARIABLE
from tests.helpers import bad_photos as bad

SUFFIXES = [".jpg", ".png", ".webp", ".tif", ".bmp", ".gif", ".jp2", ".heic", ".avif"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pillows_bound_on_pixels_is_not_ours(suffix, tmp_path, monkeypatch):
    path = bad.save(tmp_path / f"a{suffix}", bad.picture())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decode(path).shape == (72, 96, 3)
    with pytest.raises(Image.DecompressionBombError), Image.open(path) as image:
        image.load()  # others, such as the app's uploads, keep it


@pytest.mark.parametrize("suffix", [".jpg", ".jp2"])
def test_a_large_photo_is_decoded_at_a_fraction(suffix, tmp_path, monkeypatch):
    path = bad.save(tmp_path / f"a{suffix}", bad.picture(1603, 1197))
    whole = decode(path, shrink_to=100).astype(int)
    monkeypatch.setenv(VARIABLE, "8MB")
    with pytest.raises(BadImage, match=r"too large \(1603 × 1197\).*more than the 8 MB allowed"):
        decode(path)
    small = decode(path, shrink_to=100)
    assert small.shape == (100, 134, 3)
    assert np.array_equal(small, whole)
    exact = Image.fromarray(bad.picture(1603, 1197)).resize((134, 100), Image.Resampling.LANCZOS)
    assert np.abs(small.astype(int) - np.asarray(exact)).mean() < 3


def test_a_progressive_jpeg_takes_its_whole_size_at_any_fraction(tmp_path, monkeypatch):
    plain = bad.save(tmp_path / "plain.jpg", bad.picture(1600, 1200))
    progressive = bad.save(tmp_path / "progressive.jpg", bad.picture(1600, 1200), progressive=True, subsampling=0)
    apart = tmp_path / "apart.jpg"  # a scan for each colour, as in some baseline JPEGs
    content = plain.read_bytes()
    scan = content.index(b"\xff\xda")
    apart.write_bytes(content[:scan] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + content[scan + 14 :])
    monkeypatch.setenv(VARIABLE, "5MB")
    assert decode(plain, shrink_to=100).shape == (100, 133, 3)
    for path in (progressive, apart):
        with pytest.raises(BadImage, match=r"decoding it takes (13|7) MB"):
            decode(path, shrink_to=100)


def test_the_estimate_counts_what_a_format_needs():
    def need(mode, form, **info):
        image = Image.new(mode, (10, 10))
        image.format = form
        image.info.update(info)
        return memory.memory_needed(image, (1, 1))

    assert need("L", "PNG") < need("RGB", "PNG") < need("RGB", "WEBP") < need("RGBA", "WEBP")
    assert need("P", "PNG") < need("P", "PNG", transparency=0)
    assert need("L", "PNG") < need("I;16", "PNG") < need("F", "TIFF")


@pytest.mark.parametrize("shrink_to", [None, 64])
def test_a_picture_of_bits_counts_as_what_it_becomes(shrink_to, tmp_path):
    path = tmp_path / "bits.png"
    path.write_bytes(bad.png_header(30_000, 30_000, depth=1, colour=0))
    with pytest.raises(BadImage, match=r"30000 × 30000\): decoding it takes (4.5|13.5) GB"):
        decode(path, shrink_to=shrink_to)


def test_large_photos_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    path = bad.save(tmp_path / "a.png", bad.picture(400, 300))
    inside, most = 0, []
    convert = images.to_srgb

    def counted(*arguments):
        nonlocal inside
        inside += 1
        most.append(inside)
        threading.Event().wait(0.02)
        inside -= 1
        return convert(*arguments)

    monkeypatch.setattr(images, "to_srgb", counted)
    for amount, together in (("3MB", False), ("3GB", True)):
        monkeypatch.setenv(VARIABLE, amount)
        most.clear()
        threads = [threading.Thread(target=decode, args=(path,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (max(most) > 1) == together
