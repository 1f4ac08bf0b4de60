"""No word of the interface is written elsewhere than in the files of languages: in a language whose every text stands in
brackets, nothing but names and data stands outside of them."""

import base64
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from app.background import ReferenceMaps
from app.batch import _progress, results
from app.curators_map import _opening as map_opening
from app.curators_next import next_html
from app.curators_review import _keys, _show
from app.curators_review import _opening as review_opening
from app.desk import Desk
from app.enrol import _list, _told
from app.identify import identify
from app.page import _known, build_app
from app.speaking import put_in
from saree_cosface.answers.advice import advice
from saree_cosface.answers.batch import Row, name_photos
from saree_cosface.answers.enrolment import enrol
from saree_cosface.answers.examination import examine, see
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.languages.language import Language
from saree_cosface.languages.packaged import english
from saree_cosface.languages.said import said
from saree_cosface.languages.values import Amount
from saree_cosface.pages.atlas import atlas_page
from saree_cosface.pages.atlas_cards import make_atlas
from saree_cosface.pages.model_card import model_page
from saree_cosface.pages.verdict_card import verdict_html
from saree_cosface.review.bench import decide, set_up
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.model_card import model_card

pytestmark = pytest.mark.slow  # a run is trained for them

SHOWN = ("alt", "title", "placeholder", "aria-label")
DATA = ("code", "kbd", "q", "bdi", "style", "script", "dd")
"""Elements whose content is data: names, commands, what somebody said."""


class Bracketed(Language):
    """English with every text, and every name of a craft or family, in brackets."""

    def craft(self, craft):
        return f"⟦{super().craft(craft)}⟧"

    def family(self, family):
        return f"⟦{family}⟧"

    def moment(self, when):
        return f"⟦{super().moment(when)}⟧"

    def day(self, when):
        return f"⟦{super().day(when)}⟧"


PSEUDO = Bracketed(
    "en",
    english().locale,
    {key: tuple(f"⟦{form}⟧" for form in forms) for key, forms in english().texts.items()},
    english().plural,
    english(),
)


class _Words(HTMLParser):
    """Text and attributes that somebody reads, but for elements that are data or in another language."""

    def __init__(self):
        super().__init__()
        self.words, self.text, self.open = [], "", []

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        if tag not in ("img", "br", "input", "link", "meta", "path", "circle", "progress"):
            self.open.append(tag in DATA or bool(own.get("lang")) or own.get("download") is not None)
        self.words += [own[name] for name in SHOWN if own.get(name)]
        for link in re.findall("base64,([^ ]+)", own.get("href") or ""):
            whole = base64.b64decode(link).decode()
            if whole.startswith("<!doctype html>"):
                self.words += outside(whole.partition("<body")[2].partition(">")[2].partition("</body>")[0])

    def handle_endtag(self, tag):
        if tag not in ("progress", "path", "circle"):
            self.open.pop()

    def handle_data(self, data):
        if not any(self.open):
            self.text += data


def outside(html, *names):
    """Words of a piece of HTML that stand outside of brackets, but for names."""
    parser = _Words()
    parser.feed(html)
    found = []
    for words in (parser.text, *parser.words):
        left = words
        while "⟦" in left and (inner := re.sub("⟦[^⟦⟧]*⟧", "", left)) != left:
            left = inner
        for name in sorted(names, key=len, reverse=True):
            left = left.replace(name, "")
        if re.search(r"[^\W\d_]", left):
            found.append(left)
    return found


@pytest.fixture(scope="module")
def photos(calibrated_run):
    held_out = read_manifest(calibrated_run.folder / "manifest.csv")
    return held_out.select(held_out.table["split"].to_numpy(str) == "test").files()


@pytest.fixture(scope="module")
def sources(calibrated_run):
    return sorted(set(calibrated_run.gallery.references["source"]) - {""})


def test_brackets_find_what_is_written_elsewhere():
    assert outside("<p>⟦Known here: <b>⟦3⟧</b>⟧, and more <code>x</code></p>") == [", and more "]
    assert outside('<img alt="a picture"><b lang="en">marks</b>') == ["a picture"]


def test_answers_are_said_in_the_language(calibrated_run, tiny_run, photos, sources, tmp_path):
    bad = tmp_path / "2.jpg"
    bad.write_text("")
    files = [(photo, f"{number}.3") for number, photo in enumerate(photos[:3])]
    maps = ReferenceMaps(Desk(calibrated_run.folder))
    for _ in range(2):  # the first time there is no map yet
        steps = list(identify(calibrated_run, [*files, (bad, "4.5"), files[0]], PSEUDO, maps))
        for html in (part for step in steps for part in step if isinstance(part, str)):
            assert outside(html, *sources, calibrated_run.folder.name) == []
    first, *_ = next(identify(tiny_run, files[:1], PSEUDO))  # which is not calibrated
    assert outside(first, *sources) == []
    assert outside(next(identify(calibrated_run, [], PSEUDO))[0]) == []
    assert outside(next(identify(calibrated_run, files * 9, PSEUDO))[0]) == []


