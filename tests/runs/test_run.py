import json
import multiprocessing
import os
import random
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.splits import SplitError, load_split, make_split
from saree_cosface.features.embedding import embed_photos
from saree_cosface.files import sha256_of
from saree_cosface.options import DataOptions, ModelOptions, OptimOptions, Recipe
from saree_cosface.runs import create, parts
from saree_cosface.runs import folder as run_folder
from saree_cosface.runs.create import create_run
from saree_cosface.runs.folder import RunError
from saree_cosface.runs.run import load_run
from tests.helpers import altered
from tests.helpers.bad_photos import BAD, save, textured
from tests.helpers.tiny import CRAFTS, SOME

RECIPE = Recipe(
    model=ModelOptions(embedding_dim=32, precision="fp32"), optim=OptimOptions(epochs=6, batch_size=16, lr=5e-3)
)


def again(corpus, cache, out, recipe=RECIPE, *, resume=True, **data):
    """As ``tiny_run`` was made."""
    options = {"where": SOME, "folds": 4, "cache": cache, **data}
    return create_run(DataOptions(corpus, **options), recipe, out, resume=resume)


@pytest.fixture
def copied(tiny_run, tmp_path):
    return Path(shutil.copytree(tiny_run.folder, tmp_path / "run"))


@pytest.fixture
def no_training(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("a training was begun")

    monkeypatch.setattr(create, "fit", fail)


# --- what a run is ---------------------------------------------------------------------------------------------------


def test_a_run_holds_what_was_decided_and_learned(tiny_run, tiny_corpus):
    names = {path.name for path in tiny_run.folder.iterdir()}
    assert names == {
        *("config.yaml", "split.json", "manifest.csv", "parts.json", "run.json", "embedder", "gallery"),
        *("last.ckpt", "metrics.csv", "learning_curves.png", "tensorboard"),
    }
    assert tiny_run.classes == CRAFTS
    manifest = read_manifest(tiny_corpus, where=SOME)
    used = pd.read_csv(tiny_run.folder / "manifest.csv")
    assert used["craft"].tolist() == manifest.crafts.tolist()
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in used["path"])
    split = load_split(tiny_run.folder / "split.json")
    assert tiny_run.split_hash == split.hash == tiny_run.embedder.card.split_hash
    assert tiny_run.embedder.card.manifest_sha256 == manifest.sha256
    folds = np.array([split.fold[path] for path in manifest.table["path"]])
    parts = np.where(folds == 0, "test", np.where(folds == 1, "validation", "train"))
    assert used["split"].tolist() == parts.tolist()
    assert sorted(tiny_run.used.values()) == sorted(parts)


def test_sources_are_never_shared_by_parts(tiny_run):
    train, validation, test = (tiny_run.sources[part] for part in ("train", "validation", "test"))
    assert train
    assert validation
    assert test
    assert not train & validation | train & test | validation & test


@pytest.mark.slow
def test_the_gallery_is_the_training_photos_as_the_embedder_sees_them(tiny_run):
    table = tiny_run.gallery.references
    assert set(table["sha256"]) == {sha256 for sha256, part in tiny_run.used.items() if part == "train"}
    assert set(table["source"]) == tiny_run.sources["train"]
    embedded = embed_photos(tiny_run.embedder, [Path(path) for path in table["path"]])
    # Other photos in a batch may change the last digits: libraries choose their kernels by its size.
    assert np.allclose(embedded.embeddings, tiny_run.gallery.embeddings, atol=2**-12)  # half precision
    assert all((tiny_run.folder / "gallery" / name).is_file() for name in table["thumbnail"])


def test_the_card_tells_the_scores(tiny_run):
    card, summary = tiny_run.embedder.card, json.loads((tiny_run.folder / "run.json").read_text())
    assert card.metrics["best_epoch"] == summary["best_epoch"]
    assert card.metrics["validation/balanced_accuracy"] == summary["score"]
    assert summary["classes"] == list(CRAFTS)


def test_loading_gives_the_same_run(tiny_run):
    loaded = load_run(tiny_run.folder)
    assert loaded.used == tiny_run.used
    assert loaded.sources == tiny_run.sources
    assert loaded.gallery.references.equals(tiny_run.gallery.references)


# --- folders ---------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "run.json").unlink(), "an unfinished run; finish it with --resume"),
        (lambda folder: (folder / "parts.json").unlink(), r"parts\.json: missing or damaged"),
        (lambda folder: (folder / "parts.json").write_text("[]"), r"parts\.json: missing or damaged"),
        (lambda folder: (folder / "parts.json").write_text('{"used":'), r"parts\.json: missing or damaged"),
        (lambda folder: shutil.rmtree(folder / "embedder"), r"embedder\.json: cannot be read"),
        (lambda folder: shutil.rmtree(folder / "gallery"), "gallery: not a gallery"),
        (shutil.rmtree, "not a run; give the folder"),
    ],
)
def test_a_damaged_run_is_named(copied, damage, said):
    damage(copied)
    with pytest.raises(ValueError, match=said):
        load_run(copied)


