import re
import warnings

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from PIL import Image

from saree_cosface.maps import by_craft, by_source
from saree_cosface.maps import changes as map_changes
from saree_cosface.maps import craft_sheet as map_sheets
from saree_cosface.maps.by_craft import map_figure
from saree_cosface.maps.by_source import source_figure
from saree_cosface.maps.changes import before_after_figure
from saree_cosface.maps.craft_sheet import craft_sheet
from saree_cosface.maps.drawing import name_of
from saree_cosface.maps.key import Entry, in_columns
from saree_cosface.maps.labels import HALO
from saree_cosface.maps.print_page import SUFFIXES, WIDTH, shorten, text_width, wrap
from saree_cosface.taxonomy import load_taxonomy
from tests.helpers.boxes import overlapping

FACTS = ("Trustworthiness 0.97: neighbours here are nearly all neighbours in truth.", "Distances mean little.")
CRAFTS = [craft.id for craft in load_taxonomy().crafts]


def collection(crafts=13, photos=500, sources=30, seed=0):
    """A collection whose crafts lie in clumps by source, some of them crowded, one of three photos."""
    rng = np.random.default_rng(seed)
    ids = [str(craft) for craft in rng.permutation(CRAFTS)[:crafts]]
    weights = rng.pareto(1.2, crafts) + 0.3
    counts = np.maximum(3, (photos * weights / weights.sum()).astype(int))
    counts[-1] = 3
    craft = np.repeat(np.arange(crafts), counts)
    source = (craft * 7 + rng.integers(0, 5, len(craft)) ** 2) % sources
    centres, shifts = rng.uniform(-6, 6, (crafts, 2)), rng.normal(0, 0.7, (sources, 2))
    points = centres[craft] + shifts[source] + rng.normal(0, 0.4, (len(craft), 2))
    families = load_taxonomy().families
    table = pd.DataFrame(
        {
            "path": [f"photos/{row}.jpg" for row in range(len(craft))],
            "sha256": [f"{row:064x}" for row in range(len(craft))],
            "craft": [ids[each] for each in craft],
            "family": [families[ids[each]] for each in craft],
            "source": [f"shop {each}" for each in source],
            "piece": "",
            "outlier": rng.random(len(craft)) < 0.03,
            "x": points[:, 0],
            "y": points[:, 1],
        }
    )
    prototypes = pd.DataFrame({"craft": ids, "x": centres[:, 0], "y": centres[:, 1]})
    return table, prototypes


@pytest.fixture
def drawn(monkeypatch):
    """The sheets, laid out but not written."""
    sheets = []

    def keep(figure, path, suffixes):
        FigureCanvasAgg(figure).draw()
        sheets.append(figure)
        return []

    for module in (by_craft, by_source, map_changes, map_sheets):
        monkeypatch.setattr(module, "save_sheet", keep)
    return sheets


def boxes(figure, texts):
    renderer = figure.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in texts]


def labels(axes):
    return [text for text in axes.texts if text.get_gid() != HALO]


def assert_legible(figure):
    """Nothing lies over anything else, leaves its place, or is too small to read."""
    whole = figure.bbox
    texts = boxes(figure, figure.texts)
    assert not overlapping(texts)
    assert all(box.x0 >= whole.x0 and box.x1 <= whole.x1 and box.y0 >= whole.y0 for box in texts)
    assert all(text.get_fontsize() >= 6 for text in figure.texts)
    for axes in figure.axes:
        inside = boxes(figure, labels(axes))
        assert not overlapping(inside)
        room = axes.get_window_extent()
        assert all(room.x0 <= box.x0 and box.x1 <= room.x1 for box in inside)
        assert all(room.y0 <= box.y0 and box.y1 <= room.y1 for box in inside)
        assert not overlapping([room, *texts])
        assert all(text.get_fontsize() >= 6 for text in labels(axes))


def written(figure):
    return [text.get_text() for text in figure.texts]


def offsets(axes, gid):
    found = [each for each in axes.collections if each.get_gid() == gid]
    return np.concatenate([each.get_offsets() for each in found]) if found else np.zeros((0, 2))


def rows(points):
    return sorted(map(tuple, np.round(np.asarray(points, float), 6)))


