"""What becomes of a run whose photos are away, come back or change."""

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.splits import make_split
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.options import DataOptions, ModelOptions, Recipe
from saree_cosface.runs import create
from saree_cosface.runs.create import create_run
from saree_cosface.runs.folder import RunError
from saree_cosface.training.labelled import NoPhotosError
from tests.helpers.bad_photos import save, textured

RECIPE = Recipe(model=ModelOptions(precision="fp32"))
SHOPS = [f"shop {row // 2}" for row in range(16)]


@pytest.fixture
def captured(monkeypatch):
    """What would have been trained on."""
    seen = {}

    def capture(_, train, validation, classes, **__):
        seen.update(train=train, classes=classes)
        raise ZeroDivisionError

    monkeypatch.setattr(create, "fit", capture)
    return seen


@pytest.fixture
def manifest(tmp_path):
    """Two crafts, two photos each of eight shops; those of shops 0 and 1 are copies of each other, as are 2 and 3."""
    for row, picture in enumerate([0, 1, 0, 1, 2, 3, 2, 3, *range(8, 16)]):
        save(tmp_path / "photos" / f"{row}.jpg", textured(64, 64, picture), quality=70 + row)
    table = pd.DataFrame({"path": [f"photos/{row}.jpg" for row in range(16)], "craft": ["patola", "tant"] * 8})
    table.assign(source=SHOPS).to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path / "manifest.csv"


def begin(manifest, out, *, resume=False, **data):
    with pytest.raises(ZeroDivisionError):
        create_run(DataOptions(manifest, **{"folds": 4, **data}), RECIPE, out, resume=resume)
    return pd.read_csv(out / "manifest.csv", keep_default_na=False)


@pytest.mark.slow
def test_no_split_is_kept_of_photos_that_nobody_could_read(manifest, tmp_path, captured):
    (tmp_path / "photos").rename(tmp_path / "away")
    with pytest.raises(NoPhotosError, match=r"manifest\.csv: not one of the photos could be read; the first: .*0\.jpg"):
        create_run(DataOptions(manifest, folds=4), RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "away").rename(tmp_path / "photos")
    resumed = begin(manifest, tmp_path / "run", resume=True)
    assert resumed["split"].tolist() == begin(manifest, tmp_path / "fresh")["split"].tolist()
    assert resumed["split"][0] == resumed["split"][2]
    assert resumed["split"][4] == resumed["split"][6]


def test_photos_that_come_back_do_not_join_a_run(manifest, tmp_path, captured, capsys):
    away = [tmp_path / "photos" / f"{row}.jpg" for row in (2, 3)]
    for path in away:
        path.rename(tmp_path / path.name)
    used = begin(manifest, tmp_path / "run")
    assert len(used) == 14
    assert "2 photos cannot be used and were left out" in " ".join(capsys.readouterr().err.split())
    assert begin(manifest, tmp_path / "run", resume=True).equals(used)
    for path in away:
        (tmp_path / path.name).rename(path)
    with pytest.raises(
        RunError, match=r"other photos.*2 files have come, gone or changed; the first: .*/photos/2\.jpg"
    ):
        create_run(DataOptions(manifest, folds=4), RECIPE, tmp_path / "run", resume=True)
    with pytest.raises(RunError, match="holds a run already"):
        create_run(DataOptions(manifest, folds=4), RECIPE, tmp_path / "run")


def test_a_photo_that_changes_or_goes_stops_a_resumption(manifest, tmp_path, captured):
    begin(manifest, tmp_path / "run")
    save(tmp_path / "photos" / "9.jpg", textured(64, 64, 99))
    for _ in range(2):
        with pytest.raises(RunError, match=r"1 files have come, gone or changed; the first: .*/photos/9\.jpg"):
            create_run(DataOptions(manifest, folds=4), RECIPE, tmp_path / "run", resume=True)
        (tmp_path / "photos" / "9.jpg").unlink(missing_ok=True)


def test_a_craft_of_which_no_photo_can_be_read_is_not_learned(manifest, tmp_path, captured, capsys):
    with manifest.open("a") as file:
        file.writelines(f"photos/gone{row}.jpg,jamdani,shop {row}\n" for row in range(8))
    begin(manifest, tmp_path / "run")
    assert captured["classes"] == ("patola", "tant")
    said = " ".join(capsys.readouterr().err.split())
    assert "Not one photo of jamdani could be read" in said
    assert "8 photos cannot be used" in said


def test_a_photo_that_changed_since_it_was_listed_is_left_out(manifest, tmp_path, captured, capsys):
    table = pd.read_csv(manifest).assign(sha256="")
    table.loc[5, "sha256"] = "0" * 64
    table.to_csv(manifest, index=False)
    used = begin(manifest, tmp_path / "run")
    assert str(tmp_path / "photos" / "5.jpg") not in used["path"].tolist()
    assert "5.jpg: changed since its checksum was recorded" in capsys.readouterr().err.replace("\n", "")


def test_a_split_of_all_photos_deals_those_that_can_be_read(manifest, tmp_path, captured):
    listed = read_manifest(manifest)
    split = make_split(listed, "source", n_folds=4, seed=1)
    split.save(tmp_path / "mine.json")
    (tmp_path / "photos" / "0.jpg").unlink()
    used = begin(manifest, tmp_path / "run", split=tmp_path / "mine.json")
    train = {str(listed.files()[row]) for row, path in enumerate(listed.table["path"]) if split.fold[path] > 1}
    assert set(used["path"][used["split"] == "train"]) == train - {str(listed.files()[0])}


def test_a_run_is_not_finished_without_photos_it_learned_from(manifest, tmp_path, monkeypatch):
    fitted = SimpleNamespace(best_epoch=0, history=[{}], embedder=SimpleNamespace(card=EmbedderCard()), bad=())
    monkeypatch.setattr(create, "fit", lambda *_, **__: fitted)
    gone = (BadImage(tmp_path / "photos" / "4.jpg", "no such file"),)
    monkeypatch.setattr(create, "build_gallery", lambda *_, **__: (None, gone))
    with pytest.raises(RunError, match=r"1 photos have changed or gone during the training; .*4\.jpg.*--resume"):
        create_run(DataOptions(manifest, folds=4), replace(RECIPE), tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()
