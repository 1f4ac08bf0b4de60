import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saree_cosface.data.images import BadImage, decode
from saree_cosface.faces.images import SIZE, NotAligned, crop_face, decode_bytes, load_faces
from tests.helpers import bad_photos as bad
from tests.helpers.real_faces import FACES, needs_faces


def face(seed, width=112, height=112):
    return bad.textured(width, height, seed)


@pytest.fixture
def photos(tmp_path):
    """Twelve aligned faces, without loss."""
    return [bad.save(tmp_path / "photos" / f"p{i % 3}" / f"{i}.png", face(i)) for i in range(12)]


def never(*args, **kwargs):
    raise AssertionError("decoded again")


def test_the_narrow_crop_is_columns_8_to_103():
    wide = np.zeros((112, 112, 3), np.uint8)
    wide += np.arange(112, dtype=np.uint8)[:, None]
    crop = crop_face(wide)
    assert crop.shape == (112, 96, 3)
    assert crop[0, :, 0].tolist() == list(range(8, 104))
    np.testing.assert_array_equal(crop_face(crop), crop)
    np.testing.assert_array_equal(crop_face(wide, (112, 112)), wide)


def test_a_grey_face_becomes_rgb():
    grey = face(1)[..., 0]
    assert crop_face(grey).shape == (112, 96, 3)
    np.testing.assert_array_equal(crop_face(grey, (112, 112)), np.dstack([grey] * 3))


@pytest.mark.parametrize("shape", [(250, 250, 3), (250, 250), (112, 92, 3), (96, 112, 3), (224, 224, 3)])
@pytest.mark.parametrize("size", [(112, 96), (112, 112)])
def test_what_is_not_aligned_is_said_to_be_so(shape, size):
    with pytest.raises(
        NotAligned, match=f"{shape[1]} × {shape[0]} pixels, not a face aligned.*saree-cosface faces align"
    ):
        crop_face(np.zeros(shape, np.uint8), size)


def test_a_narrow_face_cannot_be_widened():
    with pytest.raises(NotAligned, match="96 × 112 pixels, not a face aligned to 112 × 112"):
        crop_face(np.zeros((112, 96, 3), np.uint8), (112, 112))


def test_other_sizes_and_shapes_are_mistakes_of_the_caller():
    with pytest.raises(ValueError, match="size is"):
        crop_face(face(1), (112, 100))
    with pytest.raises(ValueError, match=r"\(112, 112, 4\)"):
        crop_face(np.zeros((112, 112, 4), np.uint8))
    with pytest.raises(ValueError, match="no face images"):
        load_faces([])


@pytest.mark.parametrize("size", [SIZE, (112, 112)])
def test_faces_come_in_order_with_and_without_a_cache(size, photos, tmp_path):
    expected = np.stack([crop_face(decode(path), size) for path in photos])
    for cache in (None, tmp_path / "cache"):
        faces = load_faces(photos, size, cache=cache, progress=False)
        np.testing.assert_array_equal(faces.pixels, expected)
        assert faces.rows.tolist() == list(range(12))
        assert faces.bad == ()
        with pytest.raises(ValueError, match="read-only"):
            faces.pixels[0] = 0


def test_the_cache_is_a_memory_map_that_spares_decoding(photos, tmp_path, monkeypatch):
    first = load_faces(photos, cache=tmp_path / "cache", progress=False)
    monkeypatch.setattr("saree_cosface.faces.images.decode", never)
    second = load_faces(photos, cache=tmp_path / "cache")
    assert isinstance(second.pixels, np.memmap)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    with pytest.raises(AssertionError, match="decoded again"):
        load_faces(photos[:-1], cache=tmp_path / "cache", progress=False)


def test_what_another_decoder_made_is_not_taken(photos, tmp_path, monkeypatch):
    load_faces(photos, cache=tmp_path, progress=False)
    monkeypatch.setattr("saree_cosface.faces.images.DECODER", 0)
    monkeypatch.setattr("saree_cosface.faces.images.decode", never)
    with pytest.raises(AssertionError, match="decoded again"):
        load_faces(photos, cache=tmp_path, progress=False)


