"""A piece is one source's piece."""

import numpy as np
import pandas as pd
import pytest

from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.naming import find_piece
from saree_cosface.data.check import check_manifest
from saree_cosface.data.importing import import_folder
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.splits import held_together
from saree_cosface.runs.gallery import COLUMNS, Gallery
from tests.helpers.bad_photos import save, textured

ROWS = """path,craft,piece,source,shared_piece
a.png,patola,PAT-001,Asha,
b.png,patola,PAT-001,Asha,
c.png,patola,PAT-001,Meera,
d.png,patola,7,Devi,one
e.png,patola,9,Meera,one
f.png,patola,,Meera,
g.png,patola,one,,
"""
APART = [0, 0, 1, 2, 2, 3, 4]


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "m.csv").write_text(ROWS)
    return read_manifest(tmp_path / "m.csv")


def numbered(names):
    return pd.factorize(pd.Series(list(names)))[0].tolist()


def test_a_number_in_several_sources_is_several_pieces(manifest):
    assert numbered(manifest.pieces) == APART
    assert numbered(held_together(manifest, "piece")) == APART
    assert manifest.piece_names == ["PAT-001"] * 3 + ["one"] * 2 + ["f.png", "one"]


def test_so_it_is_among_references(manifest):
    table = manifest.table.assign(thumbnail="")
    table["piece"] = table["piece"].where(table["piece"] != "", table["path"])
    gallery = Gallery(np.eye(7, dtype=np.float32) * 0.6 + 0.2, table[list(COLUMNS)])
    assert numbered(gallery.piece_of) == APART
    assert gallery.pieces.tolist() == [5]
    assert len(gallery.nearest(np.ones(7, np.float32) / 7**0.5, 7)) == 5


def test_a_gallery_of_before_has_no_shared_pieces(manifest, tmp_path):
    table = manifest.table.assign(thumbnail="")[[name for name in COLUMNS if name != "shared_piece"]]
    Gallery(np.eye(7, dtype=np.float32), table).save(tmp_path / "gallery")
    gallery = Gallery.load(tmp_path / "gallery")
    assert numbered(gallery.piece_of) == [0, 0, 1, 2, 3, 4, 5]


def test_the_fingerprint_knows_what_is_shared_and_no_more(manifest, tmp_path):
    lines = ROWS.splitlines()
    (tmp_path / "none.csv").write_text("\n".join(line.removesuffix("one") for line in lines))
    (tmp_path / "without.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines))
    none, without = (read_manifest(tmp_path / name) for name in ("none.csv", "without.csv"))
    assert none.sha256 == without.sha256 != manifest.sha256


def test_folders_of_two_spellings_of_a_craft_hold_different_pieces(tmp_path):
    for seed, folder in enumerate(("Kanchipuram", "Kanjeevaram")):
        for photo in range(2):
            save(tmp_path / folder / "shop_a" / "1" / f"{photo}.png", textured(80, 60, 2 * seed + photo))
    import_folder(tmp_path, tmp_path / "m.csv")
    manifest = read_manifest(tmp_path / "m.csv")
    assert set(manifest.crafts) == {"kanjivaram"}
    assert len(set(manifest.pieces)) == 2


def test_check_tells_pieces_of_two_sources_apart(tmp_path):
    for seed, name in enumerate("abcdefg"):
        save(tmp_path / f"{name}.png", textured(80, 60, seed))
    (tmp_path / "m.csv").write_text(ROWS.replace("c.png,patola", "c.png,bandhani"))
    kinds = {finding.kind for finding in check_manifest(read_manifest(tmp_path / "m.csv")).findings}
    assert "piece of several crafts" not in kinds
    (tmp_path / "m.csv").write_text(ROWS.replace("e.png,patola", "e.png,bandhani"))
    found = check_manifest(read_manifest(tmp_path / "m.csv")).findings
    assert [each.paths for each in found if each.kind == "piece of several crafts"] == [("d.png", "e.png")]


def test_a_name_of_several_pieces_is_no_name(manifest):
    assert find_piece(manifest, "9") == 4
    with pytest.raises(CurationError, match=r"PAT-001: several sources have .*Asha, Meera\)"):
        find_piece(manifest, "PAT-001")
    with pytest.raises(CurationError, match=r"one: several sources have .*Devi, Meera, an unknown one"):
        find_piece(manifest, "one")


def test_pieces_look_alike_only_within_their_source(tmp_path):
    rows = ["a.png,patola,PAT-001,Asha,", "b.png,patola,pat 001,Meera,", "c.png,patola,pat-001,Asha,"]
    rows += ["d.png,patola,,Asha,Wedding saree", "e.png,patola,,Meera,wedding saree"]
    (tmp_path / "m.csv").write_text("path,craft,piece,source,shared_piece\n" + "\n".join(rows) + "\n")
    found = check_manifest(read_manifest(tmp_path / "m.csv")).findings
    alike = [each.paths for each in found if each.kind == "names that look alike"]
    assert alike == [("a.png", "c.png"), ("d.png", "e.png")]