@pytest.mark.parametrize("kind", ["tradition", "between", "unsure", "outside"])
def test_every_kind_of_verdict_is_said_in_the_language(calibrated_run, photos, sources, kind):
    seen, _ = see(calibrated_run, [(photos[0], "1.2")])
    examined = examine(calibrated_run, seen)
    crafts = tuple(calibrated_run.gallery.crafts)
    reason = said("verdict.far", cosine=said("verdict.cosine", cosine=Amount(0.1, 2)), needed=Amount(0.2, 2))
    told = advice(crafts) if kind == "unsure" else ""
    verdict = replace(examined.attribution.verdict, kind=kind, crafts=crafts[:2], reason=reason, advice=told)
    examined = replace(examined, attribution=replace(examined.attribution, verdict=verdict))
    assert outside(verdict_html(calibrated_run, examined, None, PSEUDO), *sources) == []


def test_tables_of_a_batch_are_said_in_the_language(calibrated_run, photos, tmp_path):
    files = [(shutil.copy(photo, tmp_path / f"{number}.jpg"), f"{number}.1") for number, photo in enumerate(photos[:2])]
    rows = list(name_photos(calibrated_run, files, tmp_path / "scratch"))
    assert outside(results([*rows, Row("3.1", problem=rows[0].verdict)], PSEUDO)) == []
    assert outside(_progress(1, 2, 10, PSEUDO) + _progress(1, 20, 100, PSEUDO)) == []


def test_pages_about_the_run_are_said_in_the_language(calibrated_run, tiny_run):
    for run in (calibrated_run, tiny_run):
        atlas = replace(make_atlas(run), problem="")
        assert outside(atlas_page(atlas, PSEUDO)) == []
        card = {**model_card(run), "versions": {}, "loss": "1", "backbone": "2", "model": "3", "manifest_sha256": "4"}
        assert outside(model_page({**card, "split_hash": ""}, PSEUDO)) == []
        assert outside(_known(run, PSEUDO)) == []


def test_the_tabs_of_curators_are_said_in_the_language(calibrated_run, photos, tiny_cache, tmp_path):
    run = load_run(shutil.copytree(calibrated_run.folder, tmp_path / "run"))
    manifest = tmp_path / "manifest.csv"
    table = read_manifest(run.folder / "manifest.csv", taxonomy=None).table.drop(columns="split")
    paths = [shutil.copy(path, tmp_path / f"{number}.1") for number, path in enumerate(table["path"])]
    write_manifest(table.assign(path=paths, craft=table["craft"].to_numpy()[::-1], piece="", title=""), manifest)
    bench = set_up(run, manifest, cache=tiny_cache)
    desk = Desk(run.folder, manifest)
    names = (*set(table["source"]), "train", "test", "validation", str(tmp_path), "1")
    decide(bench, 0, "comment", by="7", why="8")
    for index in range(0, len(bench), max(1, len(bench) // 12)):
        assert outside(_show(bench, index, PSEUDO)[0], *names, *map(str, paths)) == []
    for html in (_keys(bench, PSEUDO), map_opening(desk, PSEUDO), review_opening(desk, PSEUDO)):
        assert outside(html) == []
    assert outside(next_html(desk, PSEUDO)) == []
    done = enrol(run.folder, "patola", [photos[0]], source="9")
    assert outside(_told(done, PSEUDO), photos[0].name) == []
    assert outside(_list(desk, PSEUDO)[0]) == []


def test_the_page_as_it_is_built_is_said_in_the_language(calibrated_run, photos):
    page = build_app(Desk(calibrated_run.folder), examples=[(photos[0], calibrated_run.gallery.crafts[0])])
    config = json.loads(put_in(json.dumps(page.config, default=str, ensure_ascii=False), PSEUDO))
    assert outside(config["title"]) == []
    for component in config["components"]:
        shown = component["props"]
        choices = shown.get("choices") or ()
        words = [shown.get(name) for name in ("label", "info", "placeholder", *(() if choices else ("value",)))]
        words += [choice[0] for choice in choices]
        words = [word for word in words if isinstance(word, str)]
        if component["type"] in ("api", "state", "browserstate") or shown.get("elem_id") == "review-place":
            continue
        keys = re.compile(r"  [A-Z]$|^HTML$|^State$")
        assert outside("".join(f"<p>{keys.sub('', word)}</p>" for word in words)) == [], component
