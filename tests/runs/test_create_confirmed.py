"""A run that learns from confirmed labels alone."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from saree_cosface.curation.deciding import decide_about, open_log
from saree_cosface.curation.decisions import CurationError
from saree_cosface.options import DataOptions, Recipe
from saree_cosface.runs.create import _chosen
from saree_cosface.runs.folder import RunError, check_folder, settings_of
from saree_cosface.training.labelled import NoPhotosError


@pytest.fixture
def manifest(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    table = pd.DataFrame({"path": [f"{name}.jpg" for name in "abc"], "craft": "patola", "basis": "caption"})
    table.to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path / "manifest.csv"


def accept(log, manifest, *photos):
    opened, read = open_log(log, manifest, by="Asha")
    with opened:
        for photo in photos:
            decide_about(opened, read, "accept", photo, by="Asha")


def test_only_confirmed_photos_are_learned_from(manifest, tmp_path, capsys):
    assert len(_chosen(DataOptions(manifest))) == 3
    with pytest.raises(NoPhotosError, match=r"not one label is confirmed.*curate .*decisions\.db accept PHOTO"):
        _chosen(DataOptions(manifest, confirmed=True))
    accept(tmp_path / "decisions.db", manifest, "b.jpg")
    assert _chosen(DataOptions(manifest, confirmed=True)).table["path"].tolist() == ["b.jpg"]
    assert "1 of 3 photos have a label that is confirmed" in " ".join(capsys.readouterr().err.split())


def test_the_log_may_lie_elsewhere_and_must_be_there(manifest, tmp_path):
    other = tmp_path / "elsewhere.db"
    with pytest.raises(CurationError, match=r"elsewhere\.db"):
        _chosen(DataOptions(manifest, confirmed=True, log=other))
    accept(other, manifest, "a.jpg", "c.jpg")
    assert len(_chosen(DataOptions(manifest, confirmed=True, log=other))) == 2


def test_a_run_that_was_begun_before_there_was_such_an_option_goes_on(tmp_path):
    data = DataOptions(Path("m.csv"))
    old = settings_of(data, Recipe())
    del old["data"]["confirmed"], old["data"]["log"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(old))
    check_folder(tmp_path, settings_of(data, Recipe()), resume=True)
    with pytest.raises(RunError, match="other options"):
        check_folder(tmp_path, settings_of(DataOptions(Path("m.csv"), confirmed=True), Recipe()), resume=True)
