"""A training that was interrupted and resumed ends with the weights of one that was not."""

import functools
import os
import shutil
import signal
import time
from dataclasses import replace

import pytest

from saree_cosface.options import HeadOptions
from saree_cosface.training.checkpoint import CHECKPOINT
from saree_cosface.training.module import LearningModule, TrainingError
from tests.helpers.trainings import LEARNING, LEARNING_MOMENTS, MOMENTS, QUICK, optim, quiet_fit, same, weights

pytestmark = pytest.mark.usefixtures("small_network")


def test_an_interrupt_is_an_interrupt(train, cache, tmp_path, monkeypatch):
    def interrupt(self, batch, index):
        if self.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        return step(self, batch, index)

    step = LearningModule.training_step
    # Where tests are started in the background, a shell has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(LearningModule, "training_step", interrupt)
            with pytest.raises(KeyboardInterrupt):
                quiet_fit(QUICK, train, None, cache, folder=tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    resumed = quiet_fit(QUICK, train, None, cache, folder=tmp_path, resume=True)
    assert same(weights(resumed), weights(quiet_fit(QUICK, train, None, cache)))


class Killed(Exception):
    pass


RESUMED = [
    (QUICK, True),
    (QUICK, False),
    (optim(QUICK, ema=0.8), True),
    (optim(QUICK, ema=0.8), False),
    (optim(QUICK, epochs=6, patience=2), True),
    (LEARNING, True),
    (optim(LEARNING, ema=0.8), False),
    (MOMENTS, True),
    (LEARNING_MOMENTS, False),
    (replace(QUICK, head=HeadOptions("sphereface", margin=2)), True),
    (replace(QUICK, head=HeadOptions("arcface", 16, 0.3, margin_warmup=0.7)), True),
]


@pytest.fixture(scope="module")
def uninterrupted(train, held_out, cache, tmp_path_factory):
    """Makes each of ``RESUMED`` without an interruption, once: what was fitted, and its folder."""

    @functools.cache
    def made(recipe, validates):
        folder = tmp_path_factory.mktemp("whole")
        return quiet_fit(recipe, train, held_out if validates else None, cache, folder=folder), folder

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "recipe", "validates"),
    [
        (moment, recipe, validates)
        for moment in ("training_step", "on_validation_epoch_end", "finished")
        for recipe, validates in RESUMED
        if validates or moment != "on_validation_epoch_end"
    ],
)
def test_a_resumed_training_ends_with_the_same_weights(
    train, held_out, cache, tmp_path, monkeypatch, uninterrupted, recipe, validates, moment
):
    # Curves take longer to draw than all that is learned here.
    monkeypatch.setattr("saree_cosface.figures.learning_curves.learning_curves", lambda rows, path: path.touch())
    validation = held_out if validates else None
    expected, whole = uninterrupted(recipe, validates)
    folder = tmp_path / "broken"
    if moment == "finished":  # but for what follows the training
        shutil.copytree(whole, folder)
        (folder / "metrics.csv").unlink()
        (folder / "learning_curves.png").unlink()
    else:
        hook = getattr(LearningModule, moment)

        def kill(self, *args):
            result = hook(self, *args)
            if self.current_epoch == 2:
                raise Killed
            return result

        with monkeypatch.context() as patch:
            patch.setattr(LearningModule, moment, kill)
            with pytest.raises(Killed):
                quiet_fit(recipe, train, validation, cache, folder=folder)
    resumed = quiet_fit(recipe, train, validation, cache, folder=folder, resume=True)
    assert same(weights(resumed), weights(expected))
    assert resumed.history == expected.history
    assert resumed.best_epoch == expected.best_epoch
    assert (folder / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    assert (folder / "learning_curves.png").is_file()


def test_resuming_without_a_checkpoint_or_from_half_of_one(train, cache, tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(FileNotFoundError, match="train without --resume"):
            quiet_fit(QUICK, train, None, cache, folder=folder, resume=True)
    quiet_fit(optim(QUICK, epochs=2), train, None, cache, folder=tmp_path)
    state = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(state[: len(state) // 2])
    with pytest.raises(TrainingError, match=r"last\.ckpt: damaged.*delete it"):
        quiet_fit(optim(QUICK, epochs=2), train, None, cache, folder=tmp_path, resume=True)
