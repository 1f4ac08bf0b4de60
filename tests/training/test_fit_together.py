"""Several processes that train together learn what one would."""

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from saree_cosface.cli import main
from saree_cosface.options import DataOptions
from saree_cosface.runs import create
from saree_cosface.runs.run import load_run
from saree_cosface.training.sampler import EpochSampler
from tests.helpers.tiny import SOME

pytestmark = pytest.mark.slow

EPOCHS = 30


def train(corpus, cache, out, *options):
    return [
        *("-m", "saree_cosface", "train", "--data.manifest", str(corpus), "--data.where", SOME, "--data.folds", "4"),
        *("--data.cache", str(cache), "--out", str(out), "--optim.epochs", str(EPOCHS), "--model.embedding_dim", "16"),
        *("--optim.lr", "5e-3", "--seed", "3", *options),
    ]


def run(command, **environment):
    there = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, timeout=500, env=there
    )


@pytest.fixture(scope="module")
def alone(tiny_corpus, tiny_cache, tmp_path_factory):
    """A run of one process, with batches of sixteen."""
    out = tmp_path_factory.mktemp("alone") / "run"
    with pytest.raises(SystemExit, match="0"):
        main(train(tiny_corpus, tiny_cache, out, "--optim.batch_size", "16")[2:])
    return out


def assert_alike(one, other):
    first, second = (load_file(folder / "embedder" / "model.safetensors") for folder in (one, other))
    for name, values in first.items():
        torch.testing.assert_close(
            second[name], values, atol=2e-4, rtol=1e-3, msg=lambda said, name=name: f"{name} {said}"
        )
    histories = []
    for folder in (one, other):
        with (folder / "metrics.csv").open() as file:
            histories.append([{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)])
    assert len(histories[0]) == len(histories[1]) == EPOCHS
    for row, same in zip(*histories, strict=True):
        assert same == pytest.approx(row, abs=1e-3)


def test_two_processes_learn_the_weights_of_one(alone, tiny_corpus, tiny_cache, tmp_path):
    out = tmp_path / "run"
    ended = run(train(tiny_corpus, tiny_cache, out, "--optim.batch_size", "8", "--data.devices", "2"))
    assert ended.returncode == 0, ended.stderr
    assert_alike(alone, out)
    made = load_run(out)
    assert np.allclose(made.gallery.embeddings, load_run(alone).gallery.embeddings, atol=2e-3)
    assert ended.stderr.count("Run: ") == 1  # the other process has nothing to say
    assert " ".join(ended.stderr.split()).count("crafts; photos:") == 1


def test_a_training_of_torchrun_that_was_interrupted_goes_on_to_the_same_weights(
    alone, tiny_corpus, tiny_cache, tmp_path
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    out = tmp_path / "run"
    command = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
    command += train(tiny_corpus, tiny_cache, out, "--optim.batch_size", "8", "--data.devices", "2")
    process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (out / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    for folder in Path("/proc").iterdir():
        with suppress(OSError):  # one that has ended meanwhile
            if folder.name.isdigit() and str(out).encode() in (folder / "cmdline").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)  # torchrun's workers are no group of its own
    process.wait()
    assert (out / "last.ckpt").exists()
    assert not (out / "run.json").exists()
    ended = run([*command, "--resume"])
    assert ended.returncode == 0, ended.stderr
    assert_alike(alone, out)


def test_shares_of_processes_are_the_batches_of_one():
    weights = np.arange(1.0, 22.0)
    whole = EpochSampler(weights / weights.sum(), 6, seed=4)
    shares = [EpochSampler(weights / weights.sum(), 2, 4, 3, rank) for rank in range(3)]
    for epoch in (0, 1):
        for sampler in (whole, *shares):
            sampler.set_epoch(epoch)
        drawn = list(whole)
        assert [len(share) for share in shares] == [len(whole) // 3] * 3
        batches = [[list(share)[start : start + 2] for share in shares] for start in range(0, len(shares[0]), 2)]
        assert [pair for batch in batches for part in batch for pair in part] == drawn


def test_there_is_one_process_at_least():
    with pytest.raises(ValueError, match="option data.devices is 0"):
        DataOptions(Path("manifest.csv"), devices=0)
    assert DataOptions(Path("manifest.csv"), devices=2, nodes=3).processes == 6


def test_a_process_waits_for_the_first_no_longer_than_for_whoever_started_it(monkeypatch, tmp_path):
    parents = iter([1, 1, 2])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    with pytest.raises(
        ChildProcessError, match=r"run.json was not written: the first process of the training has gone"
    ):
        create._wait_for(tmp_path / "run.json")
