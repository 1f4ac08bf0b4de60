"""Jobs in several processes: what they are given, and how they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from saree_cosface.machine import threads
from saree_cosface.machine.processes import ProcessError, done

ROOT = Path(__file__).parents[2]

SLEEPERS = """
import sys, time
from saree_cosface.machine.processes import done, load
from tests.machine.test_processes import sleep
if __name__ == "__main__":
    if sys.argv[1] == "loaded":
        load("tests.machine.test_processes")
    print("begun", flush=True)
    try:
        list(done(sleep, [sys.argv[2]] * 4, 2))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def told(number):
    return number, os.getpid(), os.environ["OMP_NUM_THREADS"], os.environ.get("LOOM")


def fails_at_two(number):
    if number == 2:
        raise KeyError("two")
    return number


def dies_at_two(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


def test_one_process_is_this_one():
    assert [made[1] for _, made in done(told, [5, 6], 1)] == [os.getpid()] * 2
    assert list(done(told, [], 4)) == []


def test_several_take_their_share_of_the_threads_and_are_told_of_what_is_set(monkeypatch):
    monkeypatch.setenv(threads.VARIABLE, "4")
    found = dict(done(told, range(5), 2, environment={"LOOM": "pit"}))
    assert [found[number][0] for number in range(5)] == list(range(5))
    assert {made[2:] for made in found.values()} == {("2", "pit")}
    assert os.getpid() not in {made[1] for made in found.values()}
    assert "LOOM" not in os.environ


def test_what_goes_wrong_in_one_goes_wrong_here():
    with pytest.raises(KeyError, match="two"):
        list(done(fails_at_two, range(8), 2))


def test_one_that_is_killed_is_told_of():
    with pytest.raises(ProcessError, match="one of 2 processes was killed.*fewer --workers"):
        list(done(dies_at_two, range(8), 2))


@pytest.mark.parametrize("way", ["loaded", "each"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_none_is_left_behind(way, number, tmp_path):
    (tmp_path / "script.py").write_text(SLEEPERS)
    (tmp_path / "begun").mkdir()
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py"), way, str(tmp_path / "begun")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: len(list((tmp_path / "begun").iterdir())) == 2 or process.poll() is not None)
        workers = [int(path.name) for path in (tmp_path / "begun").iterdir()]
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.kill()
        said = process.communicate(timeout=30)[0]
        assert said.startswith("begun\n")
        assert number == signal.SIGKILL or said == "begun\ninterrupted\n"
        until(lambda: not any(map(is_there, workers)))
    finally:
        process.kill()


def is_there(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def until(so, seconds=60):
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end
        time.sleep(0.05)
