"""A piece examined, as JSON and as a page; many photos; the map of the references."""

import base64
import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saree_cosface.answers.batch import as_csv, count_photos, name_photos
from saree_cosface.answers.document import document
from saree_cosface.answers.evidence import gather_evidence, write_evidence
from saree_cosface.answers.examination import MOST, examine, see
from saree_cosface.answers.heat_map import heat_map
from saree_cosface.answers.look import look
from saree_cosface.answers.prediction import predict
from saree_cosface.answers.verdict import Verdict
from saree_cosface.data.content import CHANGED
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.views import PyramidViews
from saree_cosface.features.extraction import photo_features
from saree_cosface.files import sha256_of
from saree_cosface.languages.packaged import english
from saree_cosface.maps.references import reference_map, small_map
from saree_cosface.networks.fingerprint import embedder_version
from saree_cosface.pages.examination import evidence_html, marks_html, numbers, report_page
from saree_cosface.pages.examples import example_photos
from saree_cosface.pages.verdict_card import verdict_html
from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.run import load_run
from tests.helpers.bad_photos import BAD, picture, save, textured
from tests.helpers.hostile import tame
from tests.helpers.moved import moved_run

pytestmark = pytest.mark.slow  # a run is trained and calibrated for them

HOSTILE = "<img src=x onerror=alert(1)>'\"&.jpg"


@pytest.fixture(scope="module")
def run(calibrated_run):
    return calibrated_run


@pytest.fixture(scope="module")
def photos(run):
    """Of sources that the run never saw."""
    manifest = read_manifest(run.folder / "manifest.csv")
    return manifest.select(manifest.table["split"].to_numpy(str) == "test").files()


@pytest.fixture(scope="module")
def examined(run, photos):
    seen, unread = see(run, [(photos[0], HOSTILE), (photos[1], "second.jpg")])
    assert unread == []
    return examine(run, seen)


def test_one_look_gives_what_two_gave(run, photos):
    embedder = run.embedder
    looked = look(embedder, photos[0])
    views = PyramidViews(embedder.backbone.preprocessing.size, brief=True)
    before = photo_features(embedder.backbone, photos[:1], views, description=None)
    assert np.array_equal(looked.features, before.features[0])
    evidence = gather_evidence(run, examine(run, see(run, [(photos[0], "a")])[0]))
    first = examine(run, see(run, [(photos[0], "a")])[0]).attribution.traditions[0].craft
    target = run.gallery.prototypes[run.gallery.crafts.index(first)]
    assert np.array_equal(evidence.heat.shares, heat_map(embedder, photos[0], target).shares)


def test_answer_is_that_of_predict(run, photos, examined):
    expected = predict(run, photos[:2], one_piece=True).attributions[0]
    found = examined.attribution
    assert found.traditions == expected.traditions
    assert found.references == expected.references
    assert found.verdict == expected.verdict
    assert found.verdict is not None
    assert found.photos == (HOSTILE, "second.jpg")
    assert examined.embedding @ run.gallery.prototypes.T == pytest.approx(
        [next(t.cosine for t in found.traditions if t.craft == craft) for craft in run.gallery.crafts], abs=1e-5
    )


def test_document_can_be_cited_and_tells_no_path(run, photos, examined):
    found = document(run, examined, gather_evidence(run, examined), np.array([1.0, 2.0], np.float32))
    text = json.dumps(found, allow_nan=False)
    assert [photo["sha256"] for photo in found["photos"]] == [sha256_of(photo) for photo in photos[:2]]
    assert found["model"]["embedder"] == embedder_version(run.embedder)
    assert found["thresholds"]["cosine"] == run.calibration.cosine
    assert found["thresholds"]["known"] == run.calibration.known
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["date"])
    assert found["software"]["version"]
    assert found["map"] == [1.0, 2.0]
    for folder in {str(photos[0].parent), str(run.folder), "/tmp"}:
        assert folder not in text