def test_a_changed_photo_is_decoded_anew(photos, tmp_path):
    load_faces(photos, cache=tmp_path, progress=False)
    bad.save(photos[3], face(99))
    faces = load_faces(photos, cache=tmp_path, progress=False)
    np.testing.assert_array_equal(faces.pixels[3], crop_face(face(99)))
    # The same size in bytes, at another time.
    state = photos[4].stat()
    content = photos[4].read_bytes()
    photos[4].write_bytes(b"x" * len(content))
    os.utime(photos[4], ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert [error.path for error in load_faces(photos, cache=tmp_path, progress=False).bad] == [photos[4]]


@pytest.mark.parametrize("harm", ["cut", "grown", "gone", "no json", "other json", "beyond"])
def test_a_damaged_cache_is_made_again(harm, photos, tmp_path):
    cache = tmp_path / "cache"
    photos[2].write_bytes(b"")
    before = load_faces(photos, cache=cache, progress=False)
    sound = before.pixels.copy()  # what is mapped changes with the file
    pixels, listing = sorted(cache.rglob("*.rgb")), sorted(cache.rglob("*.json"))
    assert len(pixels) == len(listing) == 1
    match harm:
        case "cut":
            pixels[0].write_bytes(pixels[0].read_bytes()[:-1])
        case "grown":
            pixels[0].write_bytes(pixels[0].read_bytes() + b"x")
        case "gone":
            pixels[0].unlink()
        case "no json":
            listing[0].write_text("{")
        case "other json":
            listing[0].write_text("[1, 2]")
        case "beyond":
            listing[0].write_text(json.dumps({"bad": {"500": "why"}}))
    after = load_faces(photos, cache=cache, progress=False)
    np.testing.assert_array_equal(after.pixels, sound)
    assert after.rows.tolist() == before.rows.tolist()


def test_an_interrupted_decoding_leaves_nothing(photos, tmp_path, monkeypatch):
    def interrupt(path):
        if path == photos[7]:
            raise KeyboardInterrupt
        return decode(path)

    monkeypatch.setattr("saree_cosface.faces.images.decode", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_faces(photos, cache=tmp_path / "cache", progress=False)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_full_disk_leaves_nothing(photos, tmp_path, full_disk):
    with full_disk(100_000), pytest.raises(OSError, match=r"\.rgb"):
        load_faces(photos, cache=tmp_path / "cache", progress=False)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_bad_photos_are_listed_and_remembered(photos, tmp_path):
    photos[0].write_bytes(photos[0].read_bytes()[:3000])
    bad.save(photos[5], face(5, 250, 250))
    photos[11].unlink()
    for _ in range(2):
        faces = load_faces(photos, cache=tmp_path / "cache", progress=False)
        assert faces.rows.tolist() == [1, 2, 3, 4, 6, 7, 8, 9, 10]
        assert [error.path for error in faces.bad] == [photos[0], photos[5], photos[11]]
        assert "cut short" in faces.bad[0].reason
        assert "250 × 250 pixels, not a face aligned" in faces.bad[1].reason
        assert "no such file" in faces.bad[2].reason
        np.testing.assert_array_equal(faces.pixels[4], crop_face(decode(photos[6])))


def test_a_photo_that_was_absent_is_found_later(photos, tmp_path):
    content = photos[1].read_bytes()
    photos[1].unlink()
    assert len(load_faces(photos, cache=tmp_path / "cache", progress=False).rows) == 11
    photos[1].write_bytes(content)
    assert len(load_faces(photos, cache=tmp_path / "cache", progress=False).rows) == 12


def test_a_folder_of_unaligned_photos_is_refused_at_once(tmp_path, monkeypatch):
    photos = [bad.save(tmp_path / f"{i}.png", face(i, 250, 250)) for i in range(6)]
    photos[0].write_bytes(b"")
    monkeypatch.setattr("saree_cosface.faces.images._BLOCK", 3)
    with pytest.raises(NotAligned, match=r"1\.png: is 250 × 250 pixels, .*none of the first 3 photos") as error:
        load_faces(photos, cache=tmp_path / "cache", progress=False)
    assert error.value.path == photos[1]
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_folder_without_one_readable_photo(tmp_path):
    with pytest.raises(BadImage, match="nothing.jpg: no such file"):
        load_faces([tmp_path / "nothing.jpg"], progress=False)


def test_unusual_but_sound_images(tmp_path):
    grey = bad.save(tmp_path / "grey.png", face(1)[..., 0])
    path = tmp_path / "cmyk.jpg"
    Image.fromarray(face(2)).convert("CMYK").save(path, quality=95)
    faces = load_faces([grey, path], (112, 112), progress=False)
    np.testing.assert_array_equal(faces.pixels[0], np.dstack([face(1)[..., 0]] * 3))
    assert np.abs(faces.pixels[1].astype(int) - face(2)).mean() < 12


def test_bytes_are_decoded_like_files_and_kept_by_content(photos, tmp_path, monkeypatch):
    contents = [path.read_bytes() for path in photos]
    from_files = load_faces(photos, progress=False)
    from_bytes = load_faces(contents, cache=tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(from_bytes.pixels, from_files.pixels)
    monkeypatch.setattr("saree_cosface.faces.images.decode", never)
    load_faces(contents, cache=tmp_path / "cache", progress=False)
    with pytest.raises(AssertionError, match="decoded again"):
        load_faces(contents[::-1], cache=tmp_path / "cache", progress=False)


def test_bad_bytes_are_called_by_their_position(photos):
    faces = load_faces([photos[0].read_bytes(), b"junk", b""], progress=False)
    assert [str(error.path) for error in faces.bad] == ["1", "2"]
    assert ["not a photo" in faces.bad[0].reason, "empty" in faces.bad[1].reason] == [True, True]
    with pytest.raises(BadImage, match="the third: not a photo"):
        decode_bytes(b"junk", Path("the third"))


@pytest.mark.slow
@needs_faces
@pytest.mark.photos
def test_every_photo_of_lfw_is_an_aligned_face(tmp_path):
    files = sorted((FACES / "lfw_aligned").glob("*/*.jpg"))[:1000]
    faces = load_faces(files, cache=tmp_path, progress=False)
    assert faces.pixels.shape == (1000, 112, 96, 3)
    assert faces.bad == ()
