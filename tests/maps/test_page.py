import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from saree_cosface.maps import thumbnails as thumbnails_module
from saree_cosface.maps.colours import craft_colours
from saree_cosface.maps.page import write_map_page
from saree_cosface.maps.thumbnails import budget, thumbnails
from tests.helpers.map_photos import draw_map, draw_pictures

HOSTILE = "</script><script>window.hacked = 1</script><!-- \"'& $plotly"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_pictures(tmp_path_factory.mktemp("pictures"), 12)


def write(folder, photos, files, neighbours, cosines, prototypes, *, title="A map", facts=("One fact.",)):
    path = folder / "map.html"
    write_map_page(photos, files, neighbours, cosines, prototypes, path, title=title, facts=facts)
    return path.read_text(encoding="utf-8")


class Page(HTMLParser):
    """What a browser finds: the start tags and the content of each script."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, text):
        if self.cdata_elem == "script":
            self.scripts[-1] += text

    @property
    def data(self):
        return json.loads(self.scripts[0])


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


def test_every_value_arrives(tmp_path, pictures):
    photos, files, neighbours, cosines, prototypes = draw_map(60, pictures)
    data = Page(write(tmp_path, photos, files, neighbours, cosines, prototypes)).data
    assert data["count"] == 60
    assert data["nearest"] == 8
    assert data["path"] == photos["path"].tolist()
    for name in ("craft", "family", "source", "view", "piece", "split", "named", "verdict"):
        column = data["columns"][name]
        assert [column["values"][code] for code in numbers(column["codes"], "<i4")] == photos[name].tolist()
    assert numbers(data["x"], "<f4") == pytest.approx(photos["x"], abs=1e-5)
    assert numbers(data["y"], "<f4") == pytest.approx(photos["y"], abs=1e-5)
    assert numbers(data["cosine"], "<i2") / 10_000 == pytest.approx(photos["cosine"], abs=6e-5)
    own = numbers(data["own_cosine"], "<i2")
    absent = photos["own_cosine"].isna().to_numpy()
    assert absent.any()
    assert (own[absent] == -32_768).all()
    assert own[~absent] / 10_000 == pytest.approx(photos["own_cosine"][~absent], abs=6e-5)
    assert numbers(data["outlier"], "u1").astype(bool).tolist() == photos["outlier"].tolist()
    assert (numbers(data["neighbours"], "<i4").reshape(60, 8) == neighbours).all()
    assert numbers(data["cosines"], "<i2").reshape(60, 8) / 10_000 == pytest.approx(cosines, abs=6e-5)
    assert data["prototypes"]["craft"] == prototypes["craft"].tolist()


def test_crafts_have_names_colours_families_and_spellings(tmp_path, pictures):
    column = Page(write(tmp_path, *draw_map(60, pictures))).data["columns"]["craft"]
    assert column["values"].index("gadwal") + 1 == column["values"].index("kanjivaram")  # one family, by name
    at = column["values"].index("kanjivaram")
    assert column["names"][at] == "Kanjivaram"
    assert column["groups"][at] == "korvai silk"
    assert "Kanchipuram" in column["search"][at]
    looks = craft_colours(column["values"])
    assert list(zip(column["colours"], column["markers"], strict=True)) == list(looks.values())


def test_hostile_text_stays_text(tmp_path, pictures):
    photos, files, neighbours, cosines, prototypes = draw_map(30, pictures)
    for name in ("path", "craft", "family", "source", "view", "piece", "split", "named", "verdict"):
        photos.loc[3, name] = f"{name} {HOSTILE}"
    photos.loc[4, "source"] = "شال‎ 🧵 " + "x" * 300
    photos["path"] = photos["path"].astype(object)  # pandas holds text in pyarrow, which knows no such names
    photos.loc[5, "path"] = "photos/\udcff.jpg"
    prototypes.loc[0, "craft"] = HOSTILE
    text = write(tmp_path, photos, files, neighbours, cosines, prototypes, title=HOSTILE, facts=[HOSTILE])
    page = Page(text)
    clean = Page(write(tmp_path, *draw_map(30, pictures)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in clean.tags]
    assert page.data["path"][3] == f"path {HOSTILE}"
    assert page.data["columns"]["source"]["values"].count(photos["source"][4]) == 1
    assert page.data["path"][5] == "photos/?.jpg"


def test_page_refers_to_nothing_outside(tmp_path, pictures):
    page = Page(write(tmp_path, *draw_map(30, pictures)))
    links = [
        value for _, attributes in page.tags for name, value in attributes.items() if name in ("src", "href", "action")
    ]
    assert sorted(links) == ["#panel", "data:,"]
    policy = next(attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    assert "https:" not in "".join(script for script in page.scripts[:2] + page.scripts[3:])  # all but plotly's
    assert not re.search(r"url\(\s*['\"]?http|@import", "".join(page.scripts[3:]))


def test_absent_pictures_are_told(tmp_path, pictures):
    photos, files, neighbours, cosines, prototypes = draw_map(30, pictures)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    files[2], files[5] = tmp_path / "gone.jpg", broken
    text = write(tmp_path, photos, files, neighbours, cosines, prototypes)
    assert "2 of 30 photos could not be read and have no picture here." in text
    codes = numbers(Page(text).data["picture"], "<i4")
    assert np.flatnonzero(codes < 0).tolist() == [2, 5]


def test_pictures_are_those_of_their_files(tmp_path, pictures):
    page = Page(write(tmp_path, *draw_map(30, pictures)))
    codes, lines = numbers(page.data["picture"], "<i4"), page.scripts[1].split("\n")
    assert len(lines) == len(pictures) == 12
    for row in (0, 7, 25):
        shown = Image.open(io.BytesIO(base64.b64decode(lines[codes[row]]))).convert("RGB")
        original = Image.open(pictures[row % 12]).resize(shown.size)
        assert np.abs(np.asarray(shown, float) - np.asarray(original, float)).mean() < 12


def test_unknown_pieces_tell_nothing_of_the_machine(tmp_path, pictures):
    photos, *others = draw_map(30, pictures)
    photos["piece"] = "/home/curator/" + photos["path"]
    assert "/home/curator" not in write(tmp_path, photos, *others)


def test_a_single_photo_without_neighbours_has_a_map(tmp_path, pictures):
    photos, files, neighbours, cosines, prototypes = draw_map(1, pictures)
    text = write(tmp_path, photos, files, neighbours[:, :0], cosines[:, :0], prototypes.iloc[:0])
    assert Page(text).data["nearest"] == 0


def wrong_tables(pictures):
    photos, files, neighbours, cosines, prototypes = draw_map(10, pictures)
    yield (
        "lacks verdict, y of the prototypes",
        (photos.drop(columns="verdict"), files, neighbours, cosines, prototypes.drop(columns="y")),
    )
    yield "no photo", (photos.iloc[:0], [], neighbours[:0], cosines[:0], prototypes)
    yield "10 photos, but 9 files", (photos, files[1:], neighbours, cosines, prototypes)
    yield "neighbours", (photos, files, neighbours[:, 1:], cosines, prototypes)
    yield "neighbour is not among", (photos, files, neighbours + 1, cosines, prototypes)
    yield "photo has no finite place", (photos.assign(x=np.nan), files, neighbours, cosines, prototypes)
    yield "prototype has no finite place", (photos, files, neighbours, cosines, prototypes.assign(y=np.inf))


def test_wrong_tables_are_refused_and_the_old_page_stays(tmp_path, pictures):
    (tmp_path / "map.html").write_text("old")
    seen = 0
    for message, arguments in wrong_tables(pictures):
        with pytest.raises(ValueError, match=message):
            write(tmp_path, *arguments)
        seen += 1
    assert seen == 7
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]
    assert (tmp_path / "map.html").read_text() == "old"


def test_each_file_is_decoded_once_beyond_the_sample(pictures, monkeypatch):
    monkeypatch.setattr(thumbnails_module, "_SAMPLE", 0)
    decoded = []
    original = thumbnails_module.decode

    def decode(path, **options):
        decoded.append(path)
        return original(path, **options)

    monkeypatch.setattr(thumbnails_module, "decode", decode)
    found = thumbnails(pictures * 50)
    assert sorted(decoded) == sorted(pictures)
    assert found.codes.tolist() == list(range(12)) * 50


@pytest.mark.slow
def test_thumbnails_shrink_to_the_budget(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    files = []
    for index in range(20):
        files.append(tmp_path / f"{index}.jpg")
        Image.fromarray(rng.integers(0, 255, (300, 240, 3), dtype=np.uint8)).save(files[-1])  # noise compresses worst
    large = thumbnails(files)
    assert large.side == 192
    assert max(Image.open(io.BytesIO(base64.b64decode(large.pictures[0]))).size) == 192
    for allowed in (150_000, 60_000, 30_000):
        monkeypatch.setattr(thumbnails_module, "budget", lambda count, allowed=allowed: allowed)
        small = thumbnails(files)
        assert sum(map(len, small.pictures)) <= allowed
        assert small.side < large.side
        large = small


def test_no_files_have_no_thumbnails(tmp_path):
    assert thumbnails([]).pictures == ()
    assert thumbnails([tmp_path / "gone.jpg"]).codes.tolist() == [-1]


def test_budget_keeps_a_page_of_five_thousand_small():
    assert budget(5_000) + 4_900_000 + 5_000 * 300 <= 15_000_000  # plotly, and the rest of a row
