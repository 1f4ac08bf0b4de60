"""How a photo is found by the name that somebody types."""

from saree_cosface.curation.naming import find_photo
from saree_cosface.data.manifest_file import read_manifest


def test_find_photo_knows_files_through_links(manifest, tmp_path, monkeypatch):
    read = read_manifest(manifest, on_unknown="keep")
    monkeypatch.chdir(manifest.parent / "museum")
    assert find_photo(read, "c.jpg") == 3  # the file here
    assert find_photo(read, "./../shop/c.jpg") == find_photo(read, "shop\\c.jpg") == 2
