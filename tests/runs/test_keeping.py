import hashlib

import numpy as np
from PIL import Image

from saree_cosface.data.images import decode
from saree_cosface.data.profiles import SRGB, coded_profile
from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.keeping import FOLDER, forget_photos, keep_photos
from tests.helpers import bad_photos as bad
from tests.helpers import colours
from tests.helpers.galleries import gallery_of


def test_a_kept_copy_is_srgb_and_says_so(tmp_path):
    photo = bad.save(tmp_path / "iphone.png", colours.patches(), icc_profile=coded_profile(12, 13))
    content = hashlib.sha256(photo.read_bytes()).hexdigest()
    one = gallery_of(1)
    references = one.references.assign(path=str(photo), sha256=content)
    kept = keep_photos(Gallery(one.embeddings, references), tmp_path / "gallery").references
    (copy,) = (tmp_path / "gallery" / FOLDER).iterdir()
    assert kept["path"].tolist() == [str(copy)]
    assert copy.name.startswith(content)
    with Image.open(copy) as image:
        assert image.info["icc_profile"] == SRGB
    seen = decode(photo)[4::8, 4::8].astype(int)
    assert np.abs(seen - colours.patches()[4::8, 4::8]).max() > 8
    assert np.abs(decode(copy)[4::8, 4::8] - seen).mean() < 3
    forget_photos(kept, tmp_path / "gallery")
    assert not copy.exists()
