import threading
import time
from types import SimpleNamespace

import pytest

from app import background
from app.background import ReferenceMaps, sweep_now_and_then, warm_up


def settled(maps, run):
    """The map of a run's references once its drawing has ended."""
    for _ in range(500):
        if "still being drawn" not in maps.remark(run):
            return maps.of(run)
        time.sleep(0.01)
    raise AssertionError(maps.remark(run))


@pytest.mark.parametrize(
    "error", [RuntimeError("cannot cache function 'rdist'"), OSError(28, "No space left on device"), MemoryError()]
)
def test_a_map_that_cannot_be_drawn_is_not_being_drawn_for_ever(error, monkeypatch, capsys):
    def fail(_):
        raise error

    monkeypatch.setattr(background, "reference_map", fail)
    run, maps = SimpleNamespace(gallery="abc"), ReferenceMaps(None)
    assert maps.of(run) is None
    assert settled(maps, run) is None
    assert maps.remark(run).startswith("The map of the references could not be drawn")
    said = capsys.readouterr().err
    assert "app: no map of the references: " in said
    assert (str(error) or "MemoryError") in said
    monkeypatch.setattr(background, "reference_map", lambda run: f"map of {run.gallery}")
    grown = SimpleNamespace(gallery="abcd")  # somebody enrolled a photo
    assert maps.of(grown) is None
    assert settled(maps, grown) == "map of abcd"


def test_of_a_single_reference_there_is_no_map():
    run, maps = SimpleNamespace(gallery="a"), ReferenceMaps(None)
    maps.of(run)
    assert settled(maps, run) is None
    assert "single reference" in maps.remark(run)


def test_a_warm_up_that_fails_says_so(tmp_path, capsys):
    warm_up(SimpleNamespace(), None, tmp_path / "gone")
    for thread in threading.enumerate():
        if thread.name.endswith("warm-up"):
            thread.join(10)
    assert "app: the warm-up failed: " in capsys.readouterr().err


def test_a_sweep_that_fails_is_not_the_last(monkeypatch, capsys):
    swept = []

    def sweep():
        swept.append(True)
        if len(swept) == 1:
            raise PermissionError(13, "Permission denied", "/tmp/uploads")
        threading.Event().wait()  # as long as the tests last

    monkeypatch.setattr(background, "sweep", sweep)
    monkeypatch.setattr(background, "_PAUSE", 0.001)
    sweep_now_and_then()
    for _ in range(500):
        if len(swept) > 1:
            break
        time.sleep(0.01)
    assert len(swept) == 2
    assert "app: uploads could not be swept: " in capsys.readouterr().err
