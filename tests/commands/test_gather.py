"""Gathering as it is typed, up to a run that was trained on what a curator confirmed."""

import json

import pandas as pd
import pytest

from saree_cosface.cli import main
from saree_cosface.gathering import guest
from tests.helpers.services import Photo, Services, drawn, jpeg, said, textured

CRAFTS = ("banarasi", "chanderi")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(guest.Guest.__init__, "__kwdefaults__", {"api": "", "sleep": lambda seconds: None})


@pytest.fixture
def call(capsys):
    """Runs a command; returns its exit status, its JSON if it prints any, and stderr in one line."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return ended.value.code, json.loads(out) if out else None, " ".join(err.split())

    return run


def gather(call, folder, api, *more, contact="me@example.org"):
    usual = ("--craft", "banarasi", "--per-craft", "30", "--contact", contact, "--api", api)
    return call("data", "gather", "--out", folder, *usual, *more)


def test_it_says_what_was_gathered_and_what_is_next(call, tmp_path):
    told = [Photo(f"Banarasi {n}", jpeg(textured(n)), creator=f"C{n}") for n in range(3)]
    with Services([*told, Photo("Banarasi paan")]) as services:
        code, document, err = gather(call, tmp_path / "g", services.address, "--json")
        assert code == 0
        assert document["crafts"] == {"banarasi": {"photos": 3, "sources": 3, "left_out": 1}}
        assert document["skipped"][0]["kind"] == "excluded word"
        assert document["check"]["ok"]
        assert "Openverse answers 20 questions a minute and 200 a day" in err
        assert "captions lie" in err
        asked = len(services.asked)
        assert (
            gather(call, tmp_path / "g", services.address, "--json", "--craft", "Benarasi Sarees")[1]["requests"] == {}
        )
        assert len(services.asked) == asked
    made = {path.name for path in (tmp_path / "g").iterdir()}
    assert {"manifest.csv", "CREDITS.md", "photos", "answers", "log.jsonl", "left_out.csv", "sheets"} < made
    assert not any(name.startswith(".") for name in made)
    assert [path.name for path in (tmp_path / "g" / "sheets").iterdir()] == ["banarasi-001.png"]


@pytest.mark.parametrize(
    ("more", "code", "why"),
    [
        (("--per-craft", "0"), 2, "per-craft"),
        (("--per-craft", "many"), 2, "per-craft"),
        (("--licences", "by-nd"), 2, "licences"),
        (("--licences", "by-nc"), 2, "licences"),
        (("--from", "google"), 2, "from"),
        (("--craft", "banarsee"), 1, "did you mean banarasi"),
        (("--craft", "silk"), 1, "not a craft tradition"),
        (("--contact", "nobody"), 1, "--contact 'nobody' is neither an e-mail address nor a web page"),
        (("--api", "nowhere"), 1, "--api nowhere is no address"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_asked(call, tmp_path, more, code, why):
    with Services() as services:
        found, document, err = gather(call, tmp_path / "g", services.address, *more)
        assert (found, document) == (code, None)
        assert why in err
        assert services.asked == []
    assert not (tmp_path / "g").exists()


def test_a_contact_has_no_default(call, tmp_path):
    code, _, err = call("data", "gather", "--out", tmp_path / "g")
    assert code == 2
    assert "contact" in err


def test_somebody_elses_folder_is_left_alone(call, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with Services() as services:
        code, _, err = gather(call, tmp_path, services.address)
    assert (code, [path.name for path in tmp_path.iterdir()]) == (1, ["mine.txt"])
    assert "did not put there: choose another folder" in err


def test_no_network_and_nothing_found_are_said(call, tmp_path):
    code, document, err = gather(call, tmp_path / "a", "http://127.0.0.1:9", "--json")
    assert code == 1
    assert len(document["troubles"]) == 2
    assert "Left for this time: openverse: 127.0.0.1 cannot be reached" in err
    with Services() as services:
        code, document, err = gather(call, tmp_path / "b", services.address, "--json")
        assert (code, document["photos"], document["troubles"]) == (1, 0, [])
        assert "Nothing was found of Banarasi" in err
        services.before = lambda path: said({"results": "none"})
        code, _, err = gather(call, tmp_path / "c", services.address)
    assert code == 1
    assert "openverse: results is a str, not a list: has the service changed?" in err
    assert "commons: query.pages" not in err


@pytest.mark.slow
def test_gather_look_confirm_and_train(call, tmp_path, tiny_run, tiny_cache):
    folder = tmp_path / "g"
    with Services(drawn(CRAFTS, 6, size=96)) as services:
        more = ("--craft", *CRAFTS, "--per-craft", "6", "--run", tiny_run.folder, "--cache", tiny_cache, "--json")
        code, document, _ = gather(call, folder, services.address, *more)
    assert (code, document["photos"]) == (0, 12)
    manifest, log = folder / "manifest.csv", folder / "decisions.db"
    queue = json.loads((folder / "review" / "queue.json").read_text())
    assert queue["by_kind"]["caption"] == 12

    training = ("train", "--data.manifest", manifest, "--data.cache", tiny_cache, "--data.test_fold", "-1")
    training += ("--data.validation_fold", "-1", "--optim.epochs", "1", "--confirmed", "--out")
    code, _, err = call(*training, tmp_path / "none")
    assert code == 1
    assert "not one label is confirmed" in err

    table = pd.read_csv(manifest)
    confirmed = table["path"].drop(3).tolist()
    for path in confirmed[:-3]:
        assert call("curate", log, "accept", path, "--by", "Asha", "--manifest", manifest)[0] == 0
    other = ("--craft", "jamdani", "--why", "cut floats", "--by", "Asha")
    assert call("curate", log, "relabel", confirmed[-1], *other)[0] == 0
    code, _, err = call(*training, tmp_path / "run")
    assert code == 0
    assert "8 of 12 photos have a label that is confirmed" in err
    used = pd.read_csv(tmp_path / "run" / "manifest.csv")
    assert sorted(used["sha256"]) == sorted(table.set_index("path").loc[confirmed[:-3], "sha256"])
