import os
import shlex
from types import SimpleNamespace

import pytest

from saree_cosface.cli import command_line, main
from saree_cosface.commands import demo

WAY = ["loom", "data check", "train", "calibrate", "evaluate", "predict", "report"]
RESULTS = {
    "loom": "corpus/manifest.csv",
    "train": "run/run.json",
    "calibrate": "run/calibration/calibration.json",
    "evaluate": "run/evaluation/source/evaluation.json",
    "report": "report.html",
}


@pytest.fixture
def tour(tmp_path, monkeypatch, capsys):
    """A demonstration in whose place of commands are ones that only write their results; ``tour.broken`` is one that
    fails. Calling it returns the exit status, the commands that ran, and what was said."""
    ran = []

    def write(name):
        path = tmp_path / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")

    def act(module, typed):
        words = shlex.split(typed)
        name = " ".join(words[:2]) if words[0] == "data" else words[0]
        command_line(words[0])[0].parse_args(words)  # which exits if it cannot be typed
        ran.append(typed)
        if name == run.broken:
            return 3
        if name in RESULTS:
            write(RESULTS[name])
        if name == "train":
            rows = "".join(f"/{part} {n}.jpg,kasavu,{part}\n" for part in ("train", "test") for n in range(50))
            (tmp_path / "demo" / "run" / "manifest.csv").write_text("path,craft,split\n" + rows)
        return 0

    def run(*arguments):
        ran.clear()
        with pytest.raises(SystemExit) as stopped:
            main(["demo", "--out", str(tmp_path / "demo"), *arguments])
        err = " ".join(capsys.readouterr().err.split())
        return stopped.value.code, list(ran), err

    run.broken = ""
    monkeypatch.setattr(demo, "_call", act)
    return run


def names(ran):
    return [" ".join(typed.split()[:2]) if typed.startswith("data") else typed.split()[0] for typed in ran]


def test_it_goes_the_whole_way_and_a_second_time_has_nothing_to_do(tour, tmp_path):
    code, ran, said = tour()
    assert (code, names(ran)) == (0, WAY)
    assert "Step 1 of 5: draw" in said
    assert "Step 5 of 5: name" in said
    assert said.count("(done before)") == 0
    assert f"Report: {tmp_path / 'demo' / 'report.html'}" in said
    code, ran, said = tour()
    assert (code, ran) == (0, [])
    assert said.count("(done before)") == 5


def test_every_fortieth_photo_of_those_held_out_is_named(tour):
    _, ran, _ = tour()
    assert shlex.split(ran[WAY.index("predict")])[2:] == ["/test 0.jpg", "/test 40.jpg"]


@pytest.mark.parametrize("broken", ["loom", "train", "calibrate", "report"])
def test_it_stops_where_a_command_fails_and_goes_on_there(tour, broken):
    tour.broken = broken
    code, ran, _ = tour()
    assert (code, names(ran)) == (3, WAY[: WAY.index(broken) + 1])
    tour.broken = ""
    code, ran, _ = tour()
    begun = {"train": "data check", "report": "predict"}.get(broken, broken)  # which go before them each time
    assert (code, names(ran)) == (0, WAY[WAY.index(begun) :])


@pytest.mark.parametrize(
    ("changed", "again"), [("loom", "data check"), ("train", "calibrate"), ("evaluate", "predict")]
)
def test_what_is_older_than_what_it_is_made_from_is_made_again(tour, tmp_path, changed, again):
    tour()
    path = tmp_path / "demo" / RESULTS[changed]
    later = path.stat().st_mtime + 60
    os.utime(path, (later, later))
    _, ran, _ = tour()
    assert names(ran)[0] == again


def test_a_smaller_corpus_is_drawn_where_it_is_asked_for_and_no_other_taken_for_it(tour):
    smaller = "--loom.pieces_per_craft", "8", "--loom.size", "96"
    _, ran, _ = tour(*smaller)
    assert ran[0].split()[2:] == ["--loom.pieces_per_craft=8", "--loom.size=96"]
    code, ran, said = tour()
    assert (code, ran) == (1, [])
    assert "holds a corpus drawn with other options (its pieces_per_craft 8, not 24, size 96, not 448)" in said
    assert tour(*smaller)[:2] == (0, [])


def test_the_app_is_served_in_the_end_if_asked_for(tour, tmp_path):
    run, manifest = tmp_path / "demo" / "run", tmp_path / "demo" / "corpus" / "manifest.csv"
    _, ran, said = tour()
    assert f"saree-cosface app {run} --manifest {manifest}" in said
    _, ran, said = tour("--serve")
    assert ran == [f"app {run} --manifest {manifest}"]
    assert "Step 6 of 6: serve" in said
    assert tour("--serve", "--port", "8123")[1] == [f"app {run} --manifest {manifest} --port 8123"]
    code, ran, said = tour("--port", "8123")
    assert (code, ran) == (1, [])
    assert "add --serve" in said


def test_a_folder_that_cannot_be_one_is_told_before_any_work(tour, tmp_path):
    (tmp_path / "demo").write_text("")
    code, ran, said = tour()
    assert (code, ran) == (1, [])
    assert said.startswith(f"saree-cosface: {tmp_path / 'demo'}")
    assert (tmp_path / "demo").read_text() == ""


def test_names_that_a_shell_would_read_otherwise_are_shown_as_they_are_to_be_typed(capsys):
    ran = []
    module = SimpleNamespace(add=lambda to: {**demo.predict.add(to), "predict": lambda given: ran.append(given) or 0})
    assert demo._call(module, demo._typed("predict", "a run", "साड़ी $1.jpg")) == 0
    assert [str(each) for each in (ran[0].run, *ran[0].photos)] == ["a run", "साड़ी $1.jpg"]
    assert "$ saree-cosface predict 'a run' 'साड़ी $1.jpg'" in capsys.readouterr().err
