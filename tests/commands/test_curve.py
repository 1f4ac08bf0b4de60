"""``saree-cosface curve`` as its user calls it, with a small network of random weights in the place of the default one."""

import json
import shutil

import pandas as pd
import pytest
import torch
from PIL import Image

from saree_cosface.cli import main
from saree_cosface.networks.create import create_backbone
from saree_cosface.scoring import baselines, growing
from tests.helpers.tiny import SOME


@pytest.fixture
def call(capsys):
    """Runs the command; returns its exit status, stdout and stderr (in one line)."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["curve", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, " ".join(err.split())

    return run


@pytest.fixture
def untrained(monkeypatch):
    def made(name, **options):
        torch.manual_seed(0)
        return create_backbone("test_resnet", pretrained=False, **{**options, "depths": 1})

    for module in (growing, baselines):
        monkeypatch.setattr(module, "create_backbone", made)


@pytest.mark.slow
def test_a_curve_is_written_drawn_and_told_and_an_interrupted_call_goes_on(
    tiny_corpus, tiny_cache, tmp_path, call, untrained, monkeypatch
):
    cache = shutil.copytree(tiny_cache, tmp_path / "cache")
    out = tmp_path / "curve"
    given = (tiny_corpus, "--out", out, "--where", SOME, "--folds", "2", "--cache", cache, "--factors", "1.5", "3")
    counted = growing._counted
    done = []

    def interrupted(*arguments):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return counted(*arguments)

    monkeypatch.setattr(growing, "_counted", interrupted)
    assert call(*given, "--json")[:2] == (130, "")
    assert not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in cache.glob("curves/*/*.json")}
    assert len(kept) == 2

    monkeypatch.setattr(growing, "_counted", counted)
    code, text, told = call(*given, "--json")
    assert code == 0
    said = json.loads(text)
    assert said == json.loads((out / "curve.json").read_text(encoding="utf-8"))
    assert list(said["expected"]) == ["1.5", "3"]
    assert [craft["craft"] for craft in said["crafts"]] == ["chanderi", "jamdani", "leheriya"]
    table = pd.read_csv(tiny_corpus)
    for craft in said["crafts"]:
        assert craft["sources"] == table["source"][table["craft"] == craft["craft"]].nunique()
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    with Image.open(out / "curve.png") as figure:
        assert min(figure.size) > 500
    assert "Jamdani" in told
    assert sorted(path.name for path in out.iterdir()) == ["curve.json", "curve.png"]
    monkeypatch.setattr(growing, "whitened_cosine", None)  # nothing is trained again
    assert call(*given, "--json")[:2] == (0, text)


@pytest.mark.parametrize("factor", ["3.5", "0"])
def test_more_than_three_times_the_sources_is_refused_before_anything_is_read(tmp_path, call, factor):
    code, out, told = call(tmp_path / "none.csv", "--out", tmp_path / "out", "--factors", "2", factor)
    assert (code, out) == (1, "")
    assert "at most 3 times" in told
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_measured_is_said_and_leaves_nothing(tiny_corpus, tmp_path, call):
    out = tmp_path / "out"
    assert "fewer than two crafts" in call(tiny_corpus, "--out", out, "--where", "craft == 'jamdani'")[2]
    assert "no photo of" in call(tiny_corpus, "--out", out, "--where", "craft == 'nothing'")[2]
    bare = tmp_path / "bare.csv"
    table = pd.read_csv(tiny_corpus).drop(columns="source")
    table.assign(path=[str(tiny_corpus.parent / path) for path in table["path"]]).to_csv(bare, index=False)
    code, _, told = call(bare, "--out", out)
    assert code == 1
    assert "source" in told
    assert not out.exists()
    assert "choose another folder" in call(tiny_corpus, "--out", bare)[2]
