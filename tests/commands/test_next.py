"""``saree-cosface next`` from the command line, with the curve that it measures itself."""

import json
import shutil

import pytest

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.review.next_steps import DOCUMENT, FOLDER
from tests.helpers.tiny import SOME


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


@pytest.mark.slow
def test_crafts_and_photos_in_one_document_and_one_folder(calibrated_run, tiny_corpus, tiny_cache, tmp_path, capsys):
    run = shutil.copytree(calibrated_run.folder, tmp_path / "run")
    hidden = read_manifest(tiny_corpus, where="craft == 'patola'")
    for file, source in zip(hidden.files(), hidden.sources.tolist(), strict=True):
        (tmp_path / "photos" / source).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "photos" / source)
    asked = ("next", run, tiny_corpus, "--where", SOME, "--cache", tiny_cache, "--json")
    assert call(*asked, "--photos", tmp_path / "photos", "--count", 3) == 0
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert {craft["craft"] for craft in document["crafts"]} == {"chanderi", "jamdani", "leheriya"}
    gains = [craft["gain"]["value"] for craft in document["crafts"]]
    assert gains == sorted(gains, reverse=True)
    assert all(craft["gain"]["low"] <= craft["gain"]["value"] <= craft["gain"]["high"] for craft in document["crafts"])
    assert len(document["photos"]["chosen"]) == 3
    assert "photos to label" in told.err
    assert {path.name for path in (run / FOLDER).iterdir()} == {DOCUMENT, "sheet-001.png"}
    assert json.loads((run / FOLDER / DOCUMENT).read_text()) == document


def test_a_manifest_without_sources_is_told(tiny_run, tiny_corpus, tiny_cache, tmp_path, capsys):
    table = read_manifest(tiny_corpus, where=SOME)
    lines = ["path,craft", *(f"{path},{craft}" for path, craft in zip(table.files(), table.crafts, strict=True))]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    assert call("next", tiny_run.folder, tmp_path / "manifest.csv", "--cache", tiny_cache, "--out", tmp_path / "o") == 1
    assert "source" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
