"""Enrolments on a real server: each with its entry, whoever else is at it."""

import subprocess
import sys
from pathlib import Path

import pytest

from saree_cosface.runs.gallery import GalleryError
from saree_cosface.runs.shared_gallery import open_gallery
from saree_cosface.runs.shared_log import enrol, entries, undo
from tests.helpers.postgres import PASSWORD
from tests.helpers.shared_gallery import EMBEDDER, collection

pytestmark = pytest.mark.slow  # a server is started for them


def test_an_enrolment_and_its_entry_come_and_go_together(shared, url, own):
    new = collection(3, seed=7, prefix="e")
    entry, count = enrol(shared, new, "patola", "museum", "inv. 12")
    assert (entry["number"], entry["craft"], entry["by"], entry["undone"]) == (1, "patola", "postgres", "")
    assert entry["sha256"] == tuple(new.references["sha256"])
    assert count == 101  # of the three only one is a patola
    assert shared.changed()
    assert len(shared.read_again()) == len(own) + 3
    with pytest.raises(GalleryError, match=r"3 of the 3 photos have become references meanwhile.*Nothing was enrolled"):
        enrol(shared, new, "patola", "museum", "")
    assert entries(url) == [entry]
    back, gone = undo(url)
    assert back["number"] == 1
    assert back["undone"]
    assert gone["sha256"].tolist() == new.references["sha256"].tolist()
    assert len(shared.read_again()) == len(own)
    assert entries(url) == [back]
    with pytest.raises(GalleryError, match=r"no enrolment 1 to take back \(none stands\)"):
        undo(url, 1)
    again, _ = enrol(shared, new, "patola", "", "")
    assert again["number"] == 2


def test_the_last_is_ones_own_last(postgres, name, shared, url):
    postgres.do(
        f"CREATE ROLE asha LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT ALL ON SCHEMA {name} TO asha",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {name} TO asha",
    )
    hers = postgres.url(user="asha", name=name)
    enrol(open_gallery(hers, EMBEDDER), collection(1, prefix="a"), "patola", "", "")
    enrol(shared, collection(1, prefix="b"), "patola", "", "")
    assert [entry["by"] for entry in entries(url)] == ["asha", "postgres"]
    assert undo(hers)[0]["number"] == 1
    with pytest.raises(GalleryError, match=r"no enrolment by this account to take back \(2\)"):
        undo(hers)
    assert undo(hers, 2)[0]["number"] == 2  # by its number, whoever may


ENROLS = """
import sys
import numpy as np
from saree_cosface.runs.shared_gallery import open_gallery
from saree_cosface.runs.shared_log import enrol
from saree_cosface.runs.gallery import GalleryError
from tests.helpers.shared_gallery import EMBEDDER, collection
url, name = sys.argv[1:]
gallery = open_gallery(url, EMBEDDER)
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    enrol(gallery, collection(3, seed=number, prefix=f"{name}{number}-"), "patola", name, str(number))
try:
    enrol(gallery, collection(2, seed=50, prefix="both"), "patola", name, "both")
except GalleryError as error:
    assert "have become references meanwhile" in str(error), error
"""


def test_two_who_enrol_at_once_lose_nothing(shared, url, own):
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", ENROLS, url, name], cwd=root, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for name in ("asha", "meera")
    ]  # fmt: skip
    assert [one.stdout.readline() for one in started] == ["ready\n"] * 2
    for one in started:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in started:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said
    log = entries(url)
    assert [entry["number"] for entry in log] == list(range(1, 42))
    assert sorted(entry["source"] for entry in log if entry["note"] != "both") == ["asha"] * 20 + ["meera"] * 20
    numbers = [
        [entry["note"] for entry in log if entry["source"] == name and entry["note"] != "both"]
        for name in ("asha", "meera")
    ]
    assert numbers == [[str(number) for number in range(20)]] * 2
    assert len(shared.read_again()) == len(own) + 2 * 20 * 3 + 2  # and the photo that both had once


def test_a_server_killed_in_the_midst_leaves_nothing_half_done(postgres, shared, own, monkeypatch, url):
    from saree_cosface.runs import shared_tables

    def killed(cursor, references, sent=shared_tables.send):
        sent(cursor, references)
        postgres.kill()

    with monkeypatch.context() as patch:
        patch.setattr(shared_tables, "send", killed)
        with pytest.raises(GalleryError, match=r"127.0.0.1.*went away.*as a whole or not at all.*enrolments") as raised:
            enrol(shared, collection(2, prefix="k"), "patola", "", "")
    assert PASSWORD not in str(raised.value)
    postgres.start()
    assert len(shared.read_again()) == len(own)
    assert entries(url) == []
