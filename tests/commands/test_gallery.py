"""``saree-cosface gallery`` and the commands that take ``--gallery``, on a real server."""

import json
import re
import shutil

import pandas as pd
import pytest

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.runs.gallery import Gallery
from tests.helpers.postgres import PASSWORD

pytestmark = pytest.mark.slow  # a server is started for them, and a run trained


@pytest.fixture
def call(capsys):
    """Exit status, the document on stdout, and what was said; never with the password."""

    def called(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        out, said = capsys.readouterr()
        assert PASSWORD not in out + said
        assert PASSWORD.replace(" ", "%20") not in out + said
        return stopped.value.code, json.loads(out) if out else None, said

    return called


@pytest.fixture
def run(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


@pytest.fixture
def url(postgres, database):
    return postgres.url(database)


def photos(tiny_corpus, craft):
    return read_manifest(tiny_corpus, where=f"craft == '{craft}'").files()


def test_a_gallery_is_shared_measured_and_searched(run, tiny_corpus, url, call):
    count = len(Gallery.load(run / "gallery"))
    code, document, said = call("gallery", "copy", run, "--to", url, "--json")
    assert (code, document["new"], document["replaced"], document["copies"]) == (0, count, 0, 0)
    assert "postgresql://postgres@127.0.0.1" in document["gallery"]
    assert f"{count} are new there" in said
    assert call("gallery", "copy", run, "--to", url, "--json")[1]["new"] == 0  # again is no harm

    code, document, said = call("gallery", "check", run, "--gallery", url, "--k", "3", "--queries", "5", "--json")
    assert (code, document["photos"], document["missing"], document["index"]) == (0, count, 0, None)
    assert document["exact"]["p95"] >= document["exact"]["p50"] > 0
    assert "There is no index" in said
    assert call("gallery", "index", run, "--gallery", url)[0] == 0
    code, document, said = call("gallery", "check", run, "--gallery", url, "--k", "3", "--queries", "5", "--json")
    assert 0 <= document["index"]["recall"] <= 1
    assert "recall@3" in said
    assert "every search is exact" in call("gallery", "index", run, "--gallery", url, "--drop")[2]

    photo = photos(tiny_corpus, "jamdani")[0]
    for where in ((), ("--gallery", url)):
        code, document, _ = call(
            "gallery", "search", run, photo, *where, "--craft", "Jamdani saree", "--k", "2", "--json"
        )
        assert code == 0
        assert [near["craft"] for near in document["references"]] == ["jamdani"] * 2
        assert document["references"][0]["cosine"] > 0.99  # itself
        _, document, _ = call("gallery", "search", run, photo, *where, "--place", "Rajasthan", "--json")
        assert {near["craft"] for near in document["references"]} == {"leheriya"}
    code, _, said = call("gallery", "search", run, photo, "--craft", "Kanjivaran")
    assert (code, "did you mean kanjivaram" in said, "--new" in said) == (1, True, False)
    bad = photo.parent / "none.jpg"
    assert call("gallery", "search", run, bad)[0] == 1

    code, _, said = call("gallery", "remove", run, photo, "--gallery", url)
    assert (code, "1 photos removed" in said) == (0, True)
    code, _, said = call("gallery", "remove", run, photo, "--gallery", url)
    assert (code, "nothing was removed" in said) == (1, True)
    assert call("gallery", "remove", run, bad, "--gallery", url)[0] == 1
    assert call("gallery", "check", run, "--gallery", url, "--json")[1]["missing"] == 1


def test_copies_of_one_photo_are_one(run, url, call):
    own = Gallery.load(run / "gallery")
    twice = own.references.head(1).assign(path="/elsewhere/copy.jpg")
    Gallery(own.embeddings[[0, *range(len(own))]], pd.concat([twice, own.references])).save(run / "gallery")
    _, document, said = call("gallery", "copy", run, "--to", url, "--json")
    assert (document["copies"], document["new"]) == (1, len(own))
    assert "1 are copies of others" in said


def test_the_commands_take_a_shared_gallery(run, tiny_corpus, url, call):
    files = photos(tiny_corpus, "patola")
    call("gallery", "copy", run, "--to", url)
    shared = ("--gallery", url)
    code, document, said = call(
        "enrol", run, files[0], files[1], "--craft", "patola", "--note", "inv. 7", *shared, "--json"
    )
    assert (code, document["enrolment"]["number"], document["enrolment"]["by"]) == (0, 1, "postgres")
    assert "a new tradition" in said
    code, document, _ = call("predict", run, files[0], *shared, "--json")
    assert document["answers"][0]["traditions"][0]["craft"] == "patola"
    assert call("predict", run, files[0], "--json")[1]["answers"][0]["traditions"][0]["craft"] != "patola"
    code, document, said = call("enrolments", run, *shared, "--json")
    assert [entry["note"] for entry in document] == ["inv. 7"]
    assert "postgres" in said
    assert call("enrolments", run, "--json")[1] == []
    code, document, said = call("enrolments", run, *shared, "--undo", "0", "--json")
    assert (code, bool(document[0]["undone"])) == (0, True)
    assert "Enrolment 1 taken back" in said


def test_what_is_wrong_is_one_line(postgres, database, run, tiny_corpus, url, call):
    photo = photos(tiny_corpus, "patola")[0]
    ways = (
        (url, "no gallery saree_gallery.*gallery copy RUN --to"),
        (postgres.url(database, password="eight looms"), "password authentication failed"),
        (postgres.url("nowhere"), 'database "nowhere" does not exist'),
        (postgres.url(database, port=1), "Connection refused"),
        ("postgresql://h:no port/d", "USER@HOST/DATABASE|port"),
    )
    for address, words in ways:
        for command in (("predict", run, photo), ("enrol", run, photo, "--craft", "patola"), ("enrolments", run)):
            code, _, said = call(*command, "--gallery", address)
            assert code == 1
            assert said.count("\n") == 1, said
            assert re.search(words, said), said


def test_a_server_that_is_killed_is_one_line(postgres, run, tiny_corpus, url, call):
    files = photos(tiny_corpus, "patola")
    call("gallery", "copy", run, "--to", url)
    postgres.kill()
    try:
        for command in (("predict", run, files[0]), ("enrol", run, files[0], "--craft", "patola")):
            code, _, said = call(*command, "--gallery", url)
            assert (code, said.count("\n")) == (1, 1)
            assert f"127.0.0.1:{postgres.port}" in said
            assert "try again" in said
    finally:
        postgres.start()
    assert call("predict", run, files[0], "--gallery", url, "--json")[0] == 0


def test_a_collection_is_sent_from_its_embeddings(run, tiny_corpus, tiny_cache, url, call, monkeypatch, tmp_path):
    where = ("--where", "craft in ['jamdani', 'patola']")
    assert call("embed", run, tiny_corpus, *where, "--out", tmp_path / "out", "--cache", tiny_cache)[0] == 0
    some = read_manifest(tiny_corpus, where="craft in ['jamdani', 'patola']")
    table = some.table.assign(path=[str(file) for file in some.files()])
    table.to_csv(tmp_path / "some.csv", index=False)

    def refuse(backbone):
        raise AssertionError("features were computed")

    monkeypatch.setattr("saree_cosface.features.extraction.runner", refuse)
    sending = ("--photos", tmp_path / "some.csv", "--embeddings", tmp_path / "out", "--json")
    code, document, _ = call("gallery", "copy", run, "--to", url, *sending)
    assert (code, document["new"]) == (0, len(some))
    monkeypatch.undo()
    found = call("gallery", "search", run, some.file(0), "--gallery", url, "--k", "1", "--json")[1]["references"][0]
    assert (found["craft"], found["path"]) == (some.crafts[0], str(some.file(0)))
    code, _, said = call("gallery", "copy", run, "--to", url, "--embeddings", tmp_path / "out")
    assert code == 1
    assert "name their manifest with --photos" in said
