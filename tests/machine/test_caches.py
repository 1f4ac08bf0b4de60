import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from saree_cosface.machine import caches


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose home is a file, and whose temporary folder is that of the test."""
    (tmp_path / "home").touch()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home" / "service"))
    monkeypatch.delenv(caches.VARIABLE, raising=False)
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(caches, "instead", None)
    monkeypatch.setattr(caches, "refused", None)
    return tmp_path


def test_without_a_home_caches_go_to_a_temporary_folder_of_ones_own(machine):
    caches.prepare()
    instead = machine / "tmp" / f"saree-cosface-{os.getuid()}"
    assert (caches.refused, caches.instead) == (machine / "home" / "service" / ".cache", instead)
    assert instead.stat().st_mode & 0o777 == 0o700
    assert os.environ[caches.VARIABLE] == str(instead)
    assert os.environ["MPLCONFIGDIR"] == str(instead / "matplotlib")
    assert caches.located("~/.cache/saree-cosface") == instead / "saree-cosface"
    del os.environ[caches.VARIABLE]
    caches.prepare()
    assert caches.instead == instead  # the next call finds what this one has kept


@pytest.mark.parametrize("taken", ["open", "link", "file"])
def test_what_others_could_write_is_not_taken_for_ones_own(machine, taken):
    name = machine / "tmp" / f"saree-cosface-{os.getuid()}"
    if taken == "open":
        name.mkdir()
        name.chmod(0o777)
    elif taken == "link":
        (machine / "elsewhere").mkdir(0o700)
        name.symlink_to(machine / "elsewhere")
    else:
        name.touch()
    caches.prepare()
    assert caches.instead.parent == machine / "tmp"
    assert caches.instead != name
    assert caches.instead.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("named", ["home/no/cache", "relative"])
def test_a_folder_of_the_environment_that_cannot_be_written(machine, monkeypatch, named):
    monkeypatch.setenv(caches.VARIABLE, str(machine / named) if "/" in named else named)
    caches.prepare()
    assert caches.cache_home() == caches.instead


def test_where_caches_can_be_written_nothing_changes(machine, monkeypatch):
    monkeypatch.setenv("HOME", str(machine / "new"))
    caches.prepare()
    assert (caches.instead, os.environ.get(caches.VARIABLE)) == (None, None)
    assert not (machine / "new").exists()
    assert caches.located("~/.cache/a") == machine / "new" / ".cache" / "a"
    assert caches.located("~/a") == machine / "new" / "a"


def test_nowhere_to_write_is_for_the_first_writer_to_say(machine, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(machine / "home"))
    caches.prepare()
    assert caches.instead is None
    with pytest.raises(ValueError, match="~nobody-here/x: there is no such home folder"):
        caches.located("~nobody-here/x")


@pytest.mark.slow
def test_numba_compiles_without_a_home(tmp_path):
    (tmp_path / "compiled.py").write_text(
        "import numba\n\n@numba.njit('i8(i8)', cache=True)\ndef one_more(x):\n    return x + 1\n"
    )
    (tmp_path / "__pycache__").touch()  # as good as a folder that cannot be written
    program = "import saree_cosface; from compiled import one_more; print(one_more(1))"
    environment = {**os.environ, "HOME": "/dev/null/service", "TMPDIR": str(tmp_path)}
    environment["PYTHONPATH"] = f"{Path.cwd()}:{tmp_path}"
    for name in (caches.VARIABLE, "NUMBA_CACHE_DIR"):
        environment.pop(name, None)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=environment)
    assert done.stdout == "2\n", done.stderr
    assert list(tmp_path.glob("saree-cosface-*/numba/**/*.nbc"))
