"""A collection measured, its card written, and read as machines read it."""

import csv
import json
import shutil

import matplotlib.image
import pandas as pd
import pytest

from saree_cosface import cli
from saree_cosface.cards.card_file import CARD, CardError, card_text
from saree_cosface.cards.croissant import CROISSANT
from saree_cosface.cards.make import make_card
from saree_cosface.cards.questions import OPEN, open_questions
from saree_cosface.data.crops import Crop
from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import write_manifest
from saree_cosface.sharing.errors import ShareError
from tests.helpers import bad_photos as bad


def collection(folder, **further):
    """Nine rows: a copy, a file that is no photo, a missing one, unknown sources, two people as sources."""
    rows = []

    def add(name, craft, source, view="drape", seed=None, size=(300, 260), **more):
        if seed is not None:
            bad.save(folder / name, bad.textured(*size, seed))
        rows.append({"path": name, "craft": craft, "source": source, "view": view, "licence": "CC BY 4.0", **more})

    add("a/1.png", "patola", "Meera Devi", seed=1, piece="P1")
    add("a/2.png", "patola", "Meera Devi", seed=2, piece="P1", view="pallu")
    add("a/3.jpg", "Patan Patola", "Asha & Sons", seed=3, view="pallu", credit="Asha")
    add("a/copy.png", "patola", "Asha & Sons", seed=1)
    add("b/1.png", "gadwal", "Meera Devi", seed=4, size=(150, 120))
    add("b/2.png", "gadwal", "", seed=5, licence="")
    add("b/3.png", "no such craft", "Third | Shop", seed=6, licence="ask me")
    add("b/gone.jpg", "gadwal", "Meera Devi")
    (folder / "b" / "html.jpg").write_text("<html>")
    add("b/html.jpg", "gadwal", "Third | Shop")
    table = pd.DataFrame(rows).fillna("")
    write_manifest(table.assign(**further), folder / "manifest.csv")
    return folder / "manifest.csv"


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take most of the time of a card; where they are not looked at, there are none."""
    monkeypatch.setattr("saree_cosface.cards.make._draw", lambda *_: None)


def made(manifest, out, **options):
    return make_card(manifest, out, **{"crops": False, **options})


def test_what_is_measured(undrawn, tmp_path):
    card = made(collection(tmp_path), tmp_path / "card")
    found = card.to_json()
    crafts = {each["craft"]: each for each in found["crafts"]}
    assert (found["photos"], found["readable"]) == (9, 7)
    assert {craft: each["photos"] for craft, each in crafts.items()} == {"patola": 4, "gadwal": 4, "no such craft": 1}
    assert crafts["patola"]["pieces"] == 3
    assert crafts["patola"]["views"] == {"drape": 2, "pallu": 2}
    assert sorted(crafts["gadwal"]["sources"].values()) == [1, 2]
    assert crafts["gadwal"]["without_source"] == 1
    assert found["pieces"] == {"photos": 2, "pieces": 1}
    assert found["sources"] == {"count": 3, "photos_without": 1, "named": []}
    assert found["formats"] == {"PNG": 6, "JPEG": 1}
    assert found["short_side"]["least"] == 120
    assert found["small"] == 1
    assert found["licences"] == {"CC-BY-4.0": 7, "unknown": 1, "stated in other words": 1}
    assert found["credited"] == 1
    assert found["labels_rest_on"] == {}
    assert found["wrong"] == {"unknown label": 1}
    assert found["copies"]["exact duplicate"] == {"cases": 1, "photos": 2, "of_several_sources": 1}
    # Two sources share a picture: of the craft that both show there is one that can be held out, and none is left.
    assert found["held_out"]["independent_sources"] == 2
    assert found["held_out"]["of_each_craft"] == {"patola": 1, "gadwal": 2, "no such craft": 1}
    assert (found["held_out"]["crafts"], found["held_out"]["photos"]) == (["gadwal"], 3)
    assert found["gaps"]["crafts_of_one_source"] == ["no such craft"]
    assert found["gaps"]["views_lacking"] == {"gadwal": ["pallu"], "no such craft": ["pallu"]}
    assert found["gaps"]["of_these_of_one_craft"] == 1
    assert found["open_questions"] == open_questions((tmp_path / "card" / CARD).read_text(encoding="utf-8")) > 10


def test_the_card_says_so_in_words_and_shows_figures(tmp_path):
    manifest = collection(tmp_path)
    made(manifest, tmp_path / "card", where="craft != 'gadwal' and `source` != ''")
    text = (tmp_path / "card" / CARD).read_text(encoding="utf-8")
    assert "from rows of manifest.csv: those chosen by craft, source." in text
    assert "| photos | 5 |" in text
    assert "Crops were not looked for." in text
    assert "**Nothing can be said of** Patola, no such craft" in text
    pictures = [line.split("(")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == 4
    for picture in pictures:
        pixels = matplotlib.image.imread(tmp_path / "card" / picture)
        assert min(pixels.shape[:2]) > 200
        assert pixels[..., :3].std() > 0.02  # it shows something


def test_nobody_is_named_who_may_not_be(undrawn, tmp_path):
    folder = tmp_path / "card"
    made(collection(tmp_path), folder)
    for file in (CARD, CROISSANT):
        text = (folder / file).read_text(encoding="utf-8")
        assert not any(name in text for name in ("Meera", "Asha", "Third", "P1", str(tmp_path)))


def test_a_public_source_is_named(undrawn, tmp_path):
    public = ["no", "no", "yes", "Yes", "", "", "y", "no", "TRUE"]
    manifest = collection(tmp_path, public=public)
    card = made(manifest, tmp_path / "card")
    assert card.found["sources"]["named"] == ["Asha & Sons", "Third | Shop"]
    text = (tmp_path / "card" / CARD).read_text(encoding="utf-8")
    assert "allows to name: Asha &amp; Sons, Third \\| Shop." in text
    assert "Meera" not in text
    # Nor where somebody chose by name.
    some = made(manifest, tmp_path / "some", where="public != 'y' and source != 'Third | Shop'")
    assert some.found["sources"] == {"count": 2, "photos_without": 1, "named": ["Asha & Sons"]}
    text = (tmp_path / "some" / CARD).read_text(encoding="utf-8") + (tmp_path / "some" / CROISSANT).read_text()
    assert "those chosen by public, source" in text
    assert not any(name in text for name in ("Meera", "Third"))
    with pytest.raises(ShareError, match="says yes of some photos of 'Meera Devi' and no of others"):
        made(collection(tmp_path, public=["yes", *public[1:]]), tmp_path / "other", where="craft == 'gadwal'")
    with pytest.raises(ShareError, match="the column public says 'perhaps'"):
        made(collection(tmp_path, public="perhaps"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_answers_stay_and_numbers_are_renewed(undrawn, tmp_path):
    manifest = collection(tmp_path)
    out = tmp_path / "card"
    made(manifest, out, name="Sarees of the museum")
    document = json.loads((out / CROISSANT).read_text(encoding="utf-8"))
    document |= {"creator": {"@type": "sc:Person", "name": "Meera Devi"}, "url": "https://example.org", "name": "x"}
    (out / CROISSANT).write_text(json.dumps(document), encoding="utf-8")
    text = (out / CARD).read_text(encoding="utf-8").replace(OPEN, "Asha says:", 3)
    (out / CARD).write_text(text, encoding="utf-8")
    again = made(manifest, out, where="craft == 'gadwal'", name="Another name")
    renewed = (out / CARD).read_text(encoding="utf-8")
    assert renewed.count("Asha says:") == 3
    assert again.open == open_questions(text)
    assert "| photos | 4 |" in renewed
    assert renewed.split("<!-- end of what is measured -->")[1] == text.split("<!-- end of what is measured -->")[1]
    said = json.loads((out / CROISSANT).read_text(encoding="utf-8"))
    assert (said["creator"], said["url"]) == (document["creator"], "https://example.org")
    assert said["name"] == "Sarees of the museum"


def test_what_is_there_and_cannot_be_renewed_is_told_before_anything_is_measured(tmp_path, monkeypatch):
    manifest = collection(tmp_path)
    monkeypatch.setattr("saree_cosface.cards.make.check_manifest", lambda *_, **__: pytest.fail("measured in vain"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / CARD).write_text("# Ours\n", encoding="utf-8")
    with pytest.raises(CardError):
        made(manifest, tmp_path / "out")
    (tmp_path / "out" / CARD).unlink()
    (tmp_path / "out" / CROISSANT).write_text("{", encoding="utf-8")
    with pytest.raises(CardError, match=r"croissant\.json: is there without a card\.md"):
        made(manifest, tmp_path / "out")
    (tmp_path / "out" / CARD).write_text(card_text(None, "## Counted", 9, "x", []), encoding="utf-8")
    with pytest.raises(ValueError, match=r"croissant\.json: cannot be read as JSON-LD"):
        made(manifest, tmp_path / "out")
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match="file"):
        made(manifest, tmp_path / "file")
    with pytest.raises(ManifestError, match="no such file"):
        made(tmp_path / "missing.csv", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_labels_rest_on_in_words_that_name_nobody(undrawn, tmp_path):
    basis = ["caption", "Curator ", "Meera looked", "", *["caption"] * 5]
    found = made(collection(tmp_path, basis=basis), tmp_path / "card").found
    assert found["labels_rest_on"] == {"caption": 6, "curator": 1, "stated in other words": 1, "unknown": 1}
    assert "Meera" not in (tmp_path / "card" / CARD).read_text(encoding="utf-8")


def test_crops_join_sources_as_copies_do(undrawn, tmp_path, monkeypatch):
    manifest = collection(tmp_path)
    monkeypatch.setattr("saree_cosface.cards.make.crops_among", lambda files, cache: [Crop(4, 6, 40, False)])
    found = make_card(manifest, tmp_path / "card").found
    assert found["copies"]["crop"] == {"cases": 1, "photos": 2, "of_several_sources": 1}
    assert found["held_out"]["independent_sources"] == 1
    assert found["held_out"]["crafts"] == []
    assert "Crops were not looked for" not in (tmp_path / "card" / CARD).read_text(encoding="utf-8")


def test_a_collection_of_one_photo_of_which_nothing_is_known(tmp_path):
    bad.save(tmp_path / "1.png", bad.textured(300, 260, 1))
    write_manifest(pd.DataFrame([{"path": "1.png", "craft": ""}]), tmp_path / "manifest.csv")
    card = made(tmp_path / "manifest.csv", tmp_path / "card")
    text = (tmp_path / "card" / CARD).read_text(encoding="utf-8")
    assert card.found["held_out"]["independent_sources"] == 0
    assert "No row says which part of a saree its photo shows." in text
    assert "(no label)" in text


def test_a_collection_of_which_no_photo_can_be_read(undrawn, tmp_path):
    write_manifest(pd.DataFrame([{"path": "gone.jpg", "craft": "patola", "source": "s"}]), tmp_path / "manifest.csv")
    made(tmp_path / "manifest.csv", tmp_path / "card")
    assert "Not one photo could be opened." in (tmp_path / "card" / CARD).read_text(encoding="utf-8")


def test_a_card_counts_the_rest_of_what_is_many(undrawn, tmp_path):
    rows = [{"path": f"{row}.png", "craft": f"craft {row % 30}", "source": f"s{row}"} for row in range(60)]
    write_manifest(pd.DataFrame(rows), tmp_path / "manifest.csv")
    made(tmp_path / "manifest.csv", tmp_path / "card")
    assert "craft 19 and 18 more" in (tmp_path / "card" / CARD).read_text(encoding="utf-8")


def test_croissant_gives_a_record_a_photo(undrawn, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    manifest = collection(tmp_path, year=1990, seen=[True, False] * 4 + [True], weight=0.5)
    made(manifest, tmp_path)  # beside the manifest
    data = mlcroissant.Dataset(jsonld=str(tmp_path / CROISSANT))
    assert not data.metadata.ctx.issues.errors
    records = list(data.records("photos"))
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [record["photos/path"].decode() for record in records] == [row["path"] for row in rows]
    assert [record["photos/craft"].decode() for record in records] == [row["craft"] for row in rows]
    assert records[0]["photos/year"] == 1990
    assert records[1]["photos/seen"] is False
    assert records[0]["photos/weight"] == 0.5
    assert set(records[0]) == {f"photos/{column}" for column in rows[0]}
    sets = {each.id: each.includes for each in data.metadata.file_sets}
    assert sets == {"jpeg": ["*.jpg"], "png": ["*.png"]}


def test_croissant_of_a_table_in_parquet_and_of_a_csv_with_semicolons(undrawn, tmp_path):
    mlcroissant = pytest.importorskip("mlcroissant")
    manifest = collection(tmp_path)
    table = pd.read_csv(manifest, keep_default_na=False)
    write_manifest(table, tmp_path / "m.parquet")
    made(tmp_path / "m.parquet", tmp_path)
    data = mlcroissant.Dataset(jsonld=str(tmp_path / CROISSANT))
    assert next(iter(data.records("photos")))["photos/path"] == b"a/1.png"
    table.to_csv(tmp_path / "semicolons.csv", sep=";", index=False, encoding="utf-16")
    made(tmp_path / "semicolons.csv", tmp_path / "other")
    document = json.loads((tmp_path / "other" / CROISSANT).read_text(encoding="utf-8"))
    assert "recordSet" not in document
    mlcroissant.Dataset(jsonld=document)


@pytest.mark.slow
def test_the_command_on_a_drawn_corpus(tiny_corpus, tmp_path, capsys):
    mlcroissant = pytest.importorskip("mlcroissant")
    arguments = ["data", "card", str(tiny_corpus), "--out", str(tmp_path), "--crops", "false", "--json"]
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["photos"], len(found["crafts"]), found["drawn"]) == (96, 12, True)
    assert found["licences"] == {"CC0-1.0": 96}
    assert "wait for a person" in printed.err
    text = (tmp_path / CARD).read_text(encoding="utf-8")
    assert "**Drawings, no photographs**" in text
    assert "license: cc0-1.0" in text
    document = json.loads((tmp_path / CROISSANT).read_text(encoding="utf-8"))
    assert document["license"] == "https://spdx.org/licenses/CC0-1.0"
    shutil.copy(tmp_path / CROISSANT, tmp_path / "x.json")
    data = mlcroissant.Dataset(jsonld=str(tmp_path / "x.json"), mapping={"manifest.csv": str(tiny_corpus)})
    assert sum(1 for _ in data.records("photos")) == 96
