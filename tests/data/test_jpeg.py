"""A JPEG of which pixels are lost is refused; what is merely untidy is read, and the pixels are Pillow's."""

import io

import numpy as np
import pytest
from PIL import Image

from saree_cosface.data.check import check_manifest
from saree_cosface.data.images import BadImage, decode
from saree_cosface.data.manifest_file import read_manifest
from tests.helpers import bad_photos as bad

SCAN, END = b"\xff\xda", b"\xff\xd9"


def detailed(width=400, height=300):
    """Pixels of which coded data are long."""
    noise = np.random.default_rng(0).normal(0, 25, (height, width, 3))
    return np.clip(bad.picture(width, height) + noise, 0, 255).astype(np.uint8)


def jpeg(**options):
    stored = io.BytesIO()
    Image.fromarray(detailed()).save(stored, "JPEG", **{"quality": 90, **options})
    return stored.getvalue()


def middle(content):
    return (content.index(SCAN) + len(content)) // 2


def zeroed(content):
    return content[: middle(content)] + bytes(3000) + content[middle(content) + 3000 :]


def scrambled(content):
    noise = np.random.default_rng(1).integers(0, 255, 2000, dtype=np.uint8).tobytes()
    return content[: middle(content)] + noise + content[middle(content) + 2000 :]


def with_a_gap(content):
    return content[: middle(content)] + content[middle(content) + 3000 :]


def cut_and_ended(content):
    return content[: middle(content)] + END


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("damage", [zeroed, scrambled, with_a_gap, cut_and_ended])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=["plain", "progressive", "restarts"]
)
@pytest.mark.parametrize("shrink_to", [None, 40])
def test_lost_pixels_are_noticed(damage, options, shrink_to, tmp_path):
    path = written(tmp_path / "a.jpg", damage(jpeg(**options)))
    with Image.open(path) as image:
        image.load()  # Pillow says nothing
    with pytest.raises(BadImage, match="damaged or cut short: part of the picture is lost"):
        decode(path, shrink_to=shrink_to)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_so_they_are_in_greys_and_inks(mode, tmp_path):
    stored = io.BytesIO()
    Image.fromarray(detailed()).convert(mode).save(stored, "JPEG", quality=95)
    with pytest.raises(BadImage, match="part of the picture is lost"):
        decode(written(tmp_path / "a.jpg", zeroed(stored.getvalue())))


def test_a_good_thumbnail_does_not_hide_it(tmp_path):
    thumbnail = io.BytesIO()
    Image.fromarray(detailed(64, 48)).save(thumbnail, "JPEG")
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    data = exif.tobytes() + thumbnail.getvalue()
    with pytest.raises(BadImage, match="part of the picture is lost"):
        decode(written(tmp_path / "a.jpg", with_a_gap(jpeg(exif=data))), shrink_to=40)


def test_a_progressive_jpeg_without_its_last_scans_is_only_blurred_and_refused(tmp_path):
    whole = jpeg(progressive=True)
    places = [place for place in range(len(whole)) if whole.startswith(SCAN, place)]
    assert len(places) > 5
    for place in (places[1], places[-1]):
        segment = whole.rfind(b"\xff\xc4", 0, place)  # the table that belongs to the scan
        with pytest.raises(BadImage, match="last scans are missing"):
            decode(written(tmp_path / "a.jpg", whole[:segment] + END))
    assert decode(written(tmp_path / "a.jpg", whole)).shape == (300, 400, 3)


UNTIDY = {
    "bytes behind the end": lambda content: content + bytes(1000),
    "another picture behind the end": lambda content: content + jpeg(quality=30),
    "padding before the end": lambda content: content[:-2] + bytes(500) + END,
    "two bytes before the end": lambda content: content[:-2] + b"\x12\x34" + END,
    "filled markers": lambda content: content[:-2] + b"\xff\xff\xff" + END,
    "a later JFIF": lambda content: content.replace(b"JFIF\0\1\1", b"JFIF\0\3\1", 1),
}


@pytest.mark.parametrize("name", UNTIDY)
@pytest.mark.parametrize("progressive", [False, True])
def test_untidy_files_are_read(name, progressive, tmp_path):
    content = jpeg(progressive=progressive)
    untidy = UNTIDY[name](content)
    assert untidy != content
    expected = decode(written(tmp_path / "whole.jpg", content))
    np.testing.assert_array_equal(decode(written(tmp_path / "untidy.jpg", untidy)), expected)


def test_many_bytes_left_over_that_are_no_padding_are_pixels(tmp_path):
    content = jpeg()
    with pytest.raises(BadImage, match="extraneous bytes"):
        decode(written(tmp_path / "a.jpg", content[:-2] + bytes(range(1, 200)) + END))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": "4:2:2"}])
@pytest.mark.parametrize("eighths", [8, 4, 2, 1])
def test_the_pixels_are_pillows(mode, options, eighths, tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(detailed(397, 301)).convert(mode).save(path, quality=85, **options)
    with Image.open(path) as image:
        image.draft(None, (397 * eighths // 8, 301 * eighths // 8))
        expected = np.asarray(image.convert("RGB"))
    # Twice a short side that needs no further resizing.
    loaded = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saree_cosface.data.images.to_srgb", lambda image, *_: loaded.append(image) or image)
        patch.setattr("saree_cosface.data.images._scaled", lambda *_: (397 * eighths // 8, 301 * eighths // 8))
        decode(path, shrink_to=None if eighths == 8 else 20)
    np.testing.assert_array_equal(np.asarray(loaded[0].convert("RGB")), expected)


def test_data_check_lists_it(tmp_path):
    (tmp_path / "photos").mkdir()
    written(tmp_path / "photos" / "grey.jpg", zeroed(jpeg()))
    (tmp_path / "manifest.csv").write_text("path,craft,source\nphotos/grey.jpg,patola,shop\n")
    report = check_manifest(read_manifest(tmp_path / "manifest.csv"))
    assert report.findings[0].kind == "unreadable"
    assert "part of the picture is lost" in report.findings[0].message