def test_page_holds_everything_and_escapes_names(run, examined):
    evidence = gather_evidence(run, examined)
    page = report_page(
        run,
        examined,
        evidence,
        english(),
        small_map(reference_map(run), ["chanderi", "jamdani"], np.zeros(2), english()),
    )
    for expected in (
        embedder_version(run.embedder),
        *(photo.sha256 for photo in examined.seen),
        "What the answer rests on",
        "What a specialist would look at",
        f"named from {run.calibration.cosine:.2f}",
        f"outside below {run.calibration.known:.2f}",
        "What do the chances mean?",
        "<svg",
    ):
        assert expected in page
    assert "<img src=x" not in page
    assert str(run.folder) not in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "url(" not in page.replace("url(data:", "")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (
            Verdict("unsure", ("jamdani", "chanderi"), "too far", ("jamdani", "chanderi"), "Look & <see>."),
            ("Not sure, perhaps Jamdani or Chanderi", "Too far for a name", "Too far.", "Look & <see>."),
        ),
        (Verdict("outside", (), "too far", ()), ("Outside the known traditions", "It is nearest to", "were called so")),
        (Verdict("between", ("jamdani", "chanderi"), "level", ()), ("Between Jamdani and Chanderi", "Level.")),
    ],
)
def test_each_verdict_is_told(run, examined, verdict, expected):
    judged = replace(examined, attribution=replace(examined.attribution, verdict=verdict))
    told = tame(verdict_html(run, judged, None, english()))
    for said in expected:
        assert said in told
    share = run.calibration.found["zones"]["outside"]["known"]
    assert f"{share:.1%}" in "".join(part.html for part in numbers(run, judged, english()))  # with every answer
    found = document(run, judged)
    assert found["verdict"]["kind"] == verdict.kind
    assert found["verdict"]["advice"] == verdict.advice


def test_pictures_lose_where_they_were_taken(run, photos, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (25.0, 19.0, 4.0), 3: "E", 4: (82.0, 58.0, 26.0)})
    tagged = tmp_path / "gps.jpg"
    Image.open(photos[0]).save(tagged, exif=exif)
    assert b"Exif" in tagged.read_bytes()
    seen, _ = see(run, [(tagged, "gps.jpg")])
    examination = examine(run, seen)
    page = report_page(run, examination, gather_evidence(run, examination), english())
    pictures = [base64.b64decode(found) for found in re.findall(r"data:image/jpeg;base64,([^\"]+)", page)]
    assert len(pictures) > 3
    assert not any(b"Exif" in picture for picture in pictures)


def test_what_cannot_be_read_is_named(run, photos, tmp_path):
    made = [(make(tmp_path), pattern) for make, pattern in BAD.items()]
    seen, unread = see(run, [(path, path.name) for path, _ in made] + [(photos[0], "good.jpg")])
    assert [each.name for each in seen] == ["good.jpg"]
    assert [each.name for each in unread] == [path.name for path, _ in made]
    assert all(re.search(pattern, each.reason) for each, (_, pattern) in zip(unread, made, strict=True))
    with pytest.raises(ValueError, match="nothing to compare"):
        examine(run, [])
    with pytest.raises(ValueError, match=f"at most {MOST}"):
        see(run, [(photos[0], "x")] * (MOST + 1))


def test_evidence_is_of_the_photo_that_carries_the_answer(run, photos):
    references = run.gallery.references.drop_duplicates("craft")
    seen, _ = see(run, [(Path(path), Path(path).name) for path in references["path"]])  # each of another craft
    examination = examine(run, seen)
    answer = examination.attribution
    found = gather_evidence(run, examination)
    say = answer.says[found.photo]
    assert say.weight * say.cosine_to_answer == max(each.weight * each.cosine_to_answer for each in answer.says)
    assert not say.disagrees
    assert found.heat.cosine == pytest.approx(say.cosine_to_answer, abs=2e-3)


def test_copies_of_a_photo_count_once(run, photos):
    seen, unread = see(run, [(photos[0], "a.jpg"), (photos[1], "b.jpg"), (photos[0], "c.jpg")])
    assert [each.name for each in seen] == ["a.jpg", "b.jpg"]
    assert [(each.name, each.reason, each.copy) for each in unread] == [
        ("c.jpg", "the same picture as a.jpg, which counts once", True)
    ]


def test_evidence_says_what_is_missing(run, photos, examined):
    gone = run.gallery.references.assign(path="/gone/photo.jpg")
    without = type(run)(
        run.folder, run.embedder, Gallery(run.gallery.embeddings, gone, run.gallery.folder), run.used, run.sources, ""
    )
    evidence = gather_evidence(without, examine(without, see(without, [(photos[0], "a")])[0]))
    assert evidence.matches == ()
    assert "cannot be used (no such file)" in evidence_html(evidence, examined, english())
    assert "no marks to look for" in marks_html(["of_nobody"], english())


