"""The curators' loop, as it is typed: map and review a collection, decide, apply, and see before and after."""

import json
import shutil

import pandas as pd
import pytest
from PIL import Image

from saree_cosface.cli import main
from saree_cosface.maps import by_craft, by_source, changes, craft_sheet
from saree_cosface.maps.embedding import MapError
from saree_cosface.maps.print_page import save_sheet
from tests.helpers.tiny import SOME


@pytest.fixture(scope="module")
def place(tiny_corpus, tiny_cache, tmp_path_factory):
    """A folder with the photos of three crafts, of which a held-out one is mislabelled."""
    folder = tmp_path_factory.mktemp("loop")
    table = pd.read_csv(tiny_corpus, keep_default_na=False).query(SOME)
    for path in table["path"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny_corpus.parent / path, folder / path)
    table.to_csv(folder / "manifest.csv", index=False)
    return folder


def call(capsys, *arguments):
    """Run a command; its exit status, and its JSON if it prints any."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out = capsys.readouterr().out
    return ended.value.code, json.loads(out) if out else None


@pytest.fixture(scope="module")
def held_out(tiny_run, place):
    """Path of a held-out photo as the manifest has it, and its craft."""
    used = pd.read_csv(tiny_run.folder / "manifest.csv").query("split == 'test'")
    table = pd.read_csv(place / "manifest.csv", keep_default_na=False)
    row = table[table["sha256"].isin(used["sha256"])].iloc[0]
    return row["path"], row["craft"]


@pytest.mark.slow
def test_from_the_map_to_the_next_version_and_back(tiny_run, tiny_cache, place, held_out, capsys):
    run, manifest = tiny_run.folder, place / "manifest.csv"
    common = ("--cache", tiny_cache, "--json")
    code, mapped = call(capsys, "map", run, manifest, "--out", place / "map", *common)
    assert code == 0
    for name in (
        "coords.parquet",
        "map.json",
        "map.png",
        "map.svg",
        "map.pdf",
        "map.html",
        "sources.png",
        "crafts.png",
    ):
        assert (place / "map" / name).stat().st_size > 0, name
    assert mapped["parameters"]["manifest_sha256"]
    assert 0.5 < mapped["parameters"]["trustworthiness"] <= 1
    coordinates = pd.read_parquet(place / "map" / "coords.parquet")
    assert len(coordinates) == mapped["parameters"]["photos"] == 24

    assert call(capsys, "evaluate", run, manifest, "--out", place / "before", "--cache", tiny_cache)[0] == 0

    code, queue = call(capsys, "review", run, manifest, "--out", place / "review", *common)
    assert code == 0
    assert {"queue.json", "queue.csv", "sheets"} == {path.name for path in (place / "review").iterdir()}

    photo, craft = held_out
    other = next(name for name in sorted(set(coordinates["craft"])) if name != craft)
    log = place / "decisions.db"
    said = ("--by", "Asha", "--why", "cut floats on the back", "--manifest", manifest)
    assert call(capsys, "curate", log, "relabel", photo, "--craft", other, *said)[0] == 0
    new = place / "manifest-2.csv"
    assert call(capsys, "curate", log, "apply", manifest, "--out", new, "--run", run)[0] == 0
    assert pd.read_csv(new).set_index("path")["craft"][photo] == other
    assert pd.read_csv(manifest).set_index("path")["craft"][photo] == craft

    code, scores = call(capsys, "evaluate", run, new, "--out", place / "after", "--before", place / "before", *common)
    assert code == 0
    assert scores["before"]["photos"]["relabelled"] == 1
    assert scores["before"]["photos"]["same"] == scores["counts"]["photos"] - 1
    assert scores["curation"]["test_photos_changed"] == 1
    assert scores["curation"]["counts"]["relabel"]["test"] == 1

    code, again = call(capsys, "map", run, new, "--out", place / "map2", "--before", place / "map", *common)
    assert code == 0
    moved = pd.read_parquet(place / "map2" / "coords.parquet").merge(coordinates, on="sha256", suffixes=("", "_before"))
    assert (moved["x"] == moved["x_before"]).all()
    assert (moved["craft"] != moved["craft_before"]).sum() == 1
    assert "24 photos keep their places" in " ".join(again["facts"])
    with Image.open(place / "map2" / "before_after.png") as figure:
        assert figure.width > figure.height / 2

    decided = {photo}
    _, queue = call(capsys, "review", run, new, "--out", place / "review2", "--log", log, "--sheets", 0, *common)
    assert decided.isdisjoint(entry["path"] for entry in queue["queue"])


@pytest.fixture
def pictures_alone(monkeypatch):
    """Figures as PNG: the other formats are looked at above, and take most of the time of a map of few photos."""
    for module in (by_craft, by_source, changes, craft_sheet):
        monkeypatch.setattr(module, "save_sheet", lambda figure, path, _: save_sheet(figure, path, (".png",)))


@pytest.mark.slow
def test_new_photos_join_a_map_and_another_model_is_turned_onto_it(
    tiny_run, tiny_cache, place, monkeypatch, pictures_alone
):
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.maps import make as mapping

    some = place / "some.csv"
    table = pd.read_csv(place / "manifest.csv", keep_default_na=False)
    table.iloc[:18].to_csv(some, index=False)
    first = mapping.map_collection(tiny_run, read_manifest(some), place / "first", cache=tiny_cache)
    whole = read_manifest(place / "manifest.csv")
    grown = mapping.map_collection(tiny_run, whole, place / "grown", before=place / "first", cache=tiny_cache)
    assert grown.map.parameters["placed"] == 6
    assert grown.map.parameters["seed"] == first.map.parameters["seed"]
    monkeypatch.setattr(mapping, "fingerprint", lambda _: "another model")
    turned = mapping.map_collection(tiny_run, whole, place / "turned", before=place / "first", cache=tiny_cache)
    assert turned.map.parameters["aligned_by"] == 18
    assert "Turned onto the map before" in " ".join(turned.facts)
    table.iloc[18:].to_csv(place / "rest.csv", index=False)
    rest = read_manifest(place / "rest.csv")
    apart = mapping.map_collection(tiny_run, rest, place / "apart", before=place / "first", cache=tiny_cache)
    assert "not aligned" in " ".join(apart.facts)


@pytest.mark.slow
def test_a_map_of_few_photos_claims_nothing_and_leaves_nothing_of_the_one_before(
    tiny_run, tiny_cache, place, pictures_alone
):
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.maps.make import map_collection

    two = read_manifest(place / "manifest.csv").select([0, 1])
    map_collection(tiny_run, two, place / "two", cache=tiny_cache)
    map_collection(tiny_run, two, place / "again", before=place / "two", cache=tiny_cache)
    assert (place / "again" / "before_after.png").is_file()
    made = map_collection(tiny_run, two, place / "again", cache=tiny_cache)
    assert made.facts[0] == "Too few photos to say how far the map is to be trusted."
    assert not list((place / "again").glob("before_after.*"))


@pytest.mark.parametrize("command", ["map", "review"])
def test_a_folder_that_cannot_be_is_refused_before_the_work(tiny_run, place, command, capsys, monkeypatch):
    from saree_cosface.features import ahead

    monkeypatch.setattr(ahead, "photo_hash", lambda path: pytest.fail("photos were read"))
    (place / "a file").write_text("")
    code, _ = call(capsys, command, tiny_run.folder, place / "manifest.csv", "--out", place / "a file")
    assert code == 1


def test_a_map_cannot_be_continued_into_its_own_folder_or_from_nothing(tiny_run, place):
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.maps.make import map_collection

    manifest = read_manifest(place / "manifest.csv")
    with pytest.raises(MapError, match="give another folder"):
        map_collection(tiny_run, manifest, place / "map", before=place / "map")
    with pytest.raises(MapError, match="coords.parquet: not a map"):
        map_collection(tiny_run, manifest, place / "new", before=place / "absent")