def test_a_folder_that_cannot_be_written(tiny_corpus, tiny_cache, tmp_path, monkeypatch, no_training):
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(RunError, match=r"cannot be written \(Read-only file system\): choose another folder"):
        again(tiny_corpus, tiny_cache, tmp_path / "run")


# --- parts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def captured(monkeypatch):
    """What would have been trained on."""
    seen = {}

    def capture(_, train, validation, classes, **__):
        seen.update(train=train, validation=validation, classes=classes)
        raise ZeroDivisionError

    monkeypatch.setattr(create, "fit", capture)
    return seen


@pytest.fixture
def no_copies(monkeypatch):
    """Photos of which none is looked for twice."""
    monkeypatch.setattr(parts, "copy_groups", lambda files, *_, **__: np.arange(len(files)))


def table(tmp_path, crafts, sources, splits=None):
    for row in range(len(crafts)):
        save(tmp_path / "photos" / f"{row}.png", textured(64, 64, row))
    content = pd.DataFrame(
        {
            "path": [f"photos/{row}.png" for row in range(len(crafts))],
            "craft": crafts,
            "source": sources,
            "split": splits or "",
        }
    )
    content.to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path / "manifest.csv"


TWELVE = ["chanderi", "jamdani", "kasavu"] * 4
SHOPS = [f"shop {row // 3}" for row in range(12)]


def begin(manifest, out, **data):
    with pytest.raises(ZeroDivisionError):
        create_run(DataOptions(manifest, **{"folds": 4, "cache": out.parent / "cache", **data}), RECIPE, out)


@pytest.mark.slow
def test_the_column_split_is_followed(tmp_path, captured, capsys):
    splits = ["train"] * 6 + ["val"] * 3 + ["Test"] * 2 + [""]
    begin(table(tmp_path, TWELVE, SHOPS, splits), tmp_path / "run")
    assert [path.name for path in captured["train"].files] == [f"{row}.png" for row in range(6)]
    assert len(captured["validation"]) == 3
    assert "will flatter" not in capsys.readouterr().err
    assert not (tmp_path / "run" / "split.json").exists()


@pytest.mark.slow
def test_a_column_split_that_parts_a_source_is_warned_of(tmp_path, captured, capsys):
    begin(table(tmp_path, TWELVE, ["one shop"] * 12, ["train"] * 9 + ["test"] * 3), tmp_path / "run")
    assert "photos of 1 sources both in training and in test" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_a_column_split_changed_since_the_run_began_is_noticed(tmp_path, captured):
    splits = ["train"] * 9 + ["test"] * 3
    begin(table(tmp_path, TWELVE, SHOPS, splits), tmp_path / "run")
    manifest = table(tmp_path, TWELVE, SHOPS, [*splits[:-1], "train"])
    with pytest.raises(RunError, match="other photos, labels or parts"):
        create_run(DataOptions(manifest, folds=4), RECIPE, tmp_path / "run", resume=True)


