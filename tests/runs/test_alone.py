"""One command at a time in a folder."""

import json
import multiprocessing
import shutil
import threading
import time

import pytest

from saree_cosface.cli import main
from saree_cosface.runs.alone import HOLDER, LOCK, alone, alone_at, at_work
from saree_cosface.runs.folder import RunError


def test_whoever_comes_second_is_told_who_is_at_work(tmp_path):
    with alone(tmp_path, "train"):
        assert at_work(tmp_path).startswith("`saree-cosface train` (process ")
        said = r"`saree-cosface train` \(process \d+, since .*is at work there\. Wait"
        with pytest.raises(RunError, match=said), alone(tmp_path, "calibrate", patience=60):
            pass
        with pytest.raises(RunError, match="nothing was changed"), alone(tmp_path, "train"):
            pass
    assert at_work(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), alone(tmp_path, "train"):
        raise ZeroDivisionError
    with alone(tmp_path, "train"):
        pass


def test_those_who_do_the_same_may_wait_for_each_other(tmp_path):
    begun, order = threading.Event(), []

    def first():
        with alone(tmp_path, "enrol"):
            begun.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait(5)
    with alone(tmp_path, "enrol", patience=30):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


fork = multiprocessing.get_context("fork")


def stay(folder, there):
    with alone(folder, "train"):
        there.set()
        time.sleep(60)


def test_a_killed_process_lets_go(tmp_path):
    there = fork.Event()
    process = fork.Process(target=stay, args=(tmp_path, there), daemon=True)
    process.start()
    try:
        assert there.wait(30)
        assert f"process {process.pid}" in at_work(tmp_path)
        with pytest.raises(RunError, match=f"process {process.pid}"), alone(tmp_path, "train"):
            pass
    finally:
        process.kill()
        process.join()
    assert (tmp_path / HOLDER).exists()  # it could not tidy up
    assert at_work(tmp_path) == ""
    with alone(tmp_path, "train"):
        assert json.loads((tmp_path / HOLDER).read_text())["process"] != process.pid
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_left_as_it_was(tmp_path):
    with pytest.raises(ZeroDivisionError), alone(tmp_path / "new", "train"):
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()
    with alone(tmp_path / "new", "train"):
        (tmp_path / "new" / "config.yaml").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["config.yaml"]
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(RunError, match=r"thesis\.doc exists and is no run"), alone(tmp_path / "thesis.doc", "train"):
        pass
    with pytest.raises(RunError, match="cannot be written"), alone(tmp_path / "thesis.doc" / "run", "train"):
        pass


def test_results_that_go_elsewhere_leave_the_run_free(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with alone_at(run / "evaluation" / "source", run, "evaluate"):
        assert (run / LOCK).exists()
    (tmp_path / "link").symlink_to(run)
    here = alone_at(run / "evaluation" / "source", tmp_path / "link", "evaluate")
    with alone(run, "calibrate"), pytest.raises(RunError, match="`saree-cosface calibrate`"), here:
        pass
    with alone_at(tmp_path / "out", run, "evaluate"):
        assert (tmp_path / "out" / LOCK).exists()
        assert list(run.iterdir()) == []


@pytest.fixture(scope="module")
def busy(tiny_run, tmp_path_factory):
    """A run at which somebody is at work."""
    folder = shutil.copytree(tiny_run.folder, tmp_path_factory.mktemp("busy") / "run")
    with alone(folder, "calibrate"):
        yield folder


@pytest.mark.parametrize("command", ["calibrate", "evaluate", "audit", "report", "enrol", "enrolments"])
def test_commands_that_write_into_a_run_end_at_once(busy, tiny_corpus, tiny_cache, command, capsys):
    photo = next(tiny_corpus.parent.rglob("*.jpg"))
    more = {
        "calibrate": ["--cache", tiny_cache],
        **{name: [tiny_corpus, "--cache", tiny_cache] for name in ("evaluate", "audit", "report")},
        "enrol": [photo, "--craft", "patola"],
        "enrolments": ["--undo", "0"],
    }[command]
    before = sorted(busy.iterdir())
    with pytest.raises(SystemExit) as ended:
        main([command, str(busy), *map(str, more)])
    assert ended.value.code == 1
    assert "`saree-cosface calibrate` (process" in capsys.readouterr().err.replace("\n", " ")
    assert sorted(busy.iterdir()) == before


def test_of_two_trainings_into_one_folder_the_second_ends(busy, tiny_corpus, tiny_cache, tmp_path, capsys):
    with alone(tmp_path / "run", "train"):
        for resume in ([], ["--resume"]):
            with pytest.raises(SystemExit) as ended:
                main(["train", "--data.manifest", str(tiny_corpus), "--out", str(tmp_path / "run"), *resume])
            assert ended.value.code == 1
            assert "`saree-cosface train` (process" in capsys.readouterr().err.replace("\n", " ")
        with pytest.raises(SystemExit):
            main(["predict", str(tmp_path / "run"), str(tiny_corpus)])
        assert "is still at work on this run" in capsys.readouterr().err.replace("\n", " ")
