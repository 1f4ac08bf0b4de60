"""The notebook runs from top to bottom on drawn sarees, and ends with an answer."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "your_own_sarees.ipynb"
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
}))
"""


def test_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
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
    notebook = nbformat.read(NOTEBOOK, as_version=4)
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

    figures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(figures) == 5  # contact sheet, learning curves, confusion matrix, two answers
    assert list(tmp_path.iterdir()) == [tmp_path / "work"]  # nothing is written elsewhere
