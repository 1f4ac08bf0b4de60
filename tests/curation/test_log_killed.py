"""A thousand decisions by four processes, of which some are killed all the time: nothing acknowledged is lost."""

import os
import queue
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from saree_cosface.curation.applying import apply_decisions
from saree_cosface.curation.chain import broken_at
from saree_cosface.curation.decisions import replay
from saree_cosface.curation.log import CurationLog
from saree_cosface.data.manifest import COLUMNS, manifest_of

DECISIONS, WORKERS, ROUNDS, PHOTOS = 1000, 4, 5, 40

# What it writes, it acknowledges in one line after the decision has returned; a line so short goes out whole or not.
WORKER = f"""
import os, random, sys
from saree_cosface.curation.log import CurationLog

path, name = sys.argv[1:]
log, chance, last = CurationLog(path), random.Random(name), 0
while last < {DECISIONS}:
    kind = chance.choices(("relabel", "exclude", "merge", "undo"), (5, 1, 2, 1))[0]
    photo, other = (f"p{{n}}.jpg" for n in chance.sample(range({PHOTOS}), 2))
    if kind == "undo" and not last:
        continue
    if kind == "undo":
        entry = log.undo(last, by=name)
    else:
        value = [other] if kind == "merge" else chance.choice(("jamdani", "patola")) if kind == "relabel" else ""
        entry = log.decide(kind, photo, value, by=name, why="kept 😀\\nwhole", clash="stand")
    last = entry.number
    os.write(1, f"{{entry.number}} {{entry.chain}}\\n".encode())
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_acknowledged_decision_survives_a_kill(tmp_path, seed):
    path = tmp_path / "decisions.db"
    with CurationLog.create(path) as log:
        log.bind("m" * 64, "manifest.csv", by="Asha")
    chance = random.Random(seed)
    said: queue.Queue[tuple[int, str]] = queue.Queue()
    workers, threads = [], []

    def start():
        name = f"curator {len(workers)}"
        command = [sys.executable, "-c", WORKER, str(path), name]
        worker = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        thread = threading.Thread(target=listen, args=(worker,))
        thread.start()
        workers.append(worker)
        threads.append(thread)

    def listen(worker):
        for line in worker.stdout:
            assert line.endswith(b"\n")
            number, chain = line.split()
            said.put((int(number), chain.decode()))

    def wait_for(count):
        deadline = time.monotonic() + 120
        while said.qsize() < count:
            assert any(worker.poll() is None for worker in workers), workers[0].stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.001)

    try:
        for _ in range(WORKERS):
            start()
        killed = []
        for turn in range(1, ROUNDS + 1):
            wait_for(turn * (DECISIONS - 200) // ROUNDS)
            for worker in chance.sample([worker for worker in workers if worker.poll() is None], 2):
                time.sleep(chance.uniform(0, 0.02))
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(worker)
            if turn < ROUNDS:  # at last two of the four go on alone
                start()
                start()
        for worker, thread in zip(workers, threads, strict=True):
            worker.wait(120)
            thread.join(120)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    for worker in workers:
        errors = worker.stderr.read().decode()
        assert worker.returncode == (-signal.SIGKILL if worker in killed else 0), errors
        assert not errors

    acknowledged = dict(said.queue)
    assert len(acknowledged) == said.qsize()  # no number was given twice
    with CurationLog(path) as log:
        entries = log.entries()
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) >= DECISIONS
    chains = {entry.number: entry.chain for entry in entries}
    assert acknowledged.items() <= chains.items()
    # Whoever was killed may have written one entry more than could be said, and no more than one.
    assert len(chains.keys() - acknowledged.keys() - {1}) <= len(killed) == 2 * ROUNDS
    assert broken_at(entries) is None
    for entry in entries[1:]:
        assert entry.kind == "undo" or entry.why == "kept 😀\nwhole"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()

    table = pd.DataFrame("", index=range(PHOTOS), columns=list(COLUMNS))
    table["path"] = [f"p{n}.jpg" for n in range(PHOTOS)]
    table["craft"] = "bandhani"
    manifest = manifest_of(table, tmp_path)
    first, second = (apply_decisions(manifest, read, leave_conflicts=True) for read in (entries, entries[::-1]))
    assert replay(entries) == replay(entries[::-1])
    assert first.after.table.equals(second.after.table)
    assert first.changes == second.changes
    assert len(first.changes) > 10
