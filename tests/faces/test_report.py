"""The page beside the paper: it shows what was measured, says what was not run, and hides no difference."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from saree_cosface.cli import main
from saree_cosface.faces.challenge import Challenge
from saree_cosface.faces.experiments import run_experiment
from saree_cosface.faces.margins import draw_margins
from saree_cosface.faces.report import ReportError, write_report
from saree_cosface.faces.report_sections import difference
from saree_cosface.faces.settings import Setting
from saree_cosface.options import FaceOptions, HeadOptions
from tests.helpers.faces import QUICK, face, pairs_file, people

ONCE = replace(QUICK, optim=replace(QUICK.optim, epochs=1))


@pytest.fixture(scope="module")
def experiments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    test = people(folder / "test", 4, 3)
    for person in range(4, 9):  # distractors
        (test / f"Person_{person}").mkdir()
        Image.fromarray(face(person, 1)).save(test / f"Person_{person}" / f"Person_{person}_0001.jpg")
    data = FaceOptions(
        images=str(people(folder / "train", 3, 6)),
        lfw_images=str(test),
        lfw_pairs=str(pairs_file(folder / "pairs.txt", 4, 3)),
        cache=folder / "cache",
    )
    nsl = replace(ONCE.head, name="nsl", margin=0.0)
    losses = (
        Setting("softmax", HeadOptions("softmax"), (97.88, 93.1, 54.85, 65.92)),
        Setting("NSL", nsl),
        Setting("LMCL", ONCE.head, (99.33, 96.1, 77.11, 89.88)),
    )
    sweep = (Setting("m = 0", nsl), Setting("m = 0.2", ONCE.head))
    out = folder / "out"
    run_experiment("losses", losses, data, ONCE, out, seeds=2)
    run_experiment("sweep_margins", sweep, data, ONCE, out, seeds=2)
    run_experiment("sweep_scales", sweep, data, ONCE, out, seeds=1)
    run_experiment("normalization", (losses[2],), data, ONCE, out, seeds=2)
    draw_margins(out)
    return out


def test_the_page_is_written_in_three_formats(experiments):
    found = write_report(experiments)
    assert found["experiments"] == ["losses", "normalization", "sweep_margins", "sweep_scales", "margins"]
    assert set(found["missing"]) == {"toy", "toy_digits", "lfw", "megaface", "challenge", "ytf"}
    markdown, page = (experiments / "report.md").read_text(), (experiments / "report.html").read_text()
    losses = json.loads((experiments / "losses.json").read_text())
    lmcl = losses["rows"][2]
    for text in (markdown, page):
        assert f"{100 * lmcl['accuracy']:.2f} ± {100 * lmcl['standard_error']:.2f}" in text
        assert f"{100 * lmcl['rank1']:.2f}" in text
        for said in (
            "99.33",
            "77.11",
            "89.88",
            "96.1",
            "18 photos of 3 people",
            "10,575 people",
            "2 steps of 8 photos",
            "laptop10",
        ):
            assert said in text
        assert "saree-cosface faces toy" in text  # what is missing, and how to make it
    assert markdown.count("![") == 2
    assert page.count('src="data:image/png;base64,') == 2
    assert not re.search(r'(src|href)="(?!data:)', page)  # nothing from elsewhere
    with Image.open(experiments / "report.png") as figure:
        assert figure.width > 2 * figure.height


def test_a_difference_is_taken_fold_by_fold():
    def row(name, folds):
        return {
            "name": name,
            "accuracy": np.mean(folds),
            "seeds": [{"folds": list(np.array(folds) + d)} for d in (0, 0)],
        }

    document = {"rows": [row("LMCL", [0.9, 0.8, 0.95]), row("softmax", [0.88, 0.79, 0.94]), {"name": "NSL"}]}
    gap, error = difference(document, "LMCL", "softmax")
    assert gap == pytest.approx(100 * (0.02 + 0.01 + 0.01) / 3)
    assert error == pytest.approx(np.std([2, 1, 1], ddof=1) / np.sqrt(3))
    assert difference(document, "LMCL", "NSL") is None


def test_an_experiment_that_was_cut_off_is_shown_as_far_as_it_went(experiments, tmp_path):
    document = json.loads((experiments / "losses.json").read_text())
    for key in ("accuracy", "standard_error", "seed_deviation", "rank1", "auc", "eer", "train_accuracy"):
        del document["rows"][2][key]
    document["rows"][2]["seeds"] = []
    (tmp_path / "losses.json").write_text(json.dumps(document))
    write_report(tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "softmax" in text
    assert "| LMCL |" not in text
    assert "LMCL is" not in text


def test_nothing_to_report_on_says_what_to_run(tmp_path):
    with pytest.raises(ReportError, match=r"faces losses --config faces/laptop --out"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "damaged"), ('{"rows": [{"name": 1, "accuracy": 1}]}', "run its command again")],
)
def test_a_damaged_document_is_named(tmp_path, text, said):
    (tmp_path / "losses.json").write_text(text)
    with pytest.raises(ReportError, match=said) as error:
        write_report(tmp_path)
    assert "losses.json" in str(error.value)


def test_the_command_prints_what_it_wrote(experiments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["faces", "report", "--out", str(experiments), "--json"])
    assert ended.value.code == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["files"][0].endswith("report.md")
    assert "Not yet run: toy" in captured.err


def test_scores_of_one_encoder_stand_beside_the_paper(tmp_path, capsys):
    rng = np.random.default_rng(0)
    own = rng.normal(size=(30, 8))
    names = [f"Person_{person}/Person_{person}_{photo:04d}.jpg" for person in range(6) for photo in (1, 2, 3)]
    vectors = [own[person] + 0.1 * rng.normal(size=8) for person in range(6) for _ in range(3)]
    names += [f"Person_{person}/Person_{person}_0001.jpg" for person in range(6, 30)]
    np.savez(tmp_path / "v.npz", names=names, embeddings=np.array([*vectors, *own[6:]], np.float32))
    pairs = pairs_file(tmp_path / "pairs.txt", 6, 3)
    out = tmp_path / "out"
    for name, arguments in (("lfw", ["--pairs", str(pairs)]), ("megaface", [])):
        with pytest.raises(SystemExit) as ended:
            main(["faces", name, "--embeddings", str(tmp_path / "v.npz"), *arguments, "--out", str(out), "--json"])
        assert ended.value.code == 0
        said = json.loads(capsys.readouterr().out)
        assert json.loads((out / f"{name}.json").read_text()) == {
            "experiment": name,
            "encoder": "vectors of v.npz",
            **said,
        }
    scores = json.loads((out / "lfw.json").read_text())
    (out / "ytf.json").write_text(json.dumps({**scores, "missing": ["P1/1"]}))
    rates = {"10": dict.fromkeys(("1", "10", "100"), 0.875), "1000000": dict.fromkeys(("1", "10", "100"), 0.5)}
    tar = {"1e-06": {"tar": 0.625}, "1e-05": {"refused": "too few"}}
    found = Challenge(6, 12, 1_000_000, rates, tar, {"facescrub_noises.txt": 3})
    (out / "challenge.json").write_text(json.dumps({"encoder": "laptop12", **found.to_json()}))
    assert write_report(out)["experiments"] == ["lfw", "megaface", "challenge", "ytf"]
    text = (out / "report.md").read_text()
    for row in (
        f"| accuracy | {100 * scores['accuracy']:.2f} ± {100 * scores['standard_error']:.2f} | 99.33 | 99.73 |",
        f"| accuracy | {100 * scores['accuracy']:.2f} ± {100 * scores['standard_error']:.2f} | 96.10 | 97.60 |",
        "| rank 1 among 1,000,000 | 50.00 | 77.11 | 82.72 |",
        "| rank 1 among 10 | 87.50 |  |  |",
        "| true accepts at 1e-06 false ones | 62.50 | 89.88 | 96.65 |",
    ):
        assert row in text
    assert "facescrub_noises.txt (3 photos)" in text
    assert "1 photos were left out: this is not the published protocol" in text
    assert "12 photos of 6 people, each sought among all people of whom there is one photo" in text
