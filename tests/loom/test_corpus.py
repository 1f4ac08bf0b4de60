"""The loom: what a corpus must be, whatever it is drawn with."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saree_cosface.loom.__main__ import main
from saree_cosface.loom.cloth import (
    BORDER,
    CLEAR,
    GROUND,
    LENGTH,
    PALLU,
    WIDTH,
    YARNS,
    ZARI,
    feather,
    repeat,
    scatter,
    stamp,
)
from saree_cosface.loom.corpus import COLUMNS, confounded_shops, draw_corpus, draw_piece, pieces
from saree_cosface.loom.crafts import GRAMMARS
from saree_cosface.loom.dyes import Taste
from saree_cosface.loom.figures import STEPPED
from saree_cosface.loom.light import swatch
from saree_cosface.loom.options import LoomOptions
from saree_cosface.loom.shops import BACKDROPS, open_shop, photograph
from saree_cosface.loom.views import VIEWS

SMALL = LoomOptions(pieces_per_craft=1, photos_per_piece=1, shops=8, size=96, seed=3, workers=1)


def bytes_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(manifest):
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loom")
    return draw_corpus(folder, SMALL).parent


@pytest.fixture(scope="module")
def cloths():
    return {craft: draw(np.random.default_rng(5), Taste(1)) for craft, draw in GRAMMARS.items()}


def test_manifest_names_every_photograph(corpus):
    rows = rows_of(corpus / "manifest.csv")
    assert tuple(rows[0]) == COLUMNS
    assert Counter(row["craft"] for row in rows) == dict.fromkeys(GRAMMARS, 1)
    for row in rows:
        photo = corpus / row["path"]
        assert hashlib.sha256(photo.read_bytes()).hexdigest() == row["sha256"]
        assert row["view"] in VIEWS
        with Image.open(photo) as image:
            assert max(image.size) == 96
            assert np.asarray(image.convert("L")).std() > 8, "a photograph of nothing"
    assert {path.relative_to(corpus).as_posix() for path in corpus.glob("photos/*/*")} == {row["path"] for row in rows}


@pytest.mark.slow
def test_a_corpus_does_not_depend_on_its_workers(corpus, tmp_path):
    draw_corpus(tmp_path / "two", replace(SMALL, workers=2))
    assert bytes_of(tmp_path / "two") == bytes_of(corpus)


def test_another_seed_draws_other_photographs(tmp_path):
    options = replace(SMALL, seed=4)
    piece = pieces(options)[0]
    first = draw_piece((tmp_path / "a", SMALL, piece))[1][0]["sha256"]
    assert draw_piece((tmp_path / "b", SMALL, piece))[1][0]["sha256"] == first
    assert draw_piece((tmp_path / "c", options, piece))[1][0]["sha256"] != first


@pytest.mark.slow
def test_a_killed_corpus_goes_on_where_it_stopped(corpus, tmp_path):
    folder = tmp_path / "killed"
    program = (
        "import sys; from pathlib import Path; from saree_cosface.loom.corpus import draw_corpus\n"
        "from saree_cosface.loom.options import LoomOptions\n"
        f"draw_corpus(Path(sys.argv[1]), {SMALL!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(folder)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("photos/*/[!.]*.jpg"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("photos/*/[!.]*.jpg")}
    assert 3 <= len(kept) < len(GRAMMARS)
    assert not (folder / "manifest.csv").exists()
    (folder / "photos" / "banarasi" / ".banarasi_000_0-stale.jpg").write_bytes(b"half")
    draw_corpus(folder, SMALL)
    assert bytes_of(folder) == bytes_of(corpus)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "finished photographs were drawn again"


def test_other_options_in_the_same_folder_are_refused(corpus):
    with pytest.raises(ValueError, match=r"other options.*size 96, not 128.*another folder"):
        draw_corpus(corpus, replace(SMALL, size=128))


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_spoilt_record_is_refused(tmp_path, text):
    (tmp_path / "loom.json").write_text(text)
    with pytest.raises(ValueError, match="folder"):
        draw_corpus(tmp_path, SMALL)


@pytest.mark.parametrize(("name", "value"), [("pieces_per_craft", 0), ("shops", 0), ("size", 32), ("seed", -1)])
def test_senseless_options_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        replace(SMALL, **{name: value})


def test_shops_are_confounded_as_declared(corpus):
    options = LoomOptions()
    special = confounded_shops(options)
    assert len(special) == 3
    assert len(set(special.values())) == 3
    sold = {shop: Counter(piece.craft for piece in pieces(options) if piece.shop == shop) for shop in range(8)}
    for shop, counts in sold.items():
        share = max(counts.values()) / counts.total()
        if shop in special:
            assert counts.most_common(1)[0][0] == special[shop]
            assert 0.65 < share < 0.85
            assert len(counts) >= 4
        else:
            assert share < 0.2
            assert set(counts) == set(GRAMMARS)
    for craft in GRAMMARS:
        assert sum(craft in counts for counts in sold.values()) >= 4
    cards = json.loads((corpus / "shops.json").read_text())
    assert {name: card["confounded_with"] for name, card in cards.items()} == {
        f"shop_{shop:02d}": confounded_shops(SMALL).get(shop) for shop in range(8)
    }


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 9))
def test_every_piece_is_sold_once(count, shops, seed):
    options = LoomOptions(pieces_per_craft=count, shops=shops, seed=seed)
    all_pieces = pieces(options)
    assert len({piece.name for piece in all_pieces}) == len(all_pieces) == count * len(GRAMMARS)
    assert all(0 <= piece.shop < shops for piece in all_pieces)


@pytest.mark.parametrize("craft", GRAMMARS)
def test_every_craft_keeps_to_its_cloth(craft, cloths):
    for seed in range(9):
        cloth = GRAMMARS[craft](np.random.default_rng(seed), Taste(seed, strength=0.0))
        assert cloth.yarns.shape == (WIDTH, LENGTH)
        assert cloth.yarns.dtype == np.uint8
        assert cloth.yarns.max() < YARNS == len(cloth.palette), "a cell without a yarn"
        assert 0 < cloth.pallu < LENGTH
    again = GRAMMARS[craft](np.random.default_rng(5), Taste(1))
    assert np.array_equal(again.yarns, cloths[craft].yarns)
    assert again.palette == cloths[craft].palette


def test_crafts_differ_in_structure(cloths):
    """Told apart with the colours taken away: by how much of the body changes from cell to cell, and in which yarns."""
    body = {craft: cloth.yarns[300:700, 200:800] for craft, cloth in cloths.items()}
    edges = {craft: np.mean(field[:, 1:] != field[:, :-1]) for craft, field in body.items()}
    assert edges["kasavu"] < edges["chanderi"] < edges["kota_doria"]
    assert edges["patola"] > 2 * edges["paithani"]
    columns = {craft: np.abs(np.diff(field.astype(int), axis=0)).astype(bool).mean() for craft, field in body.items()}
    assert all(np.isfinite(value) for value in columns.values())
    assert cloths["kota_doria"].palette[GROUND].opacity < 0.5 < cloths["chanderi"].palette[GROUND].opacity < 0.8
    assert cloths["kanjivaram"].palette[GROUND].opacity == 1
    pallus = {craft: cloth.yarns[:, cloth.pallu + 20 :] for craft, cloth in cloths.items()}
    assert np.mean(pallus["paithani"] == ZARI) > 0.4 > np.mean(pallus["leheriya"] == ZARI)


def test_korvai_spires_bite_into_the_body(cloths):
    cloth = cloths["kanjivaram"]
    rows = np.mean(cloth.yarns[cloth.border : cloth.border + 40, : cloth.pallu - 60] == BORDER, axis=1)
    assert rows[0] > 0.6
    assert np.all(np.diff(rows) <= 0.02), "a spire narrows towards its tip"
    assert rows[-1] < rows[0] - 0.2


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_shows_the_cloth(view, cloths):
    shop = open_shop(0, 1)
    for craft in ("banarasi", "jamdani"):
        on = swatch(cloths[craft], np.random.default_rng(0))
        photos = [photograph(shop, on, view, 128, np.random.default_rng(seed)) for seed in (0, 0, 1, 2, 3)]
        assert photos[0].dtype == np.uint8
        assert max(photos[0].shape) == 128
        assert np.array_equal(photos[0], photos[1])
        assert not np.array_equal(photos[0], photos[2])


def test_shops_differ_and_stay_themselves():
    street = [open_shop(0, number) for number in range(len(BACKDROPS))]
    assert {shop.backdrop for shop in street} == set(BACKDROPS)
    assert open_shop(0, 2) == street[2]
    cloth = GRAMMARS["kasavu"](np.random.default_rng(0), Taste(0))
    on = swatch(cloth, np.random.default_rng(0))
    for shop in street:
        assert photograph(shop, on, "folded", 96, np.random.default_rng(1)).std() > 8
        assert sum(shop.views) == pytest.approx(1)


def test_taste_leans_the_same_way_each_time():
    names = list("abcdef")
    picks = Counter(Taste(9, strength=1.0).pick(np.random.default_rng(seed), "x", names) for seed in range(200))
    even = Counter(Taste(9, strength=0.0).pick(np.random.default_rng(seed), "x", names) for seed in range(200))
    assert picks.most_common(1)[0][1] > 1.4 * even.most_common(1)[0][1]


def test_stamping_is_cut_off_at_the_selvedge():
    cloth = np.zeros((4, 4), np.uint8)
    motif = np.array([[1, CLEAR], [2, 3]], np.uint8)
    stamp(cloth, motif, -1, 3)
    stamp(cloth, motif, 9, 9)
    assert cloth[0].tolist() == [0, 0, 0, 2]
    assert cloth.sum() == 2


def test_scatter_half_drops_and_repeat_centres():
    field = np.zeros((40, 40), np.uint8)
    scatter(field, [np.ones((2, 2), np.uint8)], (20, 20))
    rows, columns = np.nonzero(field)
    assert set(rows[columns < 20]) != set(rows[columns >= 20])
    band = np.zeros((5, 12), np.uint8)
    repeat(band, np.full((1, 2), 7, np.uint8), 4)
    assert np.nonzero(band)[0].tolist() == [2] * 6


def test_feathering_frays_only_across_the_threads_that_slip():
    field = np.zeros((60, 80), np.uint8)
    field[:, 40:] = 1
    warp, weft = field.copy(), field.copy()
    feather(warp, np.random.default_rng(0), 3.0, 0.0)
    feather(weft, np.random.default_rng(0), 0.0, 3.0)
    assert len({int(row.argmax()) for row in warp}) > 5
    assert np.array_equal(weft, field), "a weft that slips along itself leaves an upright edge sharp"


def test_stepped_figures_are_rectangles():
    for name, rows in STEPPED.items():
        assert len({len(row) for row in rows}) == 1, name


def test_the_pallu_begins_where_it_says(cloths):
    cloth = cloths["pochampally"]
    middle = cloth.yarns[300:700]
    assert (middle[:, cloth.pallu + 8 : cloth.pallu + 18] == PALLU).any()
    assert not (middle[:, : cloth.pallu - 80] == PALLU).any()


def test_statistics_count_the_corpus(corpus, capsys):
    assert main([str(corpus / "manifest.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["photos"] == found["pieces"] == len(GRAMMARS)
    assert sum(found["crafts"].values()) == sum(found["views"].values()) == len(GRAMMARS)
    assert sum(shop["photos"] for shop in found["shops"].values()) == len(GRAMMARS)
    assert 0 < found["processor_seconds_per_photo"] < 5


def test_statistics_need_a_corpus(tmp_path, capsys):
    assert main([]) == 2
    assert main([str(tmp_path / "manifest.csv")]) == 1
    assert "loom.json: No such file" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_stops_the_drawing(tmp_path):
    (tmp_path / "photos").write_text("not a folder")
    with pytest.raises(OSError, match="photos"):
        draw_corpus(tmp_path, replace(SMALL, workers=2))
    assert not (tmp_path / "manifest.csv").exists()


def test_threads_show_at_close_range_only(cloths):
    shop = open_shop(0, 1)
    coarse, fine = (swatch(replace(cloths["kasavu"], pitch=pitch), np.random.default_rng(0)) for pitch in (1.4, 0.1))
    for view, shows in (("macro", True), ("drape", False)):
        seen = [photograph(shop, on, view, 448, np.random.default_rng(2)) for on in (coarse, fine)]
        assert np.array_equal(*seen) != shows
