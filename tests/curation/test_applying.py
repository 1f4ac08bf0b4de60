"""The manifest that decisions make: labels, pieces, photos left out, and photos that are others now."""

import json

import pytest

from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.versions import apply_log
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.files import sha256_of
from tests.helpers.bad_photos import save, textured
from tests.helpers.decided import ROWS, about, labels


def test_pieces_become_one_whatever_the_order(log, manifest):
    about(log, "merge", "museum/d.jpg", others=["shop/c.jpg"])
    table = read_manifest(manifest, on_unknown="keep").table
    write_manifest(table.assign(source="shop"), manifest)
    applied, _ = apply_log(log, manifest)
    assert applied.after.table["piece"].tolist() == ["s1", "s2", "shop/c.jpg", "s4", "shop/c.jpg"]
    about(log, "merge", "shop/c.jpg", others=["s2", "s1"])
    applied, _ = apply_log(log, manifest)
    assert applied.after.table["piece"].tolist() == ["s1", "s1", "s1", "s4", "s1"]
    assert applied.straddling == applied.mixed == ("s1",)
    assert [change.before for change in applied.changes] == ["s2", "", ""]
    assert all([entry.number for entry in change.entries] == [2, 3] for change in applied.changes)
    left_out = about(log, "exclude", "b.jpg")
    changes = apply_log(log, manifest)[0].changes  # a photo that leaves joins nothing
    assert [change.kind for change in changes if change.photo == "shop/b.jpg"] == ["exclude"]
    log.undo(left_out.number, by="A", over=True)
    log.undo(2, by="A", over=True)
    assert apply_log(log, manifest)[0].after.table["piece"].tolist() == ["s1", "s1", "s1", "s4", ""]


def test_what_several_sources_photographed_is_said_apart_from_their_own_numbers(log, manifest):
    about(log, "merge", "museum/d.jpg", others=["shop/c.jpg", "s1"])
    applied, _ = apply_log(log, manifest)
    together = ["shop/a.jpg", "", "shop/a.jpg", "", "shop/a.jpg"]
    assert applied.after.table["piece"].tolist() == ["s1", "s2", "", "s4", ""]
    assert applied.after.table["shared_piece"].tolist() == together
    assert len(set(applied.after.pieces)) == 3
    write_manifest(applied.after.table, manifest)
    about(log, "merge", "shop/b.jpg", others=["shop/a.jpg"])
    assert apply_log(log, manifest)[0].after.table["shared_piece"][1] == "shop/a.jpg"


def test_a_relabelled_photo_leaves_its_saree_between_two_traditions(log, manifest):
    table = read_manifest(manifest, on_unknown="keep").table
    table["piece"], table["craft"] = "s1", "jamdani"
    write_manifest(table, manifest)
    about(log, "comment", "b.jpg")
    assert apply_log(log, manifest)[0].mixed == ()
    about(log, "relabel", "b.jpg", craft="leheriya")
    applied, _ = apply_log(log, manifest)
    assert applied.mixed == ("s1",)
    assert applied.straddling == ()  # as it was before; nobody merged it


def test_a_photo_that_is_another_file_now(log, manifest, tmp_path, call):
    about(log, "exclude", "a.jpg")
    about(log, "relabel", "b.jpg", craft="patola")
    save(manifest.parent / "shop" / "a.jpg", textured(seed=77))
    with pytest.raises(CurationError, match="1 decided on with another file than there is now"):
        apply_log(log, manifest)
    applied, _ = apply_log(log, manifest, leave_changed=True)
    assert (labels(applied)["shop/a.jpg"], labels(applied)["shop/b.jpg"], len(applied.changed)) == (
        "jamdani",
        "patola",
        1,
    )
    code, _, err = call(log.path, "diff", manifest)
    assert (code, "whose file is another one now, which stay as they are: 1" in err) == (0, True)
    about(log, "exclude", "a.jpg")  # the new one too
    assert "shop/a.jpg" not in labels(apply_log(log, manifest)[0])
    (manifest.parent / "shop" / "a.jpg").unlink()  # photos need not be at hand
    assert "shop/a.jpg" not in labels(apply_log(log, manifest)[0])


def test_photos_under_other_names(log, manifest, tmp_path):
    about(log, "relabel", "a.jpg", craft="patola")
    about(log, "duplicate", "b.jpg", others=["museum/c.jpg"])
    for name in ("a", "b"):
        (manifest.parent / "shop" / f"{name}.jpg").rename(manifest.parent / "shop" / f"{name}{name}.jpg")
    manifest.write_text(
        ROWS.replace("shop/a.", "shop/aa.").replace("shop/b.", "shop/bb.").replace("museum/c", "museum/cc")
    )
    with pytest.raises(CurationError, match="none of the 2 photos decided on .* --by-content"):
        apply_log(log, manifest)
    applied, _ = apply_log(log, manifest, by_content=True)
    assert labels(applied)["shop/aa.jpg"] == "patola"
    # The one to be kept is not there, so that this one stays.
    assert [entry.photo for entry in applied.missing] == ["shop/b.jpg"]
    assert "shop/bb.jpg" in labels(applied)


def test_a_run_tells_which_photos_are_of_the_test_part(log, manifest, tmp_path):
    about(log, "exclude", "a.jpg")
    about(log, "exclude", "shop/c.jpg")
    (tmp_path / "run").mkdir()
    with pytest.raises(CurationError, match="not the parts of a finished run"):
        apply_log(log, manifest, run=tmp_path / "run")
    parts = {"used": {sha256_of(manifest.parent / "shop" / "a.jpg"): "test"}}
    (tmp_path / "run" / "parts.json").write_text(json.dumps(parts))
    applied, _ = apply_log(log, manifest, run=tmp_path / "run")
    assert {change.photo: change.part for change in applied.changes} == {"shop/a.jpg": "test", "shop/c.jpg": "unknown"}
    assert applied.test_photos_changed == 1
    assert apply_log(log, manifest)[0].counts["exclude"] == {
        "train": 1,
        "validation": 0,
        "test": 1,
        "unused": 0,
        "unknown": 0,
    }


def test_photos_that_nobody_decided_on_stay_as_they_are(log, manifest):
    about(log, "relabel", "a.jpg", craft="patola")
    about(log, "defer", "shop/c.jpg")
    about(log, "comment", "museum/c.jpg")
    applied, _ = apply_log(log, manifest)
    rows = applied.before.table["path"] != "shop/a.jpg"
    assert applied.after.table[rows].equals(applied.before.table[rows])
    assert (applied.test_photos_changed, applied.deferred) == (0, 1)


def test_nothing_is_left(log, manifest, tmp_path, call):
    for photo in ("a.jpg", "b.jpg", "shop/c.jpg", "museum/c.jpg", "d.jpg"):
        about(log, "exclude", photo)
    code, _, err = call(log.path, "apply", manifest, "--out", tmp_path / "new.csv")
    assert (code, "no photo would be left" in err) == (1, True)
    assert not (tmp_path / "new.csv").exists()