@pytest.mark.slow
@pytest.mark.parametrize(("crafts", "photos"), [(2, 40), (13, 500), (40, 2000), (62, 1500)])
def test_the_map_names_every_craft_and_no_name_lies_over_another(tmp_path, drawn, crafts, photos):
    table, prototypes = collection(crafts, photos)
    map_figure(table, prototypes, FACTS, tmp_path / "map")
    (figure,) = drawn
    assert figure.get_figwidth() * 25.4 == pytest.approx(WIDTH)
    assert figure.get_figheight() * 25.4 < 250  # a page of A4 holds it
    assert_legible(figure)
    key = written(figure)
    on_map = {text.get_text() for text in labels(figure.axes[0])}
    for craft in prototypes["craft"]:
        name = name_of(craft)
        numbered = [line.split("  ")[0] for line in key if line.endswith(f"  {name}")]
        assert name in on_map or (numbered and numbered[0] in on_map)
        assert name in key or numbered
    assert all(fact in " ".join(key) for fact in FACTS)


def test_rings_lie_on_the_outliers_and_diamonds_on_the_prototypes_alone(tmp_path, drawn):
    table, prototypes = collection()
    assert 0 < table["outlier"].sum() < len(table)
    map_figure(table, prototypes, FACTS, tmp_path / "map")
    axes = drawn[0].axes[0]
    assert rows(offsets(axes, "rings")) == rows(table.loc[table["outlier"], ["x", "y"]])
    assert rows(offsets(axes, "prototypes")) == rows(prototypes[["x", "y"]])
    assert f"{table['outlier'].sum()} outliers" in written(drawn[0])


def test_every_photo_is_drawn_once_in_the_colour_of_its_craft(tmp_path, drawn):
    table, prototypes = collection()
    map_figure(table, prototypes, FACTS, tmp_path / "map")
    points = [each for each in drawn[0].axes[0].collections if isinstance(each, PathCollection) and not each.get_gid()]
    points = [each for each in points if len(each.get_facecolors())]
    places = np.concatenate([each.get_offsets() for each in points])
    assert rows(places) == rows(table[["x", "y"]])
    shades = {}
    for each in points:
        for place, colour in zip(each.get_offsets(), each.get_facecolors(), strict=True):
            shades[tuple(np.round(place, 6))] = tuple(colour[:3])
    by_craft = table.groupby("craft")[["x", "y"]].apply(
        lambda group: {shades[each] for each in map(tuple, group.round(6).to_numpy())}
    )
    assert all(len(found) == 1 for found in by_craft)
    assert len(set.union(*by_craft)) == table["craft"].nunique()


def test_markers_tell_few_sources_and_else_the_craft(tmp_path, drawn):
    table, prototypes = collection()
    map_figure(table.assign(source="only one"), prototypes, FACTS, tmp_path / "map")
    map_figure(table.assign(source=np.where(table.index % 3, "museum", "shop")), prototypes, FACTS, tmp_path / "map")
    map_figure(table.assign(source=[f"s{row % 60}" for row in table.index]), prototypes, FACTS, tmp_path / "map")
    one, few, many = (written(figure) for figure in drawn)
    assert "colour: the craft; marker: the source:" in few
    assert {"museum", "shop"} <= set(few)
    for key in (one, many):
        assert "colour and marker: the craft; sources have a map of their own" in key