def test_evidence_shows_no_other_cloth_under_a_references_caption(tiny_run, photos, tmp_path):
    run = moved_run(tiny_run, tmp_path)
    answer = predict(run, photos[:1]).attributions[0]
    first = next(near for near in answer.references if near.craft == answer.traditions[0].craft)
    save(Path(first.path), textured(96, 72, 7))
    evidence = gather_evidence(run, examine(run, see(run, [(photos[0], "a")])[0]))
    assert evidence.pixels is None
    assert evidence.matches == ()
    assert f"cannot be used ({CHANGED}" in evidence.remark
    (drawn,) = write_evidence(run, answer, tmp_path / "figures")
    assert (drawn["matches"], drawn["regions"]) == (None, [])
    assert CHANGED in drawn["remark"]


def test_uncalibrated_run_says_so(tiny_run, photos):
    examination = examine(tiny_run, see(tiny_run, [(photos[0], "a.jpg")])[0])
    page = verdict_html(tiny_run, examination, None, english())
    assert "Nearest to" in page
    assert "saree-cosface calibrate" in page
    assert "named from" not in page
    assert document(tiny_run, examination)["thresholds"] is None


def test_batch_gives_a_row_a_photo_in_order(run, photos, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff")
    named = [(photos[0], "=cmd.jpg"), (bad, "bad.jpg"), (photos[1], "b.jpg")]
    rows = list(name_photos(run, named, tmp_path / "scratch"))
    assert count_photos(named) == len(rows) == 3
    assert [row.photo for row in rows] == ["=cmd.jpg", "bad.jpg", "b.jpg"]
    assert rows[1].problem
    assert rows[1].tradition == ""
    expected = predict(run, [photos[0]]).attributions[0]
    assert rows[0].tradition == expected.traditions[0].name
    assert rows[0].cosine == round(expected.traditions[0].cosine, 4)
    table = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert table[0]["photo"] == "'=cmd.jpg"
    assert table[2]["sha256"] == sha256_of(photos[1])
    assert list((tmp_path / "scratch").iterdir()) == []


def test_map_is_kept_and_takes_in_what_was_enrolled(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    mine = load_run(folder)
    gallery = mine.gallery
    kept = np.arange(len(gallery)) != 3
    fewer = Gallery(np.asarray(gallery.embeddings)[kept], gallery.references[kept].reset_index(drop=True)).save(
        folder / "gallery"
    )
    shutil.rmtree(folder / "reference_map", ignore_errors=True)
    first = reference_map(load_run(folder))
    assert len(first.photos) == len(fewer)
    gallery.save(folder / "gallery")
    again = reference_map(load_run(folder))
    assert np.array_equal(again.coordinates[kept], first.coordinates)
    assert again.coordinates[3] == pytest.approx(first.place(np.asarray(gallery.embeddings)[3:4])[0])


def test_small_map_marks_the_piece(run):
    references = reference_map(run)
    drawn = small_map(references, ["jamdani", "leheriya", "chanderi"], references.coordinates[0], english())
    assert drawn.count("<circle") == len(references.photos) + 1
    assert "Jamdani" in drawn
    assert "Chanderi" not in drawn  # beyond the first two


def test_examples_are_held_out_photos_or_drawn(run, photos, tmp_path):
    found = example_photos(run, tmp_path)
    assert {path for path, _ in found} <= set(photos)
    assert not {sha256_of(path) for path, _ in found} & {sha for sha, part in run.used.items() if part == "train"}
    shutil.copytree(run.folder, tmp_path / "run")
    table = (tmp_path / "run" / "manifest.csv").read_text().replace(",test,", ",train,")
    (tmp_path / "run" / "manifest.csv").write_text(table)
    drawn = example_photos(load_run(tmp_path / "run"), tmp_path / "drawn", count=2)
    assert [craft for _, craft in drawn] == ["chanderi", "jamdani"]
    assert all(path.is_relative_to(tmp_path / "drawn") for path, _ in drawn)


def test_heic_and_turned_photos_are_seen_alike(run, tmp_path):
    pixels = picture(640, 480)
    upright = save(tmp_path / "a.png", pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = save(tmp_path / "b.jpg", np.rot90(pixels), exif=exif, quality=97)
    heic = save(tmp_path / "c.heic", pixels, quality=97)
    seen, unread = see(run, [(path, path.name) for path in (upright, turned, heic)])
    assert unread == []
    assert {photo.look.pixels.shape for photo in seen} == {(480, 640, 3)}
    embeddings = [examine(run, [photo]).embedding for photo in seen]
    assert min(float(embeddings[0] @ other) for other in embeddings[1:]) > 0.9


def test_bad_image_of_a_name_that_no_file_can_have(run):
    seen, unread = see(run, [(Path("a\0b.jpg"), "odd")])
    assert seen == []
    assert unread[0].name == "odd"
    assert "file name" in unread[0].reason
