"""What a training writes, and says: its history and curves, and why it stops."""

import csv
import math
import warnings

import pytest
import torch

from saree_cosface.heads import CosFace
from saree_cosface.training.checkpoint import CHECKPOINT
from saree_cosface.training.fit import fit
from saree_cosface.training.module import SCORE, TrainingError
from tests.helpers.trainings import CLASSES, QUICK, quiet_fit

pytestmark = pytest.mark.usefixtures("small_network")


def test_a_folder_holds_history_curves_logs_and_state(train, held_out, cache, tmp_path):
    fitted = quiet_fit(QUICK, train, held_out, cache, folder=tmp_path)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert float(rows[-1]["train/loss"]) == fitted.history[-1]["train/loss"]
    assert {"epoch", "learning_rate", "train/accuracy", SCORE, "validation/accuracy"} <= set(rows[0])
    assert (tmp_path / "learning_curves.png").read_bytes()[:4] == b"\x89PNG"
    assert list((tmp_path / "tensorboard").rglob("events*"))
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)  # so it holds nothing but tensors and plain values
    assert len(state["history"]) == 4


def test_nothing_goes_to_stdout_and_no_banner_to_stderr(train, held_out, cache, tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(QUICK, train, held_out, CLASSES, cache=cache, folder=tmp_path)
    out, err = capfd.readouterr()
    assert out == ""
    for clutter in ("GPU available", "TPU", "Tip:", "weights_only", "litlogger", "Trainer.fit", "num_workers"):
        assert clutter not in err
    assert "Epoch" in err


def test_a_loss_that_is_no_number_stops_with_advice(train, cache, tmp_path, monkeypatch):
    forward = CosFace.forward
    monkeypatch.setattr(CosFace, "forward", lambda self, *args: forward(self, *args) * math.nan)
    with pytest.raises(TrainingError, match=r"the loss is nan after epoch 1.*Lower optim\.lr"):
        quiet_fit(QUICK, train, None, cache, folder=tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()
