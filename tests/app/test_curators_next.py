"""The panel that says what to photograph next, from what the command has kept."""

import pytest

from app.curators_next import next_html
from app.desk import Desk
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.languages.packaged import english
from saree_cosface.review.next_steps import DOCUMENT, FOLDER
from tests.helpers.hostile import HOSTILE, tame
from tests.helpers.steps import CRAFTS, kept


def test_without_an_answer_the_command_stands_there(tmp_path):
    told = tame(next_html(Desk(tmp_path / "run"), english()))
    assert "saree-cosface next" in told
    assert "run MANIFEST" in told
    manifest = tmp_path / "museum" / "manifest.csv"
    assert "museum/manifest.csv" in tame(next_html(Desk(tmp_path / "run", manifest), english()))


def test_the_ranking_is_a_table_with_a_sentence(tmp_path):
    kept(tmp_path)
    html = next_html(Desk(tmp_path), english())
    told = tame(html)
    assert CRAFTS[0]["says"] in told
    assert html.count("<tr>") == 3
    assert "+0.60 [\u22120.20, +1.10]" in told
    assert "not known" in told
    assert HOSTILE in told
    assert "30 Nov 2026" in told
    assert "--photos FOLDER" in told


@pytest.mark.parametrize(("count", "said"), [(1, "1 photo whose"), (50, "50 photos whose")])
def test_photos_to_label_are_pointed_to(tmp_path, count, said):
    kept(tmp_path, photos={"chosen": [{}] * count})
    told = tame(next_html(Desk(tmp_path), english()))
    assert said in told
    assert f"{tmp_path.name}/next" in told


def test_another_collection_is_noticed(tmp_path):
    table = read_manifest_of(tmp_path)
    kept(tmp_path / "run", manifest_sha256=table.sha256)
    desk = Desk(tmp_path / "run", tmp_path / "manifest.csv")
    assert "another collection" not in tame(next_html(desk, english()))
    write_manifest(table.table.assign(source="elsewhere"), tmp_path / "manifest.csv")
    assert "another collection" in tame(next_html(desk, english()))
    (tmp_path / "manifest.csv").unlink()
    assert "no such file" in tame(next_html(desk, english()))


def read_manifest_of(folder):
    (folder / "manifest.csv").write_text("path,craft,source\na.jpg,Patola,shop\nb.jpg,Banarasi,fair\n")
    return read_manifest(folder / "manifest.csv")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 0}'])
def test_what_cannot_be_read_is_said(tmp_path, content):
    kept(tmp_path)
    (tmp_path / FOLDER / DOCUMENT).write_text(content, encoding="utf-8")
    told = tame(next_html(Desk(tmp_path), english()))
    assert "saree-cosface next" in told
    assert "again" in told
