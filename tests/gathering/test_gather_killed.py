"""A gathering that is killed again and again ends as one that was left alone, and has fetched nothing twice."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from saree_cosface.data.images import decode
from saree_cosface.data.manifest_file import read_manifest
from tests.helpers.services import Photo, Services, jpeg, status, textured

GATHER = """
import sys
from pathlib import Path
from saree_cosface.gathering.commons import COMMONS
from saree_cosface.gathering.gather import gather
from saree_cosface.gathering.guest import Guest
from saree_cosface.gathering.ledger import open_ledger
from saree_cosface.gathering.openverse import OPENVERSE
from saree_cosface.taxonomy import load_taxonomy

folder, api = sys.argv[1:]
crafts = [load_taxonomy()[craft] for craft in ("banarasi", "chanderi")]
with Guest("me@example.org", api=api) as guest:
    gather(
        open_ledger(Path(folder)), crafts, per_craft=12, services=(OPENVERSE, COMMONS),
        licences=("cc0", "by", "by-sa"), guest=guest, api=api,
    )
"""


def photos():
    for number, craft in enumerate(("Banarasi", "Chanderi")):
        for n in range(16):
            serve = status(404) if n % 5 == 2 else None
            service = ("openverse", "commons")[n % 2]
            yield Photo(f"{craft} {n}", jpeg(textured(40 * number + n)), serve=serve, services=(service,))


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_fetches_nothing_twice(tmp_path):
    chance = random.Random(3)
    with Services(list(photos())) as services:
        services.before = lambda path: time.sleep(0.01)
        kills = 0
        while True:
            before, most = len(services.asked), chance.randrange(5, 16)
            process = subprocess.Popen(
                [sys.executable, "-c", GATHER, str(tmp_path / "g"), services.address], stderr=subprocess.DEVNULL
            )
            while process.poll() is None and len(services.asked) < before + most:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.02)
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert process.returncode == 0
    assert kills >= 3
    twice = Counter(services.asked).total() - len(set(services.asked))
    assert twice <= kills  # what was under way at that moment
    manifest = read_manifest(tmp_path / "g" / "manifest.csv")
    assert Counter(manifest.crafts.tolist()) == {"banarasi": 12, "chanderi": 12}
    for file in manifest.files():
        decode(file)
    assert {path.name for path in (tmp_path / "g" / "photos").rglob("*.*")} == {file.name for file in manifest.files()}
    with (tmp_path / "g" / "log.jsonl").open() as log:
        ids = [json.loads(line)["record"]["id"] for line in log]
    assert len(ids) == len(set(ids))
    assert not list((tmp_path / "g" / "incoming").iterdir())
