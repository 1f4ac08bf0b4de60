import json

import pytest

from saree_cosface.scoring.before_after import before_after, read_evaluation
from saree_cosface.scoring.curated import curated, curated_in_words
from saree_cosface.scoring.probes import EvaluationError


def evaluation(answers, *, protocol="source", top=None):
    """A document with as much as is compared: path, label, answer and source of each photo."""
    photos = [
        {"sha256": path, "craft": craft, "answer": answer, "source": source} for path, craft, answer, source in answers
    ]
    right = sum(photo["craft"] == photo["answer"] for photo in photos) / len(photos)
    return {
        "protocol": protocol,
        "run": "run",
        "manifest_sha256": "0" * 64,
        "metrics": {"top1": {"value": right if top is None else top}, "queries": {"count": 3}},
        "photos": photos,
    }


BEFORE = evaluation([("a", "x", "x", "s"), ("b", "x", "y", "t"), ("c", "y", "y", "u"), ("d", "y", "x", "v")])


def test_scores_stand_side_by_side_and_photos_are_counted():
    after = evaluation([("a", "x", "x", "s"), ("b", "y", "y", "t"), ("c", "y", "y", "u"), ("e", "y", "y", "w")])
    found = before_after(BEFORE, after)
    assert found["metrics"] == {"top1": {"before": 0.5, "after": 1.0}}
    assert found["photos"] == {"before": 4, "after": 4, "left": 1, "came": 1, "relabelled": 1, "same": 2}
    # That b is right now is only a matter of its label: on the same photos with one label nothing changed.
    assert (found["same_photos"]["before"], found["same_photos"]["after"], found["same_photos"]["difference"]) == (
        1,
        1,
        0,
    )


def test_the_same_photos_answered_better():
    after = evaluation([("a", "x", "x", "s"), ("b", "x", "x", "t"), ("c", "y", "y", "u"), ("d", "y", "y", "v")])
    same = before_after(BEFORE, after)["same_photos"]
    assert (same["before"], same["after"], same["difference"]) == (0.5, 1.0, 0.5)
    assert 0 <= same["low"] <= 0.5 <= same["high"] <= 1


def test_photos_of_one_source_have_no_interval():
    one = evaluation([("a", "x", "x", "s"), ("b", "x", "y", "s")])
    assert before_after(one, one)["same_photos"] is None


def test_two_protocols_are_not_compared():
    with pytest.raises(EvaluationError, match="was source before and is random now"):
        before_after(BEFORE, {**BEFORE, "protocol": "random"})


def test_an_evaluation_is_read_by_its_folder_or_file(tmp_path):
    (tmp_path / "evaluation.json").write_text(json.dumps(BEFORE))
    assert read_evaluation(tmp_path) == read_evaluation(tmp_path / "evaluation.json") == BEFORE


@pytest.mark.parametrize("text", [None, "{", "[]", '{"protocol": "source"}'])
def test_what_is_no_evaluation_is_refused_by_name(tmp_path, text):
    if text is not None:
        (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(EvaluationError, match="evaluation.json: not an evaluation"):
        read_evaluation(tmp_path / "evaluation.json")


def test_only_the_account_of_this_very_manifest_counts(tmp_path):
    account = {
        "to": {"sha256": "new"},
        "from": {"sha256": "old"},
        "counts": {"relabel": {"test": 1}},
        "test_photos_changed": 1,
    }
    manifest = tmp_path / "manifest-2.csv"
    assert curated(manifest, "new") is None
    (tmp_path / "manifest-2.curation.json").write_text(json.dumps(account))
    found = curated(manifest, "new")
    assert found == {"from": "old", "counts": {"relabel": {"test": 1}}, "test_photos_changed": 1}
    assert curated(manifest, "edited by hand") is None
    assert curated_in_words(found).endswith("1 held-out photo was changed, by people.")
    (tmp_path / "manifest-2.curation.json").write_text("{")
    assert curated(manifest, "new") is None
