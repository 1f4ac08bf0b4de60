"""From a run to verdicts, as its user goes: calibrate, evaluate with the open set, predict."""

import csv
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from saree_cosface.answers.enrolment import enrol
from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features.embedding import embed_photos
from saree_cosface.pages.exhibits import confidence
from saree_cosface.runs.calibration import CalibrationError
from saree_cosface.runs.run import load_run
from saree_cosface.scoring import calibrate, evaluation, out_of_fold
from saree_cosface.scoring.evaluation import Evaluation
from saree_cosface.scoring.held_out import score
from saree_cosface.scoring.probes import Probes


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


@pytest.fixture(scope="module")
def run_folder(tiny_run, tmp_path_factory):
    return shutil.copytree(tiny_run.folder, tmp_path_factory.mktemp("calibrated") / "run")


@pytest.fixture(scope="module")
def options(run_folder, tiny_cache):
    return (
        "calibrate",
        run_folder,
        "--cache",
        tiny_cache,
        "--folds",
        2,
        "--groups",
        3,
        "--false_accepts",
        0.3,
        "--workers",
        1,
    )


@pytest.fixture(scope="module")
def calibrated(options, run_folder):
    assert call(*options) == 0
    return run_folder


@pytest.mark.slow
def test_what_a_run_without_calibration_says(tiny_run, tiny_corpus, tiny_cache, capsys, monkeypatch):
    photo = read_manifest(tiny_corpus).files()[0]
    assert call("predict", tiny_run.folder, photo, "--json") == 0
    answer = json.loads(capsys.readouterr().out)["answers"][0]
    assert answer["verdict"] is None
    assert answer["traditions"][0]["probability"] is None
    assert call("predict", tiny_run.folder, photo) == 0
    assert "saree-cosface calibrate" in capsys.readouterr().err
    monkeypatch.setattr(evaluation, "unseen_probes", lambda *_, **__: pytest.fail("photos were embedded"))
    assert call("evaluate", tiny_run.folder, tiny_corpus, "--open-set", "--cache", tiny_cache) == 1
    assert "saree-cosface calibrate" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_find_what_one_does(calibrated, tiny_run, options, tmp_path):
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    assert call(options[0], folder, *options[2:], "--workers", 2) == 0
    cells = sorted((folder / "calibration" / "cells").rglob("*.npy"))
    assert len(cells) == 8
    for cell in cells:
        alone = np.load(calibrated / cell.relative_to(folder))
        np.testing.assert_allclose(np.load(cell), alone, atol=1e-4)
    one, other = (load_run(each).calibration for each in (calibrated, folder))
    assert other.cosine == pytest.approx(one.cosine, abs=1e-3)


@pytest.mark.slow
def test_no_photo_is_scored_by_what_saw_its_source_or_craft(calibrated, tiny_run, tiny_cache, monkeypatch):
    shutil.rmtree(calibrated / "calibration" / "cells")
    trained = []

    def cosines(training):
        manifest, train, test, kept_back = training.manifest, training.train, training.test, training.kept_back
        assert not set(manifest.sources[train]) & set(manifest.sources[test])
        assert not set(manifest.sources[kept_back]) & set(manifest.sources[test])
        assert not set(manifest.crafts[kept_back]) & set(manifest.crafts[train])
        assert training.recipe.optim.epochs == 6  # as the run was trained, and until the epoch whose weights it has
        best = tiny_run.embedder.card.metrics["best_epoch"]
        assert training.last_epoch == (None if best == 5 else best)
        trained.append((set(manifest.crafts[train]), set(manifest.crafts[test]), len(test)))
        return np.random.default_rng(0).uniform(0, 1, (len(test), len(training.classes))).astype(np.float32)

    monkeypatch.setattr(out_of_fold, "_cosines", cosines)
    other = shutil.copytree(calibrated, calibrated.parent / "other")
    found = calibrate.calibrate(load_run(other), cache=tiny_cache, false_accepts=0.3, folds=2, groups=3)
    photos = sum(part == "train" for part in tiny_run.used.values())
    everything = [each for each in trained if len(each[0]) == 3]
    without = [each for each in trained if len(each[0]) < 3]
    assert sum(count for _, _, count in everything) == photos == found.found["photos"]
    assert sum(count for *_, count in without) == photos == found.found["photos_of_crafts_left_out"]
    assert not any(learned & asked for learned, asked, _ in without)
    count = len(trained)
    calibrate.calibrate(load_run(other), cache=tiny_cache, false_accepts=0.4, folds=2, groups=3)
    assert len(trained) == count  # every training is kept
    damaged = sorted((other / "calibration" / "cells").rglob("*.npy"))[0]
    damaged.write_bytes(damaged.read_bytes()[:20])
    calibrate.calibrate(load_run(other), cache=tiny_cache, false_accepts=0.4, folds=2, groups=3)
    assert len(trained) == count + 1


