import json

import pytest

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.runs.run import load_run


@pytest.fixture
def call(capsys):
    """Runs a command; returns its exit status, stdout and stderr (in one line)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return stopped.value.code or 0, out, " ".join(err.split())

    return run


@pytest.mark.slow
def test_a_run_is_shared_and_answers(call, tiny_run, tiny_corpus, tmp_path):
    code, out, err = call("share", tiny_run.folder, "--out", tmp_path / "given", "--licence", "cc0-1.0", "--json")
    assert code == 0
    assert json.loads(out)["numbered"] == 5
    assert "before you give it away" in err
    photo = read_manifest(tiny_corpus).files()[0]
    found = [json.loads(call("predict", run, photo, "--json")[1]) for run in (tiny_run.folder, tmp_path / "given")]
    assert found[0]["answers"][0]["traditions"] == found[1]["answers"][0]["traditions"]
    assert {near["source"][:7] for near in found[1]["answers"][0]["references"]} == {"source "}
    assert load_run(tmp_path / "given").share.licence == "CC0-1.0"


def test_where_no_licence_is_chosen_that_is_said(call, tiny_run, tmp_path):
    code, _, err = call("share", tiny_run.folder, "--out", tmp_path / "given")
    assert code == 0
    assert "No licence was chosen" in err
    card = (tmp_path / "given" / "README.md").read_text(encoding="utf-8")
    assert "license: other\nlicense_name: licenseref-not-chosen\n" in card
    assert "in this folder have no licence." in card
    assert "No licence was chosen" in card


def test_a_licence_is_one_that_spdx_knows(call, tiny_run, tmp_path):
    code, _, err = call("share", tiny_run.folder, "--out", tmp_path / "given", "--licence", "CC BY")
    assert code == 1
    assert "no licence of SPDX" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["push", "RUN", "asha/museum"], ["pull", "a/b/c", "--out", "OUT"]])
def test_what_cannot_be_done_is_told(call, tiny_run, tmp_path, arguments):
    places = {"RUN": tiny_run.folder, "OUT": tmp_path / "run"}
    code, out, err = call(*(places.get(argument, argument) for argument in arguments), "--json")
    assert (code, out) == (1, "")
    assert err.startswith("saree-cosface: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["share", "push", "pull"])
def test_help_teaches(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0
    assert "hub" in out or "given away" in out
