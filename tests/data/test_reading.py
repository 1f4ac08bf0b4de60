"""Photos read once before they are dealt out."""

from saree_cosface.data.duplicates import BITS, near_duplicate_pairs
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.reading import read_photos, say_lost
from saree_cosface.files import sha256_of
from tests.helpers import bad_photos as bad


def test_what_cannot_be_read_or_has_changed_is_left_out_and_copies_are_found(tmp_path):
    original = bad.save(tmp_path / "a.png", bad.textured(300, 200))
    copy = bad.save(tmp_path / "b.jpg", bad.textured(300, 200), quality=60)
    other = bad.save(tmp_path / "c.png", bad.textured(300, 200, seed=1))
    changed = bad.save(tmp_path / "d.png", bad.textured(300, 200, seed=2))
    files = [original, bad.truncated(tmp_path), copy, other, changed, tmp_path / "gone.jpg"]
    found = read_photos(files, ["", "", sha256_of(copy).upper(), "", sha256_of(other), sha256_of(other)])
    assert found.rows.tolist() == [0, 2, 3]
    assert found.sha256.tolist() == [sha256_of(path) for path in (original, copy, other)]
    assert near_duplicate_pairs(found.hashes).tolist() == [[0, 1]]
    truncated, replaced, gone = found.bad
    assert (truncated.path, gone.reason) == (files[1], "no such file")
    assert replaced.path == changed
    assert replaced.reason.startswith("changed since its checksum was recorded; restore it")


def test_where_nothing_can_be_read(tmp_path):
    for files in ([], [tmp_path / "gone.jpg"]):
        found = read_photos(files, [""] * len(files))
        assert (found.rows.shape, found.sha256.shape, found.hashes.shape) == ((0,), (0,), (0, BITS))
        assert all(isinstance(each, BadImage) for each in found.bad)


def test_crafts_of_which_nothing_is_left_are_named(tmp_path, capsys):
    (tmp_path / "m.csv").write_text("path,craft\na.jpg,patola\nb.jpg,jamdani\n")
    manifest = read_manifest(tmp_path / "m.csv")
    assert say_lost(manifest, manifest) == ()
    assert capsys.readouterr().err == ""
    assert say_lost(manifest, manifest.select([1])) == ("patola",)
    assert "Not one photo of patola could be read" in capsys.readouterr().err
