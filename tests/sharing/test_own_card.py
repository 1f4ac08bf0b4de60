"""The card that training, calibration and evaluation leave in the folder of a run."""

import json
import shutil

import pytest
from huggingface_hub import ModelCard

from saree_cosface import cli
from saree_cosface.runs.run import load_run
from saree_cosface.runs.share import Share
from saree_cosface.sharing.card import README
from saree_cosface.sharing.own_card import write_own_card


@pytest.fixture
def run(tiny_run, tmp_path):
    return load_run(shutil.copytree(tiny_run.folder, tmp_path / "run"))


@pytest.fixture
def calibrated(calibrated_run, tmp_path):
    return load_run(shutil.copytree(calibrated_run.folder, tmp_path / "calibrated"))


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert ended.value.code == 0


def read(run):
    return (run.folder / README).read_text(encoding="utf-8")


def test_a_trained_run_has_a_card_that_hubs_read(tiny_run, tiny_corpus, tmp_path, monkeypatch):
    def create(_data, _recipe, out, **_):
        if not out.exists():
            shutil.copytree(tiny_run.folder, out)
        return load_run(out)

    monkeypatch.setattr("saree_cosface.runs.create.create_run", create)
    arguments = ["train", "--data.manifest", tiny_corpus, "--out", tmp_path / "run"]
    call(*arguments)
    card = ModelCard.load(tmp_path / "run" / README)
    assert card.data.library_name == "saree-cosface"
    assert card.data.license is None
    assert "**Drawings, no photographs**" in card.text
    assert "**Not measured.**" in card.text
    assert "**Not calibrated.**" in card.text
    assert "is not to be given away" in " ".join(card.text.split())
    assert "## Licence" not in card.text
    (tmp_path / "run" / README).unlink()
    call(*arguments, "--resume")  # a finished run is only looked at
    assert not (tmp_path / "run" / README).exists()


def test_it_names_nobody_and_no_folder(run):
    write_own_card(run)
    names = [name for part in run.sources.values() for name in part]
    assert len(names) > 3
    assert not any(name in read(run) for name in (*names, str(run.folder), ".jpg"))


def test_calibration_and_evaluation_stand_in_it(calibrated, tiny_corpus, tiny_cache, capsys):
    write_own_card(calibrated)
    assert "Found by calibration" in read(calibrated)
    assert ModelCard.load(calibrated.folder / README).data.eval_results
    call("evaluate", calibrated.folder, tiny_corpus, "--cache", tiny_cache, "--json")
    found = json.loads(capsys.readouterr().out)["metrics"]["top1"]["value"]
    assert "of which it had seen no photo" in read(calibrated)
    (first, *_) = ModelCard.load(calibrated.folder / README).data.eval_results
    assert first.metric_value == pytest.approx(found, abs=1e-4)


def test_a_card_that_somebody_changed_stays(run, capsys):
    write_own_card(run)
    mine = read(run).replace("## Limits", "## Limits\n\nAsk Meera before you use it.")
    (run.folder / README).write_text(mine, encoding="utf-8")
    write_own_card(run)
    assert read(run) == mine
    assert "was changed by somebody" in " ".join(capsys.readouterr().err.split())
    (run.folder / README).unlink()
    write_own_card(run)
    first = read(run)
    write_own_card(run)
    assert read(run) == first


def test_without_the_list_of_photos_there_is_none_and_nothing_else_is_lost(run, capsys):
    (run.folder / "manifest.csv").unlink()
    write_own_card(run)
    assert not (run.folder / README).exists()
    assert "No card was written" in capsys.readouterr().err


def test_the_card_of_a_shared_run_goes_with_it(run):
    Share("CC-BY-4.0", {}).save(run.folder)
    (run.folder / README).write_text("as it was shared", encoding="utf-8")
    write_own_card(load_run(run.folder))
    assert read(run) == "as it was shared"