def test_an_unknown_word_in_the_column_split(tmp_path, captured):
    manifest = table(tmp_path, TWELVE, SHOPS, ["train"] * 11 + ["dev"])
    with pytest.raises(RunError, match="the column split holds dev; it may hold train"):
        create_run(DataOptions(manifest), RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()  # nothing half-begun


@pytest.mark.slow
def test_a_split_file_is_followed_and_must_fit(tmp_path, captured):
    manifest = table(tmp_path, TWELVE, SHOPS)
    split = make_split(read_manifest(manifest), "source", n_folds=3, seed=5)
    split.save(tmp_path / "mine.json")
    begin(manifest, tmp_path / "run", split=tmp_path / "mine.json", test_fold=2, validation_fold=-1)
    train, _ = split.rows(read_manifest(manifest), 2)
    assert [path.name for path in captured["train"].files] == [f"{row}.png" for row in train]
    assert captured["validation"] is None
    assert load_split(tmp_path / "run" / "split.json") == split
    manifest = table(tmp_path, [*TWELVE[:-1], "jamdani"], SHOPS)
    with pytest.raises(SplitError, match="made for other photos"):
        create_run(DataOptions(manifest, split=tmp_path / "mine.json"), RECIPE, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_no_fold_held_out_trains_on_everything(tmp_path, captured, no_copies):
    begin(table(tmp_path, TWELVE, SHOPS), tmp_path / "run", test_fold=-1, validation_fold=-1)
    assert len(captured["train"]) == 12


@pytest.mark.slow
def test_two_shops_with_one_photograph_are_on_one_side(tmp_path, captured):
    manifest = table(tmp_path, [*TWELVE, "kasavu", "kasavu"], [*SHOPS, "shop 4", "shop 5"])
    whole = altered.photo(altered.woven("patola", 1))
    save(tmp_path / "photos" / "12.png", whole)
    save(tmp_path / "photos" / "13.png", altered.part(whole, 0.3, 0.9))
    begin(manifest, tmp_path / "run", folds=3)
    fold = load_split(tmp_path / "run" / "split.json").fold
    assert fold["photos/12.png"] == fold["photos/13.png"]
    alone = make_split(read_manifest(manifest), "source", n_folds=3, seed=RECIPE.seed).fold
    assert alone["photos/12.png"] != alone["photos/13.png"]  # it was the photograph that joined them


def test_a_craft_with_one_photo_and_one_that_training_misses(tmp_path, captured):
    crafts = ["patola", "ajrakh", *TWELVE]
    sources = ["shop 0", "shop 3", *SHOPS]
    splits = ["train", "val", *(["train"] * 6 + ["val"] * 3 + ["test"] * 3)]
    begin(table(tmp_path, crafts, sources, splits), tmp_path / "run")
    assert captured["classes"] == ("chanderi", "jamdani", "kasavu", "patola")
    assert np.bincount(captured["train"].labels).tolist() == [2, 2, 2, 1]
    assert len(captured["validation"]) == 3  # ajrakh cannot be answered, so it cannot choose the epoch


@pytest.mark.parametrize(
    ("crafts", "sources", "data", "error", "said"),
    [
        (["kasavu"] * 12, SHOPS, {}, RunError, "holds 1 craft; a comparison needs at least 2"),
        (TWELVE, [""] * 12, {}, SplitError, "have no source.*column split.*--data.test_fold -1"),
        (TWELVE, ["a"] * 12, {}, SplitError, "of one source, so none.*column split.*--data.test_fold -1"),
        (TWELVE, ["a", "b"] * 6, {}, SplitError, "fewer than 4 folds.*--data.folds; with 2, --data.validation_fold -1"),
        (TWELVE, SHOPS, {"test_fold": 9}, SplitError, "--data.test_fold is 9: with --data.folds 4 it may be 0 to 3"),
        (TWELVE, ["a", "b"] * 6, {"folds": 2}, SplitError, "2 folds leave none to train on: take more"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing_behind(
    tmp_path, crafts, sources, data, error, said, no_training, monkeypatch
):
    manifest = table(tmp_path, crafts, sources)
    if len(set(sources)) < 3 and "folds" not in data:  # told before anything is decoded
        monkeypatch.setattr(create, "read_photos", lambda *_: pytest.fail("photos were decoded"))
    with pytest.raises(error, match=said):
        create_run(DataOptions(manifest, **{"folds": 4, "cache": tmp_path / "cache", **data}), RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("sources", "data"),
    [
        ([""] * 12, {"test_fold": -1, "validation_fold": -1}),
        (["a"] * 12, {"test_fold": -1, "validation_fold": -1}),
        (["a", "b"] * 6, {"folds": 2, "validation_fold": -1}),
    ],
)
def test_what_is_advised_where_sources_are_too_few_works(tmp_path, captured, sources, data):
    manifest = table(tmp_path, ["chanderi", "chanderi", "jamdani", "jamdani"] * 3, sources)
    begin(manifest, tmp_path / "run", **data)
    assert len(captured["train"]) == (6 if "folds" in data else 12)


@pytest.mark.slow
def test_a_manifest_with_bad_photos_is_trained_without_them(tmp_path, tiny_cache, capsys):
    manifest = table(tmp_path, TWELVE, SHOPS)
    folder = tmp_path / "photos"
    bad = [make(folder) for make in BAD]
    with manifest.open("a") as file:
        file.writelines(f"photos/{path.name},chanderi,shop {row % 4},\n" for row, path in enumerate(bad))
        file.write("photos/missing.jpg,patola,shop 3,\n")  # all that is listed of patola
    recipe = replace(RECIPE, optim=OptimOptions(epochs=2, batch_size=4))
    data = DataOptions(manifest, folds=4, cache=tiny_cache)
    run = create_run(data, recipe, tmp_path / "run")
    said = " ".join(capsys.readouterr().err.split())
    assert "cannot be used and were left out" in said
    assert set(run.gallery.crafts) <= set(TWELVE)
    assert not set(run.gallery.references["path"]) & {str(path) for path in bad}
    good = {sha256_of(folder / f"{row}.png") for row in range(12)}
    assert good <= set(run.used)
    assert {sha256 for sha256, part in run.used.items() if part == "train"} >= set(run.gallery.references["sha256"])


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
