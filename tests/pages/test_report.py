import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.answers.attribution import Attribution, NearReference, RankedTradition
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.html import page as html_page
from saree_cosface.html.answer import answer, bars, reference_cards
from saree_cosface.html.page import Html, escape, file_uri, photo_uri, table
from saree_cosface.languages.packaged import english
from saree_cosface.maps.embedding import EmbeddingMap
from saree_cosface.pages import exhibits as report_exhibits
from saree_cosface.pages.report import write_report
from saree_cosface.scoring.audit import audit_document
from saree_cosface.scoring.held_out import score
from saree_cosface.scoring.probes import EvaluationError, Probes, unseen_probes
from saree_cosface.taxonomy import craft_name
from tests.helpers.numbers import calibration_with

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Collects what a page shows and refers to, and fails on tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.pictures, self.words, self.tags = [], [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        found = dict(attributes)
        self.addresses += [found[name] for name in ("src", "href", "action", "srcset") if name in found]
        if tag == "img":
            assert found["alt"]
            self.pictures.append(found["src"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def page(tiny_run, tiny_corpus, tiny_cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "report.html"
    assert write_report(tiny_run, tiny_corpus, out, cache=tiny_cache) == out
    return out


@pytest.fixture(scope="module")
def probes(tiny_run, tiny_corpus, tiny_cache):
    return unseen_probes(tiny_run, read_manifest(tiny_corpus), cache=tiny_cache)


@pytest.mark.slow
def test_report_is_one_well_formed_file_that_needs_no_other(page):
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    assert len(text) < 6_000_000
    assert all(address.startswith("data:") for address in parsed.addresses)
    assert all(len(picture) > 200 for picture in parsed.pictures)
    assert "url(" not in text
    assert "@import" not in text
    assert "script" not in parsed.tags
    assert 'name="viewport"' in text


@pytest.mark.slow
def test_report_says_what_was_measured_and_on_what(page, tiny_run, probes):
    text = Page(page.read_text(encoding="utf-8")).text
    document = score(tiny_run, probes, "source")
    assert "All photos here are synthetic" in text
    assert tiny_run.split_hash in text
    for name in ("top1", "balanced_accuracy", "macro_f1"):
        value = document["metrics"][name]
        assert f"{value['value']:.3f} {value['low']:.3f} – {value['high']:.3f}" in text
    for source in set(probes.manifest.sources):
        assert source in text
    gap = document["shortcut_gap"]["nearest"]
    assert f"{100 * gap['gap']:+.1f} points" in text
    assert all(craft_name(craft) in text for craft in tiny_run.classes)
    right = sum(photo["craft"] == photo["answer"] for photo in document["photos"])
    assert f"Right: {right} of {len(probes.manifest)}" in text


@pytest.mark.slow
def test_gaps_by_source_add_up_to_the_gap_of_all(page, tiny_run, probes):
    gap = score(tiny_run, probes, "source")["shortcut_gap"]
    rows = re.findall(
        r'<th scope="row">([^<]*)</th><td class="number">(\d+)</td>' + r'<td class="number">([-+.\d]+)</td>' * 6,
        page.read_text(encoding="utf-8"),
    )
    assert [row[0] for row in rows] == sorted(set(probes.manifest.sources))
    photos = np.array([int(row[1]) for row in rows])
    assert photos.sum() == len(probes.manifest)
    for column, (name, protocol) in {2: ("nearest", "random"), 3: ("nearest", "source"), 5: ("top1", "random")}.items():
        values = np.array([float(row[column]) for row in rows])
        assert (values * photos).sum() / photos.sum() == pytest.approx(gap[name][protocol], abs=1e-3)


@pytest.mark.slow
def test_shops_that_sell_mostly_one_craft_are_marked(page, probes):
    confounded = {str(value).lower() for value in probes.manifest.table["confounded"]}
    noted = re.search(r"sells mostly [^(<]+ \(\d+ of", page.read_text(encoding="utf-8"))
    assert bool(noted) == ("true" in confounded)


@pytest.mark.slow
def test_examples_unfold_what_they_rest_on(page):
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    examples = text.count('<div class="example">')
    assert parsed.tags.count("details") == examples > 0
    assert text.count("What each part of the photo adds to the cosine") == examples
    assert 0 < text.count("each other&#x27;s nearest") <= examples


@pytest.mark.slow
def test_what_an_audit_finds_stands_in_the_report(page, tiny_run, tiny_corpus, tiny_cache, probes):
    found = audit_document(tiny_run, read_manifest(tiny_corpus), probes, cache=tiny_cache)["findings"]
    text = Page(page.read_text(encoding="utf-8")).text
    assert len(found) > 4
    for finding in found:
        assert finding["says"] in text
    assert "What it does not know" not in text  # the run is not calibrated


@pytest.mark.slow
def test_coordinates_are_kept_beside_the_report(page, tiny_run, probes):
    found = EmbeddingMap.load(page.with_suffix(".map.parquet"), page.with_suffix(".map.json"))
    coordinates, parameters = found.photos, found.parameters
    held_out = len(probes.manifest)
    assert len(coordinates) == len(tiny_run.gallery) + held_out
    assert (coordinates["part"] == "held out").sum() == held_out
    assert np.isfinite(coordinates[["x", "y"]].to_numpy()).all()
    assert parameters["metric"] == "cosine"
    assert parameters["photos"] == len(coordinates)


@pytest.mark.slow
def test_awkward_names_are_escaped_and_lost_photos_left_out(tiny_run, tiny_cache, tmp_path, probes):
    held_out = probes.manifest
    table = held_out.table.assign(note="", confounded="")
    name = "<img src=x onerror=alert(1)> & \"é'.jpg"
    for row, file in enumerate(held_out.files()):
        target = tmp_path / (f"{row}{name}" if row < len(table) - 1 else "gone.jpg")
        if target.name != "gone.jpg":
            target.write_bytes(file.read_bytes())
        table.loc[row, ["path", "source"]] = [target.name, "<script>alert(2)</script>"]
    write_manifest(table, tmp_path / "manifest.csv")
    written = write_report(tiny_run, tmp_path / "manifest.csv", tmp_path / "report.html", cache=tiny_cache)
    parsed = Page(written.read_text("utf-8"))
    assert "script" not in parsed.tags
    assert "x" not in parsed.addresses
    assert "onerror=alert(1)" in parsed.text
    assert "<script>alert(2)</script>" in parsed.text
    assert "1: could not be read" in parsed.text
    assert "Not told: an audit needs the photos trained on" in parsed.text
    assert "The photos trained on are synthetic" in parsed.text  # the photos scored no longer say so
    assert not re.search(r"sells mostly [^(<]+ \(\d+ of", parsed.text)


def test_no_photo_to_score_leaves_no_file(tiny_run, tmp_path):
    out = tmp_path / "report.html"
    used = read_manifest(tiny_run.folder / "manifest.csv")
    write_manifest(used.table[used.table["split"] == "train"], tmp_path / "manifest.csv")
    with pytest.raises(EvaluationError, match="seen in training"):
        write_report(tiny_run, tmp_path / "manifest.csv", out)
    assert not list(tmp_path.glob("*report*"))


def test_synthetic_photos_are_known_by_their_notes_or_the_record_beside_them(tiny_corpus, tmp_path):
    manifest = read_manifest(tiny_corpus)
    assert manifest.drawn
    real = manifest.table.assign(note="")
    write_manifest(real, tmp_path / "manifest.csv")
    assert not read_manifest(tmp_path / "manifest.csv").drawn
    write_manifest(manifest.table, tmp_path / "noted.csv")
    assert read_manifest(tmp_path / "noted.csv").drawn


def test_examples_take_other_crafts_first():
    crafts = np.array(["a", "a", "a", "b", "c"])
    assert report_exhibits._varied(np.array([0, 1, 2, 3, 4]), crafts) == [0, 3, 4, 1]
    assert report_exhibits._varied(np.array([], dtype=int), crafts) == []


def test_examples_say_when_no_answer_was_wrong(tiny_run, probes):
    first = Probes(
        probes.manifest.select([0]), probes.embeddings[:1], probes.sides[:1], probes.features[:1], {}, (), False
    )
    craft = str(first.manifest.crafts[0])
    shown = report_exhibits.examples(tiny_run, first, {"photos": [{"craft": craft, "answer": craft}]})
    assert "Right: 1 of 1" in shown
    assert "None of the 1 answers was wrong." in shown


def test_curves_are_left_out_where_their_picture_is_gone(tiny_run, tmp_path):
    assert report_exhibits.curves(tiny_run).count("data:image/png") == 1
    assert report_exhibits.curves(type(tiny_run)(tmp_path, *[getattr(tiny_run, name) for name in _RUN])) == ""


_RUN = ("embedder", "gallery", "used", "sources", "split_hash")


@given(st.text())
def test_escaped_text_is_read_back_and_opens_no_tag(text):
    escaped = escape(text)
    assert not set("<>\"'") & set(escaped)
    parsed = Page(f'<p title="{escaped}">{escaped}</p>')
    assert parsed.tags == ["p"]


def test_escape_shows_a_name_that_is_not_utf8():
    assert escape("saree\udce9.jpg") == "saree?.jpg"


def test_table_escapes_cells_but_html():
    parsed = Page(table(("name", "n"), [("<b>", 3), (Html("<em>4</em>"), 4)], caption="<i>", numbers=" n"))
    assert "b" not in parsed.tags
    assert "i" not in parsed.tags
    assert parsed.tags.count("em") == 1
    assert parsed.text == "<i> name n <b> 3 4 4"


def test_bars_are_as_long_as_the_cosine():
    traditions = [RankedTradition("X & Y", "X & Y", "", "", cosine) for cosine in (1.0000001, 0.25, -0.3)]
    drawn = bars(traditions, english())
    assert re.findall(r"width:([\d.]+)%", drawn) == ["100.0", "25.0", "0.0"]
    assert "X &amp; Y" in drawn
    assert "-0.300" in drawn


def test_both_thresholds_are_drawn_and_labelled():
    traditions = [RankedTradition("x", "X", "", "", cosine) for cosine in (0.6, 0.25)]
    drawn = bars(traditions, english(), calibration_with(cosine=0.5, known=0.2))
    assert re.findall(r'line (\w+)" style="left:([\d.]+)%', drawn) == [("known", "20.0"), ("named", "50.0")] * 2
    assert re.findall(r'<b class="(\w+)">([^<]+)<', drawn) == [
        *(("known", "outside below 0.20"), ("named", "named from 0.50"))
    ]
    assert "line" not in bars(traditions, english())


def test_reference_cards_without_thumbnails_say_so(tmp_path):
    reference = NearReference("patola", "p", "", "photo.jpg", "thumbnails/none.jpg", 0.5, "")
    for folder in (tmp_path, None):
        card = reference_cards([reference], folder, english())
        assert "no picture" in card
        assert "Patola" in card
    assert file_uri(tmp_path / "none.png") == ""
    assert photo_uri(tmp_path / "none.jpg") == ""
    assert craft_name("no_such_craft") == "No such craft"


def test_answer_shows_the_photos_that_can_be_shown():
    found = Attribution(("a.jpg", "b<.jpg"), (), (), 0.0)
    parsed = Page(answer(found, ["data:,1", ""], "<h3>x</h3>", None, english()))
    assert parsed.pictures == ["data:,1"]


def test_stylesheet_is_packaged():
    assert (Path(html_page.__file__).parent / "style.css").is_file()
