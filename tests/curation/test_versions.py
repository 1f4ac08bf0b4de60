"""A new version of a manifest, with the account of what it was made from: written whole, and decided on in its turn."""

import os
import shutil
from pathlib import Path

import pytest

from saree_cosface.curation.deciding import decide_about, open_log
from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.log import CurationLog
from saree_cosface.curation.versions import account, apply_log, write_version
from saree_cosface.data.manifest_file import read_manifest
from tests.helpers.decided import about, labels


def test_the_same_log_serves_the_next_version(log, manifest, tmp_path):
    about(log, "relabel", "a.jpg", craft="patola")
    about(log, "exclude", "b.jpg")
    second = tmp_path / "elsewhere" / "manifest-2.parquet"
    applied, entries = apply_log(log, manifest)
    write_version(
        applied, account(applied, entries, second.parent, log=log.path, path=manifest, run=None), second, manifest
    )
    again, _ = apply_log(log, second)
    assert (again.changes, [entry.photo for entry in again.missing]) == ((), ["shop/b.jpg"])
    log.close()
    opened, read = open_log(log.path, second, by="Asha")
    with opened:
        entry = decide_about(opened, read, "accept", "shop/a.jpg", by="Ravi")
        assert (entry.photo, entry.value, entry.manifest) == ("shop/a.jpg", "patola", read.sha256)
        # Accepting the new label says of the old manifest that it was wrong.
        assert labels(apply_log(opened, manifest)[0])["shop/a.jpg"] == "patola"
        assert apply_log(opened, manifest, upto=1)[0].after.sha256 == applied.before.sha256
        with pytest.raises(CurationError, match="there is no entry 99; the last is 5"):
            apply_log(opened, manifest, upto=99)
    moved = shutil.copytree(tmp_path, tmp_path.with_name("moved"))
    with CurationLog(moved / "first" / "decisions.db") as there:
        found, _ = apply_log(there, moved / "first" / "manifest.csv")
        assert labels(found) == labels(apply_log(there, manifest)[0])


@pytest.mark.parametrize("theirs", ["new.csv", "new.curation.json"])
def test_nothing_half_written(log, manifest, tmp_path, full_disk, monkeypatch, theirs):
    applied, entries = apply_log(log, manifest)
    document = account(applied, entries, tmp_path, log=log.path, path=manifest, run=None)
    with full_disk(100), pytest.raises(OSError, match="large|space"):
        write_version(applied, document, tmp_path / "new.csv", manifest)
    link = os.link

    def faster(source, target):  # somebody writes the file in the last moment
        if Path(target).name == theirs:
            Path(target).write_text("theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", faster)
    with pytest.raises(CurationError, match="somebody else wrote it meanwhile"):
        write_version(applied, document, tmp_path / "new.csv", manifest)
    assert (tmp_path / theirs).read_text() == "theirs"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["first", theirs]


def test_a_disk_without_links(manifest, path, tmp_path, monkeypatch):
    def none(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    log, _ = open_log(path, manifest, by="A")
    with log:
        about(log, "exclude", "a.jpg")
        applied, entries = apply_log(log, manifest)
    document = account(applied, entries, tmp_path, log=path, path=manifest, run=None)
    write_version(applied, document, tmp_path / "new.csv", manifest)
    assert len(read_manifest(tmp_path / "new.csv", on_unknown="keep")) == 4
    assert (tmp_path / "new.curation.json").is_file()
