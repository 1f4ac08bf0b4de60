"""A run begun again in its folder: finished, of other options, damaged, or killed at any moment."""

import multiprocessing
import os
import random
import shutil
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml

from saree_cosface.cli import main
from saree_cosface.runs import create
from saree_cosface.runs import folder as run_folder
from saree_cosface.runs.folder import RunError
from tests.helpers.again import RECIPE, again
from tests.helpers.tiny import SOME


def test_a_finished_run_is_not_trained_again(tiny_run, tiny_corpus, tiny_cache, no_training, capsys):
    same = again(tiny_corpus, tiny_cache, tiny_run.folder)
    assert same.used == tiny_run.used
    assert "finished already" in capsys.readouterr().err.replace("\n", " ")


def test_a_folder_is_not_overwritten(tiny_run, tiny_corpus, tiny_cache, tmp_path, no_training):
    with pytest.raises(RunError, match=r"holds a run already: go on with --resume"):
        again(tiny_corpus, tiny_cache, tiny_run.folder, resume=False)
    (tmp_path / "thesis.doc").write_text("years of work")
    for resume in (True, False):
        with pytest.raises(RunError, match="exists and is no run"):
            again(tiny_corpus, tiny_cache, tmp_path, resume=resume)
    with pytest.raises(RunError, match="exists and is no run"):
        again(tiny_corpus, tiny_cache, tmp_path / "thesis.doc")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_other_options_or_photos_cannot_go_on_with_a_run(tiny_corpus, tiny_cache, copied, tmp_path, no_training):
    other = replace(RECIPE, seed=1)
    with pytest.raises(RunError, match=r"begun with other options.*config\.yaml"):
        again(tiny_corpus, tiny_cache, copied, other)
    with pytest.raises(RunError, match="begun with other options"):
        again(tiny_corpus, tiny_cache, copied, folds=5)
    (copied / "run.json").unlink()
    used = copied / "manifest.csv"
    used.write_text("\n".join(used.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(RunError, match="begun with other photos, labels or parts"):
        again(tiny_corpus, tiny_cache, copied)
    assert not (copied / "run.json").exists()


@pytest.mark.parametrize("text", ["{", "[]", "data: {}", "\x00", ""])
def test_a_damaged_config_is_named(tiny_corpus, tiny_cache, copied, text, no_training):
    (copied / "config.yaml").write_text(text)
    with pytest.raises(RunError, match=r"config\.yaml: "):
        again(tiny_corpus, tiny_cache, copied)


@pytest.mark.slow
def test_a_run_killed_after_its_training_is_completed(tiny_run, tiny_corpus, tiny_cache, copied):
    for name in ("run.json", "parts.json"):
        (copied / name).unlink()
    shutil.rmtree(copied / "gallery")
    shutil.rmtree(copied / "embedder")
    run = again(tiny_corpus, tiny_cache, copied)
    for path in ("embedder/model.safetensors", "embedder/embedder.json", "parts.json", "run.json"):
        assert (copied / path).read_bytes() == (tiny_run.folder / path).read_bytes(), path
    assert np.array_equal(run.gallery.embeddings, tiny_run.gallery.embeddings)


def test_what_a_killed_process_left_of_a_file_does_not_block_the_folder(tiny_corpus, tiny_cache, tmp_path, monkeypatch):
    (tmp_path / ".config-x7.yaml").write_text("da")
    monkeypatch.setattr(create, "fit", lambda *_, **__: 1 / 0)
    for _ in range(2):  # begun, and resumed before there is a checkpoint
        with pytest.raises(ZeroDivisionError):
            again(tiny_corpus, tiny_cache, tmp_path)
    settings = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert settings["data"]["manifest"] == str(tiny_corpus)


def test_automatic_precision_is_decided_once_for_a_run(tiny_corpus, tiny_cache, tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setattr(create, "fit", lambda recipe, *_, **__: chosen.append(recipe.model.precision) or 1 / 0)
    auto = replace(RECIPE, model=replace(RECIPE.model, precision="auto"))
    for answer in ("bf16", "fp32"):  # another load on the machine, another answer
        monkeypatch.setattr(run_folder, "resolved_precision", lambda _, answer=answer: answer)
        with pytest.raises(ZeroDivisionError):
            again(tiny_corpus, tiny_cache, tmp_path / "run", auto)
    assert chosen == ["bf16", "bf16"]


def test_a_folder_that_cannot_be_written(tiny_corpus, tiny_cache, tmp_path, monkeypatch, no_training):
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(RunError, match=r"cannot be written \(Read-only file system\): choose another folder"):
        again(tiny_corpus, tiny_cache, tmp_path / "run")


begun_by_a_server = multiprocessing.get_context("forkserver")
begun_by_a_server.set_forkserver_preload([__name__])  # so that it loads the program once, for all that are killed


def in_a_process(arguments, said, errors):
    """A command, whose streams go into files."""
    for stream, path in ((1, said), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    main(arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        "--optim.epochs 10 --optim.ema 0.9 --head.margin_warmup 0.3",
        "--optim.epochs 4 --optim.patience 3 --model.backbone test_resnet --model.pretrained false --model.trainable_stages 5",
    ],
    ids=["frozen", "trainable"],
)
def test_kill_minus_nine_at_any_moment(tiny_corpus, tiny_cache, tmp_path, options, capfd):
    def command(out, *more):
        return [
            *("train", "--data.manifest", str(tiny_corpus), "--data.where", SOME, "--data.folds", "4"),
            *("--data.cache", str(tiny_cache), "--model.precision", "fp32", "--model.embedding_dim", "32"),
            *("--optim.batch_size", "8", *options.split(), "--out", str(out), *more),
        ]

    def kill_once(out, begun, delay, *more):
        said, errors = tmp_path / "stdout", tmp_path / "stderr"
        process = begun_by_a_server.Process(target=in_a_process, args=(command(out, *more), said, errors))
        process.start()
        try:
            deadline = time.monotonic() + 120
            while not begun.exists() and process.is_alive() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(delay)
        finally:
            process.kill()
            process.join()
        errors = errors.read_bytes()
        assert process.exitcode in (-signal.SIGKILL, 0), errors.decode()
        assert said.read_bytes() == b""
        for clutter in (b"weights_only", b"GPU available", b"Tip:", b"Warning", b"litlogger", b"INFO"):
            assert clutter not in errors

    moments = random.Random(os.urandom(8))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    early, late = moments.uniform(0, 1), moments.uniform(0, 2)
    kill_once(broken, broken / "config.yaml", early)
    kill_once(broken, broken / "last.ckpt", late, "--resume")
    for out, more in ((broken, ["--resume"]), (whole, [])):
        with pytest.raises(SystemExit) as stopped:
            main(command(out, *more))
        assert not stopped.value.code, capfd.readouterr().err
    assert capfd.readouterr().out == ""
    said = f"killed {early:.2f} s after the start and {late:.2f} s after a checkpoint"
    for path in ("embedder/model.safetensors", "metrics.csv", "split.json", "parts.json", "run.json"):
        assert (broken / path).read_bytes() == (whole / path).read_bytes(), f"{path}: {said}"
    first, second = ({path.name for path in (out / "gallery").glob("[!.]*.npy")} for out in (broken, whole))
    assert first == second  # named by their content
