"""Files that are, or are not, those that a run learned from."""

from pathlib import Path

import pytest
from PIL import Image

from saree_cosface.answers.collection import see
from saree_cosface.data.content import CHANGED
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.files import sha256_of
from saree_cosface.pages.examples import example_photos
from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.keeping import FOLDER, keep_photos
from saree_cosface.runs.originals import originals, recorded, require_original
from saree_cosface.runs.references import build_gallery
from saree_cosface.scoring.probes import unseen_probes
from tests.helpers.bad_photos import save, textured
from tests.helpers.galleries import gallery_of
from tests.helpers.moved import moved_run


@pytest.fixture
def run(tiny_run, tmp_path):
    return moved_run(tiny_run, tmp_path)


def replace_photo(path):
    """Another cloth in the place of a photo."""
    Image.fromarray(textured(96, 72, 5)).save(path)


def test_another_file_in_the_place_of_a_reference(run):
    path, sha256 = (run.gallery.references[column][0] for column in ("path", "sha256"))
    require_original(Path(path), sha256)
    replace_photo(path)
    with pytest.raises(BadImage, match=CHANGED):
        require_original(Path(path), sha256)
    Path(path).unlink()
    with pytest.raises(BadImage, match="no such file"):
        require_original(Path(path), sha256)


def test_a_copy_that_was_kept_has_a_checksum_of_its_own(tmp_path):
    photo = save(tmp_path / "a.png", textured(64, 64))
    one = gallery_of(1)
    listed = one.references.assign(path=str(photo), sha256=sha256_of(photo))
    kept = Path(keep_photos(Gallery(one.embeddings, listed), tmp_path).references["path"][0])
    require_original(kept, sha256_of(photo))
    with pytest.raises(BadImage, match=CHANGED):
        require_original(kept, "cd" * 32)
    replace_photo(kept)
    with pytest.raises(BadImage, match=f"{CHANGED}; take the enrolment back"):
        require_original(kept, sha256_of(photo))


def test_photos_of_a_store_that_names_them_by_content_are_compared_too(tmp_path):
    photo = save(tmp_path / FOLDER / "a.jpg", textured(64, 64))
    sha256 = sha256_of(photo)
    named = photo.rename(photo.with_name(f"{sha256}.jpg"))
    require_original(named, sha256)
    replace_photo(named)
    with pytest.raises(BadImage, match=CHANGED):
        require_original(named, sha256)


def test_what_a_manifest_does_not_say_the_run_does(run, tmp_path):
    learned = read_manifest(run.folder / "manifest.csv", taxonomy=None)
    assert recorded(run, learned).tolist() == [sha256_of(path) for path in learned.files()]
    paths = [*learned.table["path"][:2], "new.jpg"]
    rows = [f"{path},chanderi,{sha256}" for path, sha256 in zip(paths, ["", "ff", ""], strict=True)]
    (tmp_path / "m.csv").write_text("\n".join(["path,craft,sha256", *rows]) + "\n")
    asked = read_manifest(tmp_path / "m.csv")
    assert recorded(run, asked).tolist() == [sha256_of(paths[0]), "ff", ""]
    kept, bad = originals(run, asked)
    assert kept.table["path"].tolist() == [paths[0], "new.jpg"]
    assert [str(each.path) for each in bad] == paths[1:2]
    (run.folder / "manifest.csv").unlink()
    assert recorded(run, asked)[0] in (sha256_of(paths[0]), "")  # references are known still


def test_replaced_photos_are_neither_scored_nor_shown(run, tmp_path, tiny_cache, capsys):
    manifest = read_manifest(run.folder / "manifest.csv", taxonomy=None)
    parts = manifest.table["split"].to_numpy(str)
    held_out = manifest.select(parts == "test")
    first = held_out.files()[0]
    assert first in [path for path, _ in example_photos(run, tmp_path)]
    craft = str(held_out.crafts[0])
    gone = [path for path, other in zip(held_out.files(), held_out.crafts, strict=True) if other == craft][1:]
    replace_photo(first)
    for path in gone:
        path.unlink()
    probes = unseen_probes(run, manifest, cache=tiny_cache)
    assert probes.skipped[CHANGED] == 1
    assert probes.bad[0].path == first
    assert not {first, *gone} & set(probes.manifest.files())
    if gone:
        assert probes.lost == (craft,)
        assert f"Not one photo of {craft} could be read" in capsys.readouterr().err
    collection = see(run, manifest, cache=tiny_cache)
    assert {each.path for each in collection.bad} == {first, *gone}
    assert len(collection) == len(manifest) - 1 - len(gone)
    assert first not in [path for path, _ in example_photos(run, tmp_path)]


def test_a_replaced_photo_is_no_reference(run, tiny_cache):
    manifest = read_manifest(run.folder / "manifest.csv", taxonomy=None).select([0, 1, 2])
    replace_photo(manifest.files()[1])
    gallery, bad = build_gallery(run.embedder, manifest, cache=tiny_cache)
    assert gallery.references["path"].tolist() == [str(manifest.files()[row]) for row in (0, 2)]
    assert len(gallery.embeddings) == 2
    assert bad[0].reason.startswith(CHANGED)
