"""Which labels somebody answers for."""

import pandas as pd
import pytest

from saree_cosface.curation.confirming import confirmed
from saree_cosface.curation.deciding import decide_about, log_beside, open_log
from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.versions import account, apply_log
from saree_cosface.data.manifest_file import read_manifest


@pytest.fixture
def place(tmp_path):
    """A manifest of six photos, five of them labelled by their captions."""
    for name in "abcdef":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    table = pd.DataFrame({"path": [f"{name}.jpg" for name in "abcdef"], "craft": "patola", "basis": "caption"})
    table.loc[5, "basis"] = "museum"
    table.to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path / "manifest.csv"


def decide(place, *said):
    log, manifest = open_log(log_beside(place), place, by="Asha")
    with log:
        return [decide_about(log, manifest, kind, photo, by="Asha", why="seen", **more) for kind, photo, more in said]


def names(place, rows):
    return "".join(path[0] for path in read_manifest(place).table["path"][rows])


def test_without_a_log_only_what_rests_on_no_caption_counts(place):
    assert names(place, confirmed(read_manifest(place), log_beside(place))) == "f"
    table = pd.read_csv(place).drop(columns="basis")
    table.to_csv(place, index=False)
    assert names(place, confirmed(read_manifest(place), log_beside(place))) == "abcdef"


def test_verdicts_that_say_the_same_confirm_and_others_do_not(place):
    said = [("accept", "a.jpg", {}), ("accept", "b.jpg", {}), ("relabel", "c.jpg", {"craft": "jamdani"})]
    decide(place, *said, ("defer", "d.jpg", {}), ("comment", "e.jpg", {}))
    assert names(place, confirmed(read_manifest(place), log_beside(place))) == "abf"
    (place.parent / "b.jpg").write_bytes(b"another file")
    assert names(place, confirmed(read_manifest(place), log_beside(place))) == "af"


def test_what_was_taken_back_confirms_nothing(place):
    (entry,) = decide(place, ("accept", "a.jpg", {}))
    log, _ = open_log(log_beside(place), place, by="Asha")
    with log:
        log.undo(entry.number, by="Asha")
    assert names(place, confirmed(read_manifest(place), log_beside(place))) == "f"


def test_a_file_that_is_no_log_is_said(place):
    log_beside(place).write_text("no log")
    with pytest.raises(CurationError):
        confirmed(read_manifest(place), log_beside(place))


def test_the_next_version_says_which_labels_a_curator_answers_for(place):
    decide(place, ("accept", "a.jpg", {}), ("relabel", "c.jpg", {"craft": "jamdani"}), ("exclude", "d.jpg", {}))
    log, _ = open_log(log_beside(place), place, by="Asha")
    with log:
        applied, entries = apply_log(log, place)
    table = applied.after.table.set_index("path")
    assert table["basis"].to_dict() == {
        "a.jpg": "curator",
        "b.jpg": "caption",
        "c.jpg": "curator",
        "e.jpg": "caption",
        "f.jpg": "museum",
    }
    assert table["craft"]["c.jpg"] == "jamdani"
    places = {"log": log.path, "path": place, "run": None}
    assert account(applied, entries, place.parent, **places)["confirmed"] == applied.confirmed == 2
    assert [change.kind for change in applied.changes] == ["relabel", "exclude"]


def test_a_manifest_without_the_column_gets_none(place):
    table = pd.read_csv(place).drop(columns="basis")
    table.to_csv(place, index=False)
    decide(place, ("accept", "a.jpg", {}))
    log, _ = open_log(log_beside(place), place, by="Asha")
    with log:
        applied, _ = apply_log(log, place)
    assert "basis" not in applied.after.table
    assert applied.confirmed == 0
