import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import yaml
from PIL import Image

from saree_cosface.faces.training import EveryFaceSampler, expanded, train_faces
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import FaceOptions
from saree_cosface.runs.folder import RunError
from saree_cosface.training import module as learning
from tests.helpers.faces import QUICK, people


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return people(tmp_path_factory.mktemp("faces"), 3, 8)


@pytest.fixture
def data(folder, tmp_path):
    return FaceOptions(images=str(folder), cache=tmp_path / "cache")


def fit(data, out, recipe=QUICK, **options):
    return train_faces(data, recipe, out, progress=False, **options)


def same(one, other):
    weights, others = one.state_dict(), other.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


# --- the order of faces ----------------------------------------------------------------------------------------------


def test_an_epoch_shows_every_face_once_in_whole_batches():
    sampler = EveryFaceSampler(torch.arange(23) % 4, 4, seed=1)
    first, numbers = zip(*sampler, strict=True)
    assert len(sampler) == len(first) == len(set(first)) == 20
    assert list(sampler) == list(zip(first, numbers, strict=True))  # the same when asked again
    sampler.set_epoch(1)
    assert [row for row, _ in sampler] != list(first)
    assert [row for row, _ in EveryFaceSampler(torch.arange(23) % 4, 4, seed=2)] != list(first)


def test_photos_of_one_person_lie_together():
    labels = torch.arange(40) % 5
    rows = [row for row, _ in EveryFaceSampler(labels, 8, seed=0, together=4)]
    assert sorted(rows) == list(range(40))
    groups = labels[rows].view(-1, 4)
    assert (groups == groups[:, :1]).all()
    assert len({tuple(group) for group in groups[:, :1].tolist()}) == 5
    assert labels[rows].tolist() != sorted(labels[rows].tolist())


def test_processes_draw_different_faces(monkeypatch):
    drawn = []
    for rank in range(2):
        sampler = EveryFaceSampler(torch.zeros(23, dtype=torch.long), 4, seed=0)
        sampler.rank, sampler.processes = rank, 2
        rows = [row for row, _ in sampler]
        assert len(rows) == len(sampler) == 8
        drawn += rows
    assert len(set(drawn)) == 16