@pytest.mark.slow
def test_trainings_to_another_epoch_are_not_taken_for_these(calibrated, tiny_cache, monkeypatch):
    trained = []

    def cosines(training):
        trained.append(training.last_epoch)
        shape = len(training.test), len(training.classes)
        return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)

    monkeypatch.setattr(out_of_fold, "_cosines", cosines)
    run = load_run(shutil.copytree(calibrated, calibrated.parent / "another epoch"))
    shutil.rmtree(run.folder / "calibration" / "cells", ignore_errors=True)
    for epoch, expected in ((2, {2}), (2, set()), (3, {3}), (5, {None})):  # of six epochs the last is the recipe's
        trained.clear()
        run.embedder.card = replace(run.embedder.card, metrics={"best_epoch": epoch})
        calibrate.calibrate(run, cache=tiny_cache, false_accepts=0.3, folds=2, groups=3)
        assert set(trained) == expected


@pytest.mark.slow
def test_evaluation_of_the_open_set(calibrated, tiny_corpus, tiny_cache, tmp_path, capsys):
    arguments = ("evaluate", calibrated, tiny_corpus, "--open-set", "--cache", tiny_cache, "--out", tmp_path)
    assert call(*arguments, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    open_set = found["open_set"]
    crafts = open_set["crafts"]
    assert len(crafts["photos"]) == 9  # the run knows three of twelve
    assert crafts["unknown"] == sum(crafts["photos"].values())
    assert crafts["known"] == found["counts"]["photos"]
    assert open_set["skipped"] == {"source seen in training": 72 - crafts["unknown"]}
    assert open_set["pictures"]["photos"] >= 2
    assert open_set["drawn"]["photos"] == 24
    pictures = open_set["pictures"]["auroc"]
    assert 0 <= pictures["low"] <= pictures["value"] <= pictures["high"] <= 1
    for shares in open_set["verdicts"].values():
        assert sum(shares[kind] for kind in ("tradition", "between", "unsure", "outside")) == pytest.approx(1)
    assert call(*arguments, "--others", tmp_path / "confusion.png") == 0
    said = capsys.readouterr().err
    for words in ("known traditions", "other crafts", "other things", "things drawn", "AUROC", "rightly"):
        assert words in said
    assert json.loads((tmp_path / "evaluation.json").read_text())["open_set"]["pictures"]["photos"] == 1


@pytest.mark.slow
def test_the_report_tells_what_becomes_of_strangers(calibrated, tiny_corpus, tiny_cache, tmp_path):
    assert call("report", calibrated, tiny_corpus, "--cache", tiny_cache, "--out", tmp_path / "report.html") == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    section = text[text.index("What it does not know") : text.index("How it learned")]
    for words in ("known traditions", "other crafts", "other things", "AUROC"):
        assert words in section
    shares = [float(share) for share in re.findall(r">([.0-9]+)%</td>", section)]
    assert len(shares) == 16
    assert np.reshape(shares, (4, 4)).sum(axis=1) == pytest.approx(100, abs=0.2)


def test_a_tradition_enrolled_after_training_is_allowed_for(calibrated, tiny_corpus, tiny_cache, tmp_path, capsys):
    run = load_run(shutil.copytree(calibrated, tmp_path / "run"))
    calibration = run.calibration
    assert calibration.crafts == run.classes
    assert -1 < calibration.kin <= calibration.genuine <= 1
    photos = read_manifest(tiny_corpus, where="craft == 'patola'").files()
    enrol(run.folder, "patola", photos[:2])
    changed = load_run(run.folder)
    capsys.readouterr()
    assert call("predict", run.folder, photos[3], "--json") == 0
    answer = json.loads(capsys.readouterr().out)["answers"][0]
    found = {each["craft"]: each for each in answer["traditions"]}
    expected = calibration.allowances(np.array([found["patola"]["cosine"]]), ("patola",), np.array([2]))[0]
    assert found["patola"]["allowance"] == pytest.approx(expected)
    assert all(each["allowance"] == 0 for craft, each in found.items() if craft != "patola")
    ranked = [each["cosine"] + each["allowance"] for each in answer["traditions"]]
    assert ranked == sorted(ranked, reverse=True)
    embedding = embed_photos(changed.embedder, [photos[3]]).embeddings
    row = dict(zip(changed.gallery.crafts, changed.cosines(embedding)[0], strict=True))
    for craft, each in found.items():
        assert row[craft] == pytest.approx(each["cosine"] + each["allowance"], abs=1e-5)


@pytest.mark.slow
def test_confidence_on_several_sources(calibrated, tiny_corpus, tmp_path):
    run = load_run(calibrated)
    manifest = read_manifest(tiny_corpus, where="craft in ['chanderi', 'jamdani', 'leheriya']")
    embedded = embed_photos(run.embedder, manifest.files())
    document = score(
        run, Probes(manifest, embedded.embeddings, embedded.sides, embedded.features, {}, (), False), "source"
    )
    assert document["confidence"]["sets"]["promised"] == pytest.approx(0.7)
    said = io.StringIO()
    Evaluation(document).print_table(Console(file=said, width=200))
    assert "promised were 70%" in said.getvalue()
    assert "calibration error" in said.getvalue()
    assert "promised were 70%" in confidence(document)


@pytest.mark.slow
def test_predictions_have_verdicts(calibrated, tiny_corpus, tmp_path, capsys):
    photo = read_manifest(tiny_corpus, where="craft == 'chanderi'").files()[0]
    assert call("predict", calibrated, photo, "--json") == 0
    answer = json.loads(capsys.readouterr().out)["answers"][0]
    assert sum(tradition["probability"] for tradition in answer["traditions"]) == pytest.approx(1)
    assert answer["verdict"]["kind"] in ("tradition", "between", "unsure", "outside")
    assert set(answer["verdict"]["likely"]) <= {"chanderi", "jamdani", "leheriya"}
    assert call("predict", calibrated, photo, "--csv") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["verdict"] == answer["verdict"]["kind"]
    assert rows[0]["likely"] == ";".join(answer["verdict"]["likely"])
    assert float(rows[0]["probability"]) == pytest.approx(answer["traditions"][0]["probability"], abs=1e-4)
    assert call("predict", calibrated, photo) == 0
    said = capsys.readouterr().err
    assert answer["verdict"]["reason"][:20] in said
    assert answer["verdict"]["advice"] in said


@pytest.mark.parametrize("name", ["black", "screenshot", "noise"])
def test_what_is_no_saree_gets_no_name(calibrated, tmp_path, capsys, name):
    pixels = np.zeros((300, 200, 3), np.uint8)
    if name == "screenshot":
        pixels[:] = 250
        pixels[20:280:14, 10:150] = 30
    if name == "noise":
        pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    assert call("predict", calibrated, tmp_path / "photo.png", "--json") == 0
    assert json.loads(capsys.readouterr().out)["answers"][0]["verdict"]["kind"] == "outside"


def test_what_cannot_be_calibrated(calibrated, tiny_cache, tmp_path, capsys):
    run = load_run(calibrated)
    for wrong in ({"false_accepts": 0.0}, {"false_accepts": 1.0}, {"groups": 1}):
        with pytest.raises(CalibrationError):
            calibrate.calibrate(run, cache=tiny_cache, **wrong)
    with pytest.raises(CalibrationError, match="by source"):
        calibrate.calibrate(run, folds=50, cache=tiny_cache)
    assert call("calibrate", tmp_path) == 1
    assert "not a run" in capsys.readouterr().err
    other = shutil.copytree(calibrated, tmp_path / "run")
    (other / "calibration" / "calibration.json").write_text("{")
    with pytest.raises(CalibrationError, match="damaged"):
        _ = load_run(other).calibration


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda text: text.replace(",leheriya,", ",jamdani,"),
            "trained on 2 crafts: with one left out, no two are left",
        ),
        (lambda text: re.sub(r"shop_\d\d", "shop_00", text), "photos are of one source.*Then train again"),
        (lambda text: re.sub(r"shop_\d\d", "", text), "have no source.*Then train again"),
        (lambda text: text, "take at most 3 folds.*The option is --folds"),
    ],
)
def test_what_cannot_be_calibrated_is_told_before_the_work(change, said, tiny_run, tmp_path, tiny_cache, monkeypatch):
    run = shutil.copytree(tiny_run.folder, tmp_path / "run")
    (run / "manifest.csv").write_text(change((run / "manifest.csv").read_text()))
    monkeypatch.setattr(calibrate, "embed_whole", lambda *_, **__: pytest.fail("photos were embedded"))
    with pytest.raises(CalibrationError, match=said):
        calibrate.calibrate(load_run(run), folds=5, false_accepts=0.3, cache=tiny_cache)


def test_too_few_photos_for_a_rate_are_told_before_training(tiny_run, tmp_path, tiny_cache, monkeypatch):
    run = load_run(shutil.copytree(tiny_run.folder, tmp_path / "run"))
    monkeypatch.setattr(out_of_fold, "_cosines", lambda *_: pytest.fail("a training was begun"))
    with pytest.raises(CalibrationError, match=r"Ask for at least 0\.2 with --false_accepts") as told:
        calibrate.calibrate(run, folds=2, false_accepts=0.05, cache=tiny_cache)
    assert str(told.value).startswith("15 training photos")


def test_the_rate_that_is_advised_is_allowed():
    for strange in range(4, 400):
        try:
            out_of_fold.require_rate(strange, 1e-3)
        except CalibrationError as told:
            out_of_fold.require_rate(strange, float(re.search(r"at least ([\d.]+)", str(told))[1]))
    with pytest.raises(CalibrationError, match=r"0\.5\. Train on more photos"):
        out_of_fold.require_rate(3, 0.5)
