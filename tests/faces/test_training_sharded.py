"""Faces learned under a sharded head, in one process and in two."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from saree_cosface.faces.training import train_faces
from saree_cosface.heads import CosFace, ShardedHead
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import FaceOptions, HeadOptions
from saree_cosface.runs.folder import RunError
from saree_cosface.training import module as learning
from saree_cosface.training import rows as head_rows
from tests.helpers.faces import QUICK, people

HEAD = HeadOptions(scale=16.0, margin=0.2, margin_warmup=0.3, sharded=True)
SHARDED = replace(QUICK, head=HEAD, optim=replace(QUICK.optim, ema=0.9, batch_size=4, gradient_clip=0.5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return people(tmp_path_factory.mktemp("faces"), 3, 8)


def weights(run):
    return Embedder.load(run / "embedder").state_dict()


def same(one, other, tolerance=0.0):
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=tolerance, atol=tolerance)


def train(folder, out, recipe=SHARDED, devices=1, resume=False):
    data = FaceOptions(images=str(folder), cache=out.parent / "cache", devices=devices)
    return train_faces(data, recipe, out, resume=resume, progress=False)


class CutError(Exception):
    """As if the training had been killed."""


def cut(monkeypatch, step):
    real = learning.LearningModule.training_step

    def interrupted(module, batch, index):
        if module.global_step == step:
            raise CutError
        return real(module, batch, index)

    monkeypatch.setattr(learning.LearningModule, "training_step", interrupted)


@pytest.mark.slow
@pytest.mark.parametrize("sample", [1.0, 0.5])
def test_an_interrupted_training_ends_with_the_same_weights(folder, tmp_path, monkeypatch, sample):
    recipe = replace(SHARDED, head=replace(HEAD, sample=sample))
    train(folder, tmp_path / "whole", recipe)
    with monkeypatch.context() as patch:
        cut(patch, 8)  # in the second epoch of six steps
        with pytest.raises(CutError):
            train(folder, tmp_path / "cut", recipe)
    files = tmp_path / "cut" / head_rows.FOLDER
    assert [path.name for path in files.iterdir()] == ["6-0-3.safetensors"]
    train(folder, tmp_path / "cut", recipe, resume=True)
    same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    assert [path.name for path in files.iterdir()] == ["12-0-3.safetensors"]
    state = torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)
    assert not any(isinstance(value, torch.Tensor) and value.shape == (3, 16) for value in state["state_dict"].values())


@pytest.mark.slow
def test_a_training_that_had_ended_needs_no_prototypes(folder, tmp_path):
    train(folder, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()  # as if killed between the last epoch and this
    before = weights(tmp_path / "run")
    for path in (tmp_path / "run" / head_rows.FOLDER).iterdir():
        path.unlink()
    train(folder, tmp_path / "run", resume=True)
    same(before, weights(tmp_path / "run"))


def in_two_processes(folder, out):
    """What the processes below do, one after the other: whole, cut, resumed, and with all prototypes in each."""
    torch.set_num_threads(1)
    train(folder, out / "whole", devices=2)
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, 4)  # in the second epoch of three steps
        with pytest.raises(CutError):
            train(folder, out / "cut", devices=2)
    if os.environ["RANK"] == "0":
        shutil.copytree(out / "cut", out / "left")
    train(folder, out / "cut", devices=2, resume=True)
    with pytest.MonkeyPatch.context() as patch:
        real = learning.LearningModule.__init__

        def init(module, embedder, head, recipe):
            halves = []
            for rank in range(2):
                with pytest.MonkeyPatch.context() as placed:
                    placed.setattr("saree_cosface.heads.sharded.place", lambda rank=rank: (2, rank))
                    other = ShardedHead(CosFace(head.embedding_dim, head.num_classes))
                    other.spread(recipe.seed)
                halves.append(other.weight.detach())
            head.weight = torch.nn.Parameter(torch.cat(halves))
            real(module, embedder, head, recipe)

        patch.setattr(learning.LearningModule, "__init__", init)
        train(folder, out / "each", replace(SHARDED, head=replace(HEAD, sharded=False)), devices=2)


def go_on_alone(folder, out):
    """One process goes on where two were, with batches as large as those of both."""
    recipe = replace(SHARDED, optim=replace(SHARDED.optim, batch_size=8))
    with pytest.raises(RunError, match="other options"):
        train(folder, out / "left", SHARDED, resume=True)
    files = out / "left" / head_rows.FOLDER
    assert sorted(path.name for path in files.iterdir()) == ["3-0-2.safetensors", "3-2-3.safetensors"]
    train(folder, out / "left", recipe, resume=True)
    assert [path.name for path in files.iterdir()] == ["6-0-3.safetensors"]
    steps = torch.load(out / "left" / "last.ckpt", weights_only=True)["average"]["steps"]
    assert steps == 6
    # Not the same: the batch norms of two processes see half of a batch each.
    rows, others = (head_rows.load(out / name, 6, 3, ranks, range(3)) for name, ranks in (("left", 1), ("whole", 2)))
    cosines = torch.nn.functional.cosine_similarity(rows["weight"], others["weight"])
    assert cosines.min() > 0.95


@pytest.mark.slow
def test_two_processes_learn_the_same_with_half_of_the_prototypes_each(folder, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom tests.faces.test_training_sharded import in_two_processes\n"
        "in_two_processes(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", script, folder, tmp_path]
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=400, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    go_on_alone(folder, tmp_path)
    names = sorted(path.name for path in (tmp_path / "whole" / head_rows.FOLDER).iterdir())
    assert names == ["6-0-2.safetensors", "6-2-3.safetensors"]
    same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    same(weights(tmp_path / "each"), weights(tmp_path / "whole"), 1e-4)
    rows = head_rows.load(tmp_path / "whole", 6, 3, 2, range(3))
    state = torch.load(tmp_path / "each" / "last.ckpt", weights_only=True)
    torch.testing.assert_close(rows["weight"], state["state_dict"]["head.weight"], rtol=1e-4, atol=1e-5)
    average = state["average"]["tensors"]["head.weight"]
    torch.testing.assert_close(rows["average"], average, rtol=1e-4, atol=1e-5)
