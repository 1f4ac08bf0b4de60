"""The notebooks run from top to bottom: on drawn sarees, or without any data."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SAREES, COSFACE, NOTHING = (
    ROOT / "notebooks" / f"{name}.ipynb" for name in ("your_own_sarees", "cosface_explained", "from_nothing")
)
PROBE = """
import json
print(json.dumps({
    "traditions": [[tradition.craft, tradition.cosine] for tradition in answer.traditions],
    "references": [near.source for near in answer.references],
    "asked": answer.photos[0],
    "crafts": crafts,
    "held_out": sorted(set(kept.sources)),
    "learned": sorted(run.sources["train"]),
    "errors": not checked.ok,
    "scores": {name: score["value"] for name, score in evaluation.to_json()["metrics"].items()},
    "gap": evaluation.to_json()["shortcut_gap"]["top1"]["gap"],
    "verdict": answer.verdict.kind,
    "calibrated_on": calibration.found["photos"],
}))
"""


def figures_of(notebook):
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.slow
def test_runs_on_drawn_sarees(tmp_path, monkeypatch):
    monkeypatch.delenv("PHOTOS", raising=False)
    monkeypatch.setenv("TINY", "1")
    monkeypatch.setenv("WORK", str(tmp_path / "work"))
    notebook = nbformat.read(SAREES, as_version=4)
    notebook.cells.append(new_code_cell(PROBE))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()

    found = json.loads(notebook.cells[-1].outputs[0].text)
    crafts, cosines = zip(*found["traditions"], strict=True)
    assert set(crafts) == set(found["crafts"]) == {"bandhani", "kasavu", "kota_doria", "leheriya"}
    assert list(cosines) == sorted(cosines, reverse=True)
    assert all(-1 <= cosine <= 1 for cosine in cosines)
    assert not found["errors"]
    assert not set(found["held_out"]) & set(found["learned"])
    assert set(found["references"]) <= set(found["learned"])
    assert Path(found["asked"]).parent.parent.name in found["held_out"]
    assert found["scores"]["top1"] > 0.25  # better than a guess among four
    assert -1 <= found["gap"] <= 1
    assert found["verdict"] in ("tradition", "between", "unsure", "outside")
    assert found["calibrated_on"] > 5

    assert len(figures_of(notebook)) == 5  # contact sheet, learning curves, confusion matrix, two answers
    assert list(tmp_path.iterdir()) == [tmp_path / "work"]  # nothing is written elsewhere


EXPLAINED = """
import json
print(json.dumps({
    "posteriors": list(checked.values()),
    "toy": [row["name"] for row in toy["rows"]],
    "undecided": {name: float(degrees[np.argmin(np.abs(np.array(values) - np.log(2)))]) for name, values in losses.items()},
    "last": {name: values[-1] for name, values in curves.items()},
    "found": list(found),
}))
"""


@pytest.mark.slow
def test_cosface_is_explained_by_running_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TINY", "1")
    monkeypatch.setenv("WORK", str(tmp_path / "work"))
    monkeypatch.setenv("EXPERIMENTS", str(ROOT / "benchmarks" / "faces"))
    notebook = nbformat.read(COSFACE, as_version=4)
    notebook.cells.append(new_code_cell(EXPLAINED))
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()

    said = json.loads(notebook.cells[-1].outputs[0].text)
    assert said["posteriors"] == pytest.approx([0.99] * 8)
    assert said["toy"] == ["softmax", "LMCL, m = 0", "LMCL, m = 0.1", "LMCL, m = 0.2"]
    # Two prototypes at 90 degrees: undecided at 45, and with a margin where cos - sin = 0.35.
    assert said["undecided"]["NSL"] == pytest.approx(45, abs=0.5)
    assert said["undecided"]["LMCL"] == pytest.approx(30.7, abs=0.5)
    assert said["last"]["softmax"] < 0.01 < said["last"]["NSL, s = 16"] < said["last"]["LMCL, s = 16"]
    assert said["found"] == ["losses", "normalization", "sweep_margins", "sweep_scales"]  # as measured, beside the code
    assert len(figures_of(notebook)) == 6
    assert list(tmp_path.iterdir()) == [tmp_path / "work"]  # nothing is written elsewhere


GATHERED = """
import json
print(json.dumps({
    "listed": manifest.crafts.tolist(),
    "wrong": WRONG,
    "lies": [lie.title for lie in lies],
    "learned": [path.name for path in sc.read_manifest(run.folder / "manifest.csv").files()],
    "held_out": sorted(run.sources["test"]),
    "sources": sorted(run.sources["train"]),
    "scored": evaluation.to_json()["counts"]["photos"],
    "same": same,
    "files": sorted(path.suffix for path in (WORK / "shared").rglob("*") if path.is_file()),
}))
"""


@pytest.mark.slow
def test_from_nothing_to_a_run_that_is_given_away(tmp_path, monkeypatch):
    monkeypatch.delenv("CONTACT", raising=False)
    monkeypatch.setenv("TINY", "1")
    monkeypatch.setenv("WORK", str(tmp_path / "work"))
    notebook = nbformat.read(NOTHING, as_version=4)
    notebook.cells.append(new_code_cell(GATHERED))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()

    said = json.loads(notebook.cells[-1].outputs[0].text)
    assert {craft: said["listed"].count(craft) for craft in set(said["listed"])} == {
        **{"bandhani": 8},
        **dict.fromkeys(("kasavu", "kota_doria", "leheriya"), 6),
    }
    assert len(said["wrong"]) == len(said["lies"]) == 2  # captions that lie have come, and were seen
    assert len(said["learned"]) == 24
    assert not {Path(path).name for path in said["wrong"]} & set(said["learned"])
    assert not set(said["held_out"]) & set(said["sources"])
    assert said["scored"] > 0
    assert said["same"]
    assert not {".jpg", ".png"} & set(said["files"])
    assert len(figures_of(notebook)) == 2  # a contact sheet and the confusion matrix
    assert list(tmp_path.iterdir()) == [tmp_path / "work"]  # nothing is written elsewhere
