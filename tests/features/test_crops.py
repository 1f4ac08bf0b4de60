"""Crops of one photograph found in a collection, and remembered."""

import json

import numpy as np
import pytest

from saree_cosface.features import crops
from saree_cosface.features.crops import crops_among, find_crops, known_crops
from saree_cosface.files import sha256_of
from tests.helpers import altered
from tests.helpers import bad_photos as bad


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three photos; the first again as a crop, the second mirrored, and both in a collage."""
    folder = tmp_path_factory.mktemp("crops")
    one, two, three = (
        altered.photo(altered.woven(craft, seed), shop=seed)
        for seed, craft in enumerate(("banarasi", "patola", "bandhani"))
    )
    pictures = {
        "one": one,
        "two": two,
        "three": three,
        "crop": altered.part(one, 0.1, 0.6),
        "mirrored": altered.mirrored(altered.part(two, 0.6, 0.3)),
        "same": three,
    }
    return [bad.save(folder / f"{name}.jpg", pixels, quality=85) for name, pixels in pictures.items()]


def features(*directions, spread=0.1):
    """Of one view each, near a direction each."""
    rng = np.random.default_rng(0)
    towards = np.eye(8)[list(directions)] + spread * rng.normal(size=(len(directions), 8))
    return towards[:, None].astype(np.float32)


def pairs(found):
    return [(crop.first, crop.second, crop.mirrored) for crop in found]


def test_crops_are_found_among_what_is_alike(files):
    found = find_crops(files, features(0, 1, 2, 0, 1, 2))
    assert pairs(found) == [(0, 3, False), (1, 4, True)]  # files of one content are exact copies
    assert min(crop.points for crop in found) > 50
    assert pairs(find_crops(files, features(0, 1, 2, 3, 4, 5))) == []


def test_a_part_is_compared_with_the_whole_of_another(files):
    views = np.stack([features(0, 1, 2, 3, 4, 5)[:, 0], features(3, 6, 6, 6, 6, 6)[:, 0]], axis=1)
    assert pairs(find_crops(files, views)) == [(0, 3, False)]


def test_many_sizes_of_a_photo_do_not_keep_its_crops_away():
    """Seven copies of each of two, as a shop's pages have them, are each other's nearest."""
    near = features(*[0] * 7, *[1] * 7, *list(range(2, 8)) * 8, spread=0.01)[:, 0]
    near[7:14] += 0.9 * near[0]
    found = crops._alike(near[:, None])
    assert any(one < 7 <= other < 14 for one, other in found)


@pytest.mark.slow
def test_the_packaged_network_finds_them(files, tmp_path):
    files = [files[0], bad.zero_byte(tmp_path), *files[1:]]
    assert pairs(crops_among(files, cache=tmp_path)) == [(0, 4, False), (2, 5, True)]


def test_what_is_known_is_not_looked_at_again(files, tmp_path, monkeypatch):
    asked = features(0, 1, 2, 0, 1, 2)
    first = find_crops(files, asked, cache=tmp_path)
    monkeypatch.setattr(crops, "match", lambda *_: pytest.fail("two photos were looked at again"))
    assert find_crops(files, asked, cache=tmp_path) == first
    contents = [sha256_of(path) for path in files]
    assert known_crops(contents, tmp_path) == first
    assert pairs(known_crops(contents[3:] + contents[:1], tmp_path)) == [(0, 3, False)]
    assert known_crops(contents, None) == []
    for entry in tmp_path.rglob("*.json"):
        entry.write_text(json.dumps({"a": 1}))
    monkeypatch.undo()
    assert find_crops(files, asked, cache=tmp_path) == first


def test_no_more_pairs_than_asked_for_are_looked_at_and_it_is_said(files, capsys):
    alike = features(0, 0, 0, 0, 0, 0, spread=0.01)
    assert len(find_crops(files, alike)) == 2
    assert "are alike" not in capsys.readouterr().err
    assert len(find_crops(files, alike, most=1)) <= 1
    assert "are alike; the 1 most alike are looked at" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("count", [0, 1])
def test_few_photos(files, count):
    assert find_crops(files[:count], features(0, 1)[:count]) == []
    assert crops_among(files[:count]) == []


def test_an_interrupted_search_keeps_what_it_has_found(files, tmp_path, monkeypatch):
    real, seen = crops.match, []

    def broken(*both):
        seen.append(both)
        if len(seen) > 1:
            raise KeyboardInterrupt
        return real(*both)

    monkeypatch.setattr(crops, "match", broken)
    with pytest.raises(KeyboardInterrupt):
        find_crops(files, features(0, 1, 2, 0, 1, 2), cache=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == 1
