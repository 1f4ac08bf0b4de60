"""The notebooks run from top to bottom: on drawn sarees, or without any data."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from docs.notebooks import LARGEST

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
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


VARIABLES = ("PHOTOS", "CONTACT", "RUN", "MANIFEST", "CACHE", "FACES", "EXPERIMENTS")
"""What else a notebook asks the environment for."""

FRESH = """
import os, sys
for _name in [name for name in sys.modules if name.split(".")[0] in ("saree_cosface", "tests")]:
    del sys.modules[_name]
sys.path[:] = os.environ.setdefault("PATHS_AT_FIRST", os.pathsep.join(sys.path)).split(os.pathsep)
for _name in {without}:
    os.environ.pop(_name, None)
os.environ |= {named}
os.chdir({folder!r})
%reset -f
"""
"""Leaves a kernel as if it had just started, but for the libraries of others, whose import takes longest."""


@pytest.fixture(scope="module")
def executed():
    """Runs a notebook by its name in a folder, in a kernel that no name of another is left in.

    Gives the notebook and what a last cell prints as JSON.
    """
    manager = AsyncKernelManager(kernel_name="python3")

    def run(name, probe, folder, **named):
        named = {variable: str(value) for variable, value in {"TINY": "1", "WORK": folder / "work", **named}.items()}
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        notebook.cells.insert(0, new_code_cell(FRESH.format(without=VARIABLES, named=named, folder=str(folder))))
        notebook.cells.append(new_code_cell(probe))
        NotebookClient(notebook, km=manager, timeout=300, resources={"metadata": {"path": folder}}).execute()
        assert list(folder.iterdir()) == [folder / "work"]  # nothing is written elsewhere
        return notebook, json.loads(notebook.cells[-1].outputs[0].text)

    yield run
    run_sync(manager.shutdown_kernel)(now=True)


@pytest.fixture
def drawn_before(tmp_path, tiny_corpus, tiny_cache):
    """A folder to work in that holds the sarees a rehearsal draws, and whose cache all tests share."""
    shutil.copytree(tiny_corpus.parent, tmp_path / "work" / "drawn")
    (tmp_path / "work" / "cache").symlink_to(tiny_cache)
    return tmp_path


def figures_of(notebook):
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_with_small_outputs_of_all_its_cells(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))  # as they stand, after one start
    outputs = [output for cell in cells for output in cell.outputs]
    drawn = [output for output in outputs if {"image/png", "image/jpeg"} & set(output.get("data", {}))]
    assert len(drawn) >= 2
    assert {output.output_type for output in outputs} <= {"stream", "display_data"}  # and no error
    said = json.dumps([output for output in outputs if output not in drawn])
    assert not re.search(r"Warning|Traceback|site-packages|it/s", said)
    assert not re.search(r"(?<![\w.:/])/\w+/\w", said)  # a path of the machine it ran on
    assert path.stat().st_size <= LARGEST


@pytest.mark.slow
def test_runs_on_drawn_sarees(executed, drawn_before):
    notebook, found = executed("your_own_sarees", PROBE, drawn_before)
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


EXPLAINED = """
import json
print(json.dumps({
    "posteriors": list(checked.values()),
    "undecided": {name: float(degrees[np.argmin(np.abs(np.array(values) - np.log(2)))]) for name, values in losses.items()},
    "last": {name: values[-1] for name, values in curves.items()},
}))
"""


@pytest.mark.slow
def test_cosface_is_explained_by_running_it(executed, tmp_path):
    notebook, said = executed("cosface_explained", EXPLAINED, tmp_path)
    assert said["posteriors"] == pytest.approx([0.99] * 8)
    # Two prototypes at 90 degrees: undecided at 45, and with a margin where cos - sin = 0.35.
    assert said["undecided"]["NSL"] == pytest.approx(45, abs=0.5)
    assert said["undecided"]["LMCL"] == pytest.approx(30.7, abs=0.5)
    assert said["last"]["softmax"] < 0.01 < said["last"]["NSL, s = 16"] < said["last"]["LMCL, s = 16"]
    assert len(figures_of(notebook)) == 4


PAPER = """
import json
print(json.dumps({
    "toy": [row["name"] for row in toy["rows"]],
    "found": list(found),
    "order": [row["name"] for row in order],
    "published": [row["published"][0] for row in order if row["published"]],
}))
"""


@pytest.mark.slow
def test_the_paper_is_set_beside_what_was_measured(executed, tmp_path):
    experiments = ROOT / "benchmarks" / "faces"
    notebook, said = executed("the_paper_on_faces", PAPER, tmp_path, EXPERIMENTS=experiments)
    assert said["toy"] == ["softmax", "LMCL, m = 0", "LMCL, m = 0.1", "LMCL, m = 0.2"]
    assert said["found"] == ["losses", "normalization", "sweep_margins", "sweep_scales"]  # as measured, beside the code
    assert len(said["order"]) == 9
    assert {"softmax", "NSL", "LMCL"} < set(said["order"])
    assert 97.88 in said["published"]
    assert 99.33 in said["published"]
    assert len(figures_of(notebook)) == 3  # nine losses, the sweeps, the toy


READ = """
import json
print(json.dumps({
    "answers": len(answers),
    "furthest": answers[0].gap >= answers[-1].gap,
    "lines": [calibration.known, calibration.cosine],
    "strangers": said,
    "heat_map": Path(drawn["heat_map"]).is_file(),
    "findings": [finding["says"] for finding in audit.document["findings"]],
}))
"""


@pytest.mark.slow
def test_an_answer_is_read(executed, tmp_path, calibrated_run, tiny_corpus, tiny_cache):
    given = {"RUN": calibrated_run.folder, "MANIFEST": tiny_corpus, "CACHE": tiny_cache}
    notebook, found = executed("reading_an_answer", READ, tmp_path, **given)
    assert found["answers"] == 5  # the photos of the fold that was held out
    assert found["furthest"]
    assert found["lines"] == sorted(found["lines"])
    assert sum(found["strangers"].values()) == 6
    assert found["heat_map"]
    assert len(found["findings"]) > 3
    assert len(figures_of(notebook)) == 4  # cosines, verdicts, heat map, matches


SESSION = """
import json
print(json.dumps({
    "planted": len(right),
    "looked_at": len(looked_at),
    "found": len(found),
    "mended": int((sc.read_manifest(mended).crafts != manifest.crafts).sum()),
    "again": again.classes == run.classes,
    "compared": second.document["before"] is not None,
}))
"""


@pytest.mark.slow
def test_a_session_mends_labels(executed, drawn_before):
    notebook, said = executed("curators_session", SESSION, drawn_before)
    assert said["planted"] == 3
    assert said["looked_at"] == 6
    assert 1 <= said["found"] == said["mended"] <= 3
    assert said["again"]
    assert said["compared"]
    assert len(figures_of(notebook)) == 3  # a map, a contact sheet, both maps


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
def test_from_nothing_to_a_run_that_is_given_away(executed, tmp_path):
    notebook, said = executed("from_nothing", GATHERED, tmp_path)
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