@pytest.mark.slow
@pytest.mark.parametrize("figure", [map_figure, craft_sheet])
def test_the_same_photos_give_the_same_bytes(tmp_path, figure):
    table, prototypes = collection(photos=120)
    arguments = (table, prototypes, FACTS) if figure is map_figure else (table, prototypes)
    once = figure(*arguments, tmp_path / "once")
    assert [path.name for path in once] == ["once.png", "once.svg", "once.pdf"]
    again = figure(*arguments, tmp_path / "again.png")
    for first, second in zip(once, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size > 1000


@pytest.mark.slow
def test_words_are_words_and_points_are_pixels(tmp_path):
    table, prototypes = collection(40, 20_000, 200)
    svg, pdf = map_figure(table, prototypes, FACTS, tmp_path / "map", suffixes=(".svg", ".pdf"))
    text = svg.read_text(encoding="utf-8")
    for craft in prototypes["craft"]:
        assert re.search(rf"<text[^>]*>{re.escape(name_of(craft))}</text>", text)
    assert text.count("<image") == 1
    assert "<dc:date>" not in text
    assert svg.stat().st_size < 3e6
    content = pdf.read_bytes()
    assert b"/FontFile2" in content  # TrueType, whole words
    assert b"/Type3" not in content
    assert b"/CreationDate" not in content
    assert len(content) < 2e6


def test_the_size_in_print_is_exact(tmp_path):
    table, prototypes = collection(photos=60)
    (png,) = map_figure(table, prototypes, FACTS, tmp_path / "map", suffixes=(".png",))
    with Image.open(png) as image:
        assert image.width == pytest.approx(WIDTH / 25.4 * 300, abs=1)
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_names_from_outside_are_no_formulas(tmp_path, drawn):
    table, prototypes = collection(photos=60)
    table["source"] = "a $\\frac{1}{2}$\nshop"
    table.loc[table["craft"] == table["craft"].iloc[0], "craft"] = "my $x$ label & <more>"
    map_figure(table, prototypes, ("costs $1 or $2",), tmp_path / "map")
    source_figure(table, (), tmp_path / "map")
    assert "my $x$ label & <more>" in written(drawn[0])
    assert "costs $1 or $2" in written(drawn[0])
    assert "a $\\frac{1}{2}$ shop" in written(drawn[1])
    assert not any(text.get_parse_math() for figure in drawn for text in figure.texts)


def test_the_source_map_colours_a_dozen_and_counts_the_rest(tmp_path, drawn):
    table, _ = collection(13, 600, 60)
    source_figure(table, FACTS, tmp_path / "map")
    (figure,) = drawn
    assert_legible(figure)
    counts = table["source"].value_counts()
    key = written(figure)
    listed = [name for name in counts.index if name in key]
    assert len(listed) == 12
    assert f"{len(counts) - 12} other sources" in key
    assert f"{counts.drop(listed).sum():,}" in key


def test_a_source_with_a_clump_of_its_own_is_named_there_and_a_mixed_one_is_not(tmp_path, drawn):
    rng = np.random.default_rng(0)
    mixed = rng.normal(0, 1, (120, 2))
    clump = rng.normal((12, 0), 0.3, (20, 2))
    table = pd.DataFrame(np.concatenate([mixed, clump]), columns=["x", "y"])
    table["craft"], table["piece"] = "banarasi", ""
    table["source"] = [f"shop {row % 6}" for row in range(120)] + ["studio"] * 20
    source_figure(table, FACTS, tmp_path / "map")
    (figure,) = drawn
    (label,) = labels(figure.axes[0])
    assert label.get_text() == "studio"
    assert np.linalg.norm(np.array(label.get_position()) - [12, 0]) < 2.5
    assert "20 of 140 photos" in " ".join(written(figure))


@pytest.mark.slow
@pytest.mark.parametrize("crafts", [1, 13, 40, 62])
def test_the_sheet_has_a_panel_a_craft_on_one_scale(tmp_path, drawn, crafts):
    table, prototypes = collection(crafts, 600)
    craft_sheet(table, prototypes, tmp_path / "sheet")
    (figure,) = drawn
    assert len(figure.axes) == crafts
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1
    assert_legible(figure)
    assert figure.get_figheight() * 25.4 < 257
    names = {name_of(craft) for craft in prototypes["craft"]}
    assert sum(text in names for text in written(figure)) >= 0.9 * crafts  # the longest may be shortened
    ringed = np.concatenate([offsets(axes, "rings") for axes in figure.axes])
    assert rows(ringed) == rows(table.loc[table["outlier"], ["x", "y"]])


def test_before_and_after_mark_and_count_what_changed(tmp_path, drawn):
    before, _ = collection(13, 500)
    after = before.drop(index=[0, 1, 2]).copy()
    changed = after.index[10:14]
    after.loc[changed, "craft"] = "my own label"
    after.loc[after.index[20:22], "sha256"] = ["a new one", "another"]
    after["x"] += 3
    before_after_figure(before, after, tmp_path / "both")
    (figure,) = drawn
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    assert rows(offsets(left, "rings")) == rows(before.loc[changed, ["x", "y"]])
    assert rows(offsets(right, "rings")) == rows(after.loc[changed, ["x", "y"]])
    gone = [0, 1, 2, *after.index[20:22]]
    assert rows(offsets(left, "signs")) == rows(before.loc[gone, ["x", "y"]])
    assert rows(offsets(right, "signs")) == rows(after.loc[after.index[20:22], ["x", "y"]])
    assert {"4 photos with another label", "5 left", "2 came"} <= set(written(figure))
    assert any(line.endswith("→ my own label") for line in written(figure))
    assert_legible(figure)


@pytest.mark.slow
def test_what_is_the_same_before_and_after_is_not_marked(tmp_path, drawn):
    table, _ = collection(62, 900)
    before_after_figure(table, table.sample(frac=1, random_state=0), tmp_path / "both")
    (figure,) = drawn
    assert all(not len(offsets(axes, gid)) for axes in figure.axes for gid in ("rings", "signs"))
    assert "0 photos with another label" in written(figure)
    assert_legible(figure)


def few(count):
    table, prototypes = collection(6, 120)
    return table.head(count), prototypes.head(min(count, 1))


def one_craft():
    table, prototypes = collection(6, 120)
    return table[table["craft"] == table["craft"].iloc[0]], prototypes.head(1)


def one_place():
    table, prototypes = collection(6, 120)
    return table.assign(x=1.0, y=2.0), prototypes.assign(x=1.0, y=2.0)


def gaps():
    table, prototypes = collection(6, 120)
    table["outlier"] = table["outlier"].astype(object)
    for column, step in {"family": 3, "source": 5, "piece": 2, "outlier": 7, "x": 50}.items():
        table.loc[::step, column] = np.nan
    return table, prototypes.head(4)


def a_line():
    table, prototypes = collection(6, 120)
    return table.assign(y=0.0), prototypes.head(0)


def other_types():
    table, prototypes = collection(6, 120)
    table = table.astype({"craft": "category", "source": "category", "x": "float32", "y": "float32"})
    return table.set_index(table.index + 1000), prototypes


def another_script():
    table, prototypes = collection(4, 60)
    sources = pd.Series(["\ud83d shop \x07"] * len(table), dtype=object)  # no valid text, as a file name may be
    return table.assign(craft="बनारसी साड़ी", source=sources), prototypes.head(1)


PLACES = [lambda count=count: few(count) for count in (0, 1, 2, 5)]
PLACES += [one_craft, one_place, a_line, other_types]
WORDS = [gaps, another_script]
"""Odd in what is written, which each format writes in a way of its own."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "suffixes"), [(case, (".png",)) for case in PLACES] + [(case, SUFFIXES) for case in WORDS]
)
def test_odd_collections_are_drawn_without_a_warning(tmp_path, case, suffixes):
    table, prototypes = case()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = map_figure(table, prototypes, FACTS, tmp_path / "map", suffixes=suffixes)
        found += source_figure(table, FACTS, tmp_path / "sources", suffixes=suffixes)
        found += craft_sheet(table, prototypes, tmp_path / "crafts", suffixes=suffixes)
        found += before_after_figure(table, table.head(3), tmp_path / "both", suffixes=suffixes)
    assert len(found) == 4 * len(suffixes)
    assert all(path.stat().st_size > 500 for path in found)


def test_lines_are_wrapped_and_shortened_to_a_width():
    text = "Of a photo's nearest neighbours by cosine the map keeps about two thirds " + "w" * 80
    lines = wrap(text, 60, 7)
    assert len(lines) > 2
    assert all(text_width(line, 7) <= 60 for line in lines)
    assert lines[-1].endswith("w…")
    assert " ".join(lines[:-1]) + " " == text.rstrip("w")
    assert shorten("short", 60, 7) == "short"


def test_a_key_keeps_families_together_and_says_where_one_goes_on():
    items = [Entry(str(number), marker="o") for number in range(9)]
    together = in_columns([Entry("a"), *items[:3], Entry("b"), *items[3:5], Entry("c"), *items[5:8]], 3)
    assert [column[0].text for column in together] == ["a", "b", "c"]
    split = in_columns([Entry("a"), *items], 3)
    assert [column[0].text for column in split] == ["a", "a, continued", "a, continued"]
    assert [entry.text for column in split for entry in column if entry.marker] == [entry.text for entry in items]
    assert [len(column) for column in in_columns(items, 3)] == [3, 3, 3]


@pytest.mark.parametrize("draw", ["map", "sheet"])
def test_crafts_of_which_only_the_prototype_is_shown_are_not_counted_and_keep_their_family(drawn, tmp_path, draw):
    photos, prototypes = collection(6, 60)
    kept = sorted(set(photos["craft"]))[:2]
    photos = photos[photos["craft"].isin(kept)]
    if draw == "map":
        map_figure(photos, prototypes, FACTS, tmp_path / "map")
    else:
        craft_sheet(photos.assign(craft=photos["craft"].replace(kept[0], "")), prototypes, tmp_path / "sheet")
    said = [text.get_text() for text in drawn[0].texts]
    assert said[0].startswith("2 crafts in " if draw == "map" else "1 craft in ")
    assert not any("family not known" in text for text in said)


def test_what_is_ringed_is_named_in_the_key(drawn, tmp_path):
    photos, prototypes = collection()
    chosen = np.arange(len(photos)) % 7 == 0
    map_figure(photos.assign(**{"held-out photo": chosen}), prototypes, [], tmp_path / "m", ringed="held-out photo")
    assert f"{chosen.sum()} held-out photos" in written(drawn[0])
    assert not any("outlier" in text for text in written(drawn[0]))
    assert rows(offsets(drawn[0].axes[0], "rings")) == rows(photos.loc[chosen, ["x", "y"]])
