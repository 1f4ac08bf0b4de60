"""One number of threads for every library, wherever it is said, and threads that sleep while they wait."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from saree_cosface.cli import main
from saree_cosface.machine import threads

ASK = """
import json, os, sys
import saree_cosface
from saree_cosface.machine import threads
asked = json.loads(sys.argv[1])
if asked["late"]:
    import cv2, torch, numpy
if "use" in asked:
    threads.use(asked["use"])
import cv2, torch, numpy
from threadpoolctl import threadpool_info
blas = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
told = [torch.get_num_threads(), cv2.getNumThreads(), *blas]
print(json.dumps({"told": told, "wait": os.environ["OMP_WAIT_POLICY"], "count": threads.count()}))
"""


def ask(environment, **asked):
    """What a new process computes with."""
    clean = {name: value for name, value in os.environ.items() if name not in (*threads.POOLS, threads.VARIABLE)}
    clean.pop("OMP_WAIT_POLICY", None)
    command = [sys.executable, "-c", ASK, json.dumps({"late": False, **asked})]
    done = subprocess.run(
        command, env={**clean, **environment}, capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "asked", "number"),
    [
        ({threads.VARIABLE: "1"}, {}, 1),  # some libraries take no more than there are CPUs
        ({"OMP_NUM_THREADS": "1"}, {"late": True, "use": None}, 1),
        ({threads.VARIABLE: "2"}, {"use": 1}, 1),
        ({threads.VARIABLE: "2"}, {"use": 1, "late": True}, 1),
        ({}, {}, threads.free_cores()),
    ],
)
def test_every_library_takes_the_number(environment, asked, number):
    found = ask(environment, **asked)
    assert len(found["told"]) >= 3
    assert set(found["told"]) == {number}
    assert found["count"] == number
    assert found["wait"] == "PASSIVE"


@pytest.mark.slow
def test_what_the_user_has_set_stays():
    assert ask({"OMP_WAIT_POLICY": "ACTIVE"})["wait"] == "ACTIVE"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Four CPUs on two cores, in a control group within another."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    for cpu in range(4):
        topology = tmp_path / "cpus" / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu % 2},{cpu % 2 + 2}\n")
    (tmp_path / "groups" / "outer" / "inner").mkdir(parents=True)
    (tmp_path / "own").write_text("0::/outer/inner\n")

    def cores(**quotas):
        for name, quota in quotas.items():
            folder = {"root": "", "outer": "outer", "inner": "outer/inner"}[name]
            (tmp_path / "groups" / folder / "cpu.max").write_text(quota)
        return threads.free_cores(str(tmp_path / "cpus"), str(tmp_path / "groups"), str(tmp_path / "own"))

    return cores


def test_two_threads_of_a_core_count_once(machine, monkeypatch):
    assert machine() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3})
    assert machine() == 1


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        ({"inner": "max 100000"}, 2),
        ({"inner": "150000 100000"}, 1),
        ({"inner": "50000 100000"}, 1),
        ({"outer": "100000 100000", "inner": "max 100000"}, 1),
        ({"outer": "800000 100000"}, 2),
        ({"inner": "no quota"}, 2),
    ],
)
def test_a_quota_counts_wherever_it_is_set(machine, quotas, cores):
    assert machine(**quotas) == cores


def test_a_machine_that_tells_nothing_has_its_cpus(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    nothing = str(tmp_path / "nothing")
    assert threads.free_cores(nothing, nothing, nothing) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert threads.free_cores(nothing, nothing, nothing) == 5


def test_workers_share_the_number(monkeypatch):
    monkeypatch.setenv(threads.VARIABLE, "7")
    assert [threads.share(workers) for workers in (0, 1, 2, 3, 7, 8)] == [7, 7, 3, 2, 1, 1]


def test_openmp_may_be_told_a_number_a_level(monkeypatch):
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.count() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads.count() == threads.free_cores()


def test_folds_are_limited_and_what_was_before_returns():
    from threadpoolctl import threadpool_info

    def blas(_=None):
        import numpy  # noqa: F401

        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    before = blas()
    with threads.limited(1), ThreadPoolExecutor(2) as pool:
        assert set().union(*pool.map(blas, range(4))) == {1}
    assert blas() == before


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", "", "²"])
def test_no_number_is_refused_with_its_place(number, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv(threads.VARIABLE, number)
    with pytest.raises(threads.ThreadsError, match=threads.VARIABLE):
        threads.count()
    with pytest.raises(SystemExit) as ended:
        main(["data", "check", str(tmp_path / "none.csv")])
    assert ended.value.code == 1
    assert threads.VARIABLE in capsys.readouterr().err


def test_the_option_is_refused_by_name(capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["data", "check", str(tmp_path / "none.csv"), "--threads", "0"])
    assert ended.value.code == 1
    assert "--threads is 0; it must be a whole number of threads" in capsys.readouterr().err