# --- a run -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_training_learns_and_writes_a_run(data, tmp_path):
    longer = replace(QUICK, optim=replace(QUICK.optim, epochs=8))
    embedder = fit(data, tmp_path / "run", longer)
    assert embedder.card.metrics["train/accuracy"] > 0.9
    assert embedder.card.unit_features is False
    assert embedder.card.classes == ("Person_0", "Person_1", "Person_2")
    assert same(embedder, Embedder.load(tmp_path / "run" / "embedder"))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["faces"] == 24
    assert (tmp_path / "run" / "learning_curves.png").stat().st_size > 1000
    norms = [part for part in embedder.backbone.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert not torch.equal(norms[0].running_mean, torch.zeros_like(norms[0].running_mean))


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "steps"), [("sgd", 0), ("sgd", 7), ("muon", 0)])
def test_an_interrupted_training_ends_with_the_same_weights(data, tmp_path, monkeypatch, optimizer, steps):
    changes = {"optimizer": optimizer, "steps": steps, "milestones": (4,) if steps else ()}
    recipe = replace(QUICK, optim=replace(QUICK.optim, **changes))
    whole = fit(data, tmp_path / "whole", recipe)
    step = learning.LearningModule.training_step

    def interrupt(module, batch, index):
        if module.global_step == 4:  # in the second epoch of three batches each
            raise KeyboardInterrupt
        return step(module, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(learning.LearningModule, "training_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit(data, tmp_path / "cut", recipe)
    assert not (tmp_path / "cut" / "run.json").exists()
    with pytest.raises(RunError, match="--resume"):
        fit(data, tmp_path / "cut", recipe)
    assert same(whole, fit(data, tmp_path / "cut", recipe, resume=True))


@pytest.mark.slow
def test_steps_and_milestones_are_those_asked_for(data, tmp_path, monkeypatch):
    rates = []
    step = learning.LearningModule.training_step

    def record(module, batch, index):
        rates.append(module.trainer.optimizers[0].param_groups[0]["lr"])
        return step(module, batch, index)

    monkeypatch.setattr(learning.LearningModule, "training_step", record)
    optim = replace(QUICK.optim, steps=8, milestones=(3, 5), warmup=0.0)
    fit(data, tmp_path / "run", replace(QUICK, optim=optim))
    assert rates == pytest.approx([0.02] * 3 + [0.002] * 2 + [0.0002] * 3)


@pytest.mark.slow
def test_a_finished_run_is_returned_as_it_is(data, tmp_path, monkeypatch):
    embedder = fit(data, tmp_path / "run")
    monkeypatch.setattr("saree_cosface.faces.training.load_faces", lambda *_, **__: 1 / 0)
    assert same(embedder, fit(data, tmp_path / "run", resume=True))


@pytest.mark.slow
def test_what_cannot_be_trained_is_told(data, tmp_path, monkeypatch):
    with pytest.raises(RunError, match="do not fill a batch of 64"):
        fit(data, tmp_path / "a", replace(QUICK, optim=replace(QUICK.optim, batch_size=64)))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fit(replace(data, images=str(tmp_path / "nowhere")), tmp_path / "b")
    monkeypatch.delenv("NO_SUCH_FACES", raising=False)
    with pytest.raises(RunError, match=r"data\.images is \$NO_SUCH_FACES/x"):
        expanded("$NO_SUCH_FACES/x", "data.images")
    monkeypatch.setenv("NO_SUCH_FACES", "/somewhere")
    assert str(expanded("$NO_SUCH_FACES/x", "data.images")) == "/somewhere/x"
    fit(data, tmp_path / "run")
    with pytest.raises(RunError, match="other options"):
        fit(data, tmp_path / "run", replace(QUICK, seed=1), resume=True)


@pytest.mark.slow
def test_an_unreadable_face_is_listed_and_left_out(data, folder, tmp_path, capsys):
    copy = shutil.copytree(folder, tmp_path / "faces")
    (copy / "Person_1" / "Person_1_0003.jpg").write_bytes(b"<html>")
    fit(replace(data, images=str(copy)), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["faces"] == 23
    assert "Person_1_0003.jpg" in capsys.readouterr().err


def test_a_network_of_timm_learns_faces_from_random_weights(data, tmp_path):
    model = replace(QUICK.model, backbone="test_resnet", pretrained=False, trainable_stages=99)
    embedder = fit(data, tmp_path / "run", replace(QUICK, model=model))
    assert embedder.backbone.preprocessing.shape == (112, 96)
    again = Embedder.load(tmp_path / "run" / "embedder")
    assert same(again, embedder)
    assert again.backbone.preprocessing == embedder.backbone.preprocessing


@pytest.mark.slow
def test_faces_of_the_papers_width_are_taken_as_they_are(folder, data, tmp_path):
    narrow = tmp_path / "narrow"
    for photo in folder.rglob("*.jpg"):
        path = narrow / photo.relative_to(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(photo).crop((8, 0, 104, 112)).save(path)
    fit(replace(data, images=str(narrow)), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["faces"] == 24


@pytest.mark.slow
def test_two_processes_train_one_run(folder, tmp_path):
    options = ["--data.images", folder, "--data.cache", tmp_path / "cache", "--out", tmp_path / "run", "--json"]
    settings = {
        "model": {"backbone": "laptop10", "embedding_dim": 16, "trainable_stages": 4, "precision": "fp32"},
        "head": {"scale": 16.0, "margin": 0.2},
        "optim": {"epochs": 2, "batch_size": 4, "optimizer": "sgd", "lr": 0.02, "backbone_lr": 0.02},
        "data": {"devices": 2},
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "saree_cosface", "faces", "train", "--config", tmp_path / "settings.yaml"]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(ended.stdout)["run"] == str(tmp_path / "run")  # one document, though two processes ran
    assert ended.stderr.count("24 faces of 3 people") == 1
    state = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 6
    Embedder.load(tmp_path / "run" / "embedder")
