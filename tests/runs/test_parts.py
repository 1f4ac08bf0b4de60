"""The parts of a run: by the column split, by a file, or by sources; and photos that none can have."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.splits import SplitError, load_split, make_split
from saree_cosface.files import sha256_of
from saree_cosface.options import DataOptions, OptimOptions
from saree_cosface.runs import create, parts
from saree_cosface.runs.create import create_run
from saree_cosface.runs.folder import RunError
from tests.helpers import altered
from tests.helpers.again import RECIPE
from tests.helpers.bad_photos import BAD, save, textured


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
