"""What a run is: what its folder holds when it is finished, loaded again, or damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.splits import load_split
from saree_cosface.features.embedding import embed_photos
from saree_cosface.runs.run import load_run
from tests.helpers.tiny import CRAFTS, SOME


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
