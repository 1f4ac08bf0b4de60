"""Files that were emptied in part are refused, in formats whose decoders do not notice."""

import numpy as np
import pytest
from PIL import Image

from saree_cosface.data.images import BadImage, decode
from tests.helpers import altered
from tests.helpers import bad_photos as bad


@pytest.fixture(scope="module")
def woven():
    return altered.photo(altered.woven("banarasi", 0), shop=0)


FORMATS = [
    (".webp", {"quality": 90}),
    (".webp", {"lossless": True}),
    (".heic", {"quality": 90}),
    (".avif", {"quality": 90}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "options"), FORMATS)
@pytest.mark.parametrize("where", ["middle", "end"])
def test_a_part_of_zeros_is_no_picture(suffix, options, where, woven, tmp_path):
    path = bad.save(tmp_path / f"a{suffix}", woven, **options)
    assert decode(path).shape == woven.shape
    content = path.read_bytes()
    start = len(content) // 2
    end = start + 4000 if where == "middle" else len(content)
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])
    with pytest.raises(BadImage, match="bytes in a row were lost|damaged"):
        decode(path)


@pytest.mark.parametrize(("suffix", "options"), FORMATS)
@pytest.mark.parametrize("pixels", [np.zeros((600, 800, 3), np.uint8), np.full((600, 800, 3), 255, np.uint8)])
def test_one_colour_is_a_picture(suffix, options, pixels, tmp_path):
    assert decode(bad.save(tmp_path / f"a{suffix}", pixels, **options)).shape == pixels.shape


@pytest.mark.parametrize("suffix", [".webp", ".heic", ".avif"])
def test_space_left_free_in_exif_is_no_loss(suffix, woven, tmp_path):
    exif = Image.Exif()
    exif[0xEA1C] = bytes(2060)
    path = bad.save(tmp_path / f"a{suffix}", woven, exif=exif.tobytes())
    assert decode(path).shape == woven.shape
