"""`train`, `evaluate` and `predict`: with a run, without one, with bad photos, and on a full disk."""

import csv
import io
import json
import shutil

import pytest

from tests.helpers.bad_photos import BAD
from tests.helpers.processes import python
from tests.helpers.tiny import CRAFTS, SOME


@pytest.mark.slow
def test_evaluate_and_predict_in_processes_of_their_own(tiny_run, tiny_corpus, tiny_cache, tmp_path):
    """As a user calls them: only --json puts anything on stdout, and nothing clutters stderr."""
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    evaluated = python(
        "-m", "saree_cosface", "evaluate", run, tiny_corpus, "--where", SOME, "--cache", tiny_cache, "--json"
    )
    assert evaluated.returncode == 0, evaluated.stderr
    document = json.loads(evaluated.stdout)
    assert document == json.loads((run / "evaluation" / "source" / "evaluation.json").read_text())
    photos = [entry["path"] for entry in document["photos"]]
    predicted = python("-m", "saree_cosface", "predict", run, *photos, "--json")
    assert predicted.returncode == 0, predicted.stderr
    answers = json.loads(predicted.stdout)["answers"]
    assert [answer["traditions"][0]["craft"] for answer in answers] == [entry["answer"] for entry in document["photos"]]
    for clutter in ("Warning", "INFO", "GPU"):
        assert clutter not in evaluated.stderr + predicted.stderr


def test_training_from_the_command_line_resumes(call, tiny_run, tiny_corpus, tiny_cache):
    config = tiny_run.folder / "config.yaml"
    code, out, err = call("train", "--config", config, "--out", tiny_run.folder)
    assert (code, out) == (1, "")
    assert "--resume" in err
    code, out, err = call("train", "--config", config, "--out", tiny_run.folder, "--resume")
    assert (code, out) == (0, "")
    assert "3 crafts)" in err


@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_predict(call, tiny_run, form):
    photos = tiny_run.gallery.references["path"][:2].tolist()
    code, out, err = call("predict", tiny_run.folder, *photos, "--top", "2", *([form] if form else []))
    assert code == 0
    if form == "--json":
        document = json.loads(out)
        assert [answer["photos"] for answer in document["answers"]] == [[photo] for photo in photos]
        assert all(len(answer["traditions"]) == 2 for answer in document["answers"])
    elif form == "--csv":
        rows = list(csv.DictReader(io.StringIO(out)))
        assert [row["rank"] for row in rows] == ["1", "2"] * 2
        assert rows[0]["craft"] in CRAFTS
    else:
        assert out == ""
        assert "tradition" in err


def test_predict_with_bad_photos_answers_the_rest_and_fails(call, tiny_run, tmp_path):
    bad = [make(tmp_path) for make in BAD if make.__name__ != "folder_named_jpg"]
    good = tiny_run.gallery.references["path"][0]
    code, out, _ = call("predict", tiny_run.folder, *bad, good, tmp_path / "missing.jpg", "--json")
    assert code == 1
    document = json.loads(out)
    assert [answer["photos"] for answer in document["answers"]] == [[good]]
    assert len(document["skipped"]) == len(bad) + 1
    code, out, err = call("predict", tiny_run.folder, *bad[:2], "--piece")
    assert (code, out) == (1, "")
    assert "Skipped" in err


def test_predict_and_evaluate_without_a_run(call, tmp_path, tiny_corpus):
    for arguments in (["predict", tmp_path, "a.jpg"], ["evaluate", tmp_path, tiny_corpus], ["predict", "no/run", "a"]):
        code, out, err = call(*arguments, "--json")
        assert (code, out) == (1, "")
        assert "not a run; give the folder" in err


@pytest.mark.slow
def test_evaluate(call, tiny_run, tiny_corpus, tmp_path):
    code, out, err = call(
        "evaluate", tiny_run.folder, tiny_corpus, "--where", SOME, "--out", tmp_path, "--cache", tmp_path, "--json"
    )
    assert code == 0
    assert json.loads(out)["protocol"] == "source"
    assert "top1" in err
    code, out, err = call("evaluate", tiny_run.folder, tmp_path / "missing.csv")
    assert (code, out) == (1, "")
    assert "no such file" in err


def test_evaluate_on_bad_photos_alone_writes_nothing(call, tiny_run, tiny_cache, tmp_path):
    for make in BAD:
        make(tmp_path)
    rows = [f"{path.name},chanderi,other" for path in sorted(tmp_path.iterdir())]
    (tmp_path / "m.csv").write_text("path,craft,source\n" + "\n".join(rows) + "\n")
    code, out, err = call(
        "evaluate", tiny_run.folder, tmp_path / "m.csv", "--out", tmp_path / "out", "--cache", tiny_cache, "--json"
    )
    assert (code, out) == (1, "")
    assert "could be read" in err
    assert not (tmp_path / "out").exists()


def test_train_on_bad_photos_alone(call, tmp_path, tiny_cache):
    bad = [make(tmp_path) for make in BAD]
    rows = [f"{path.name},{('kasavu', 'tant')[row % 2]},shop {row % 5}" for row, path in enumerate(bad)]
    (tmp_path / "m.csv").write_text("path,craft,source\n" + "\n".join(rows) + "\n")
    options = ("--data.manifest", tmp_path / "m.csv", "--data.cache", tiny_cache, "--model.precision", "fp32")
    code, out, err = call("train", *options, "--out", tmp_path / "run")
    assert (code, out) == (1, "")
    assert "not one of the photos could be read" in err
    assert not (tmp_path / "run" / "run.json").exists()
    assert not (tmp_path / "run" / "embedder").exists()


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    call, tiny_run, tiny_corpus, tiny_cache, tmp_path, tmp_path_factory, full_disk
):
    command = ("evaluate", tiny_run.folder, tiny_corpus, "--where", SOME, "--cache", tiny_cache)
    assert call(*command, "--out", tmp_path_factory.mktemp("before"))[0] == 0  # which fills the cache
    with full_disk(100):
        code, out, err = call(*command, "--out", tmp_path / "out")
        assert (code, out) == (1, "")
        assert "evaluation.json" in err
        data = ("--data.manifest", tiny_corpus, "--data.where", SOME, "--data.folds", "4", "--data.cache", tiny_cache)
        code, out, err = call("train", *data, "--model.precision", "fp32", "--out", tmp_path / "run")
        assert (code, out) == (1, "")
        assert "cannot be written" in err
        code, _, err = call("data", "import", collection_of(tiny_corpus), "--out", tmp_path / "m.csv")
        assert code == 1
        assert "m.csv" in err
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def collection_of(manifest):
    return manifest.parent / "photos"


def test_a_cut_checkpoint_is_told(call, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    weights = run / "embedder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    code, out, err = call("predict", run, "a.jpg", "--json")
    assert (code, out) == (1, "")
    assert "model.safetensors: cut short" in err
