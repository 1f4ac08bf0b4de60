"""The streams that a command is given: closed, full, left by their reader, or of a locale that knows no UTF-8."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers.bad_photos import save, textured
from tests.helpers.folders import collection

LOCALES = (
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
)


def shell(line, **environment):
    """A line of the shell, in which ``saree-cosface`` is this package's command."""
    command = f'saree-cosface() {{ "{sys.executable}" -m saree_cosface "$@"; }}\n{line}'
    environment = {**os.environ, **environment}
    done = subprocess.run(["bash", "-c", command], capture_output=True, timeout=120, env=environment, check=False)
    for complaint in (b"Traceback", b"Exception ignored"):
        assert complaint not in done.stderr
    return done


@pytest.fixture
def photos(tmp_path):
    """A folder of a photo each of two crafts."""
    for number, name in enumerate(("kasavu/a", "tant/साड़ी")):
        save(tmp_path / "photos" / f"{name}.png", textured(seed=number))
    return tmp_path / "photos"


def test_a_closed_stdout_is_said_before_the_work():
    done = shell("saree-cosface predict no-run a.jpg --json >&-")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"saree-cosface: stdout is closed")


@pytest.mark.slow
def test_streams_that_are_closed_and_not_needed_are_not_missed(photos, tmp_path):
    assert shell("saree-cosface --help <&- >&- 2>&-").returncode == 0
    done = shell(f"saree-cosface data import {photos} --out {tmp_path}/m.csv <&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len((tmp_path / "m.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_a_full_stdout_is_told():
    done = shell("saree-cosface train --data.manifest m.csv --out run --print_config > /dev/full")
    assert done.returncode == 1
    assert b"no space left on device; make room" in done.stderr


@pytest.mark.slow
def test_people_who_stop_reading_do_not_stop_the_work(photos, tmp_path):
    done = shell(f"saree-cosface data import {photos} --out {tmp_path}/m.csv --json 2> >(exit)")
    assert done.returncode == 0
    assert json.loads(done.stdout)["photos"] == 2


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_help_is_utf_8_in_every_locale(locale):
    assert "→".encode() in shell("saree-cosface --help", **locale).stdout


def test_a_folder_that_is_gone_is_named(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); from saree_cosface.cli import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script.replace("main()", "main(['data', 'check', 'm.csv'])")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert ended.returncode == 1
    assert "the folder that this was started in is gone" in ended.stderr


@pytest.mark.slow
def test_a_reader_who_left_is_no_crash(tmp_path):
    folder = collection(tmp_path)
    table = pd.DataFrame({"path": [str(path) for path in folder.rglob("*.png")], "craft": "kasavu", "source": "x"})
    table.to_csv(tmp_path / "m.csv", index=False)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        process = subprocess.run(
            [
                sys.executable,
                "-m",
                "saree_cosface",
                "data",
                "check",
                str(tmp_path / "m.csv"),
                "--crops",
                "false",
                "--json",
            ],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "Exception ignored" not in process.stderr
