"""Five photos with their manifest, a log of decisions about them, and the command that writes and reads it."""

import csv

import pytest

from saree_cosface.cli import main
from saree_cosface.curation.deciding import open_log
from tests.helpers.bad_photos import save, textured
from tests.helpers.decided import ROWS


@pytest.fixture
def manifest(tmp_path):
    """Five photos in a folder of their own, with their manifest; one label is no craft."""
    path = tmp_path / "first" / "manifest.csv"
    for seed, row in enumerate(csv.DictReader(ROWS.splitlines())):
        save(path.parent / row["path"], textured(seed=seed))
    path.write_text(ROWS)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "first" / "decisions.db"


@pytest.fixture
def log(manifest, path):
    opened, _ = open_log(path, manifest, by="Asha")
    with opened:
        yield opened


@pytest.fixture
def call(capsys):
    """Runs `saree-cosface curate`; returns its exit status, stdout and stderr (in one line)."""

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main(["curate", *(str(argument) for argument in arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, " ".join(err.split())

    return run
