"""Enrolment: references that are there at once, are written down, and leave as they came."""

import json
import os
import shutil
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from saree_cosface.answers.enrolment import enrol, undo
from saree_cosface.answers.enrolment_log import LOG, EnrolmentError, enrolments
from saree_cosface.answers.prediction import predict
from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.runs.folder import RunError
from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.probes import unseen_probes
from saree_cosface.taxonomy import NotACraft
from tests.helpers.bad_photos import zero_byte
from tests.helpers.tiny import SOME


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy, which may be changed."""
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


def photos(tiny_corpus, craft):
    return read_manifest(tiny_corpus, where=f"craft == '{craft}'").files()


def same(one, other):
    return np.array_equal(one.embeddings, other.embeddings) and one.references.equals(other.references)


@pytest.mark.slow
def test_a_new_tradition_is_found_at_once_and_leaves_as_it_came(run, tiny_corpus):
    before = Gallery.load(run / "gallery")
    files = photos(tiny_corpus, "patola")
    found = enrol(run, "Patan Patola saree", files[:3], source="museum", note="inv. 12")
    assert (found.new, found.references, found.bad) == (True, 3, ())
    changed = load_run(run)
    assert "patola" in changed.gallery.crafts
    assert len(changed.gallery) == len(before) + 3
    answer = predict(changed, files[:1]).attributions[0]
    assert answer.references[0].path == str(files[0])
    assert answer.traditions[0].craft == "patola"
    assert (run / "gallery" / answer.references[0].thumbnail).is_file()
    (entry,) = enrolments(run)
    assert (entry.craft, entry.source, entry.note, entry.undone) == ("patola", "museum", "inv. 12", "")
    assert len(set(changed.gallery.references["piece"][-3:])) == 3
    taken_back = undo(run)
    assert taken_back.undone
    assert same(Gallery.load(run / "gallery"), before)
    assert enrolments(run) == [taken_back]
    assert enrol(run, "patola", files[:3]).enrolment.number == 2  # and may come again


def test_several_photos_of_one_piece(run, tiny_corpus):
    enrol(run, "patola", photos(tiny_corpus, "patola")[:3], one_piece=True)
    references = Gallery.load(run / "gallery").references
    assert len(set(references["piece"][references["craft"] == "patola"])) == 1


@pytest.mark.slow
def test_enrolments_are_taken_back_one_by_one(run, tiny_corpus):
    files = photos(tiny_corpus, "patola")
    for file in files[:3]:
        enrol(run, "patola", [file])
    undo(run, 2)
    assert [bool(entry.undone) for entry in enrolments(run)] == [False, True, False]
    left = Gallery.load(run / "gallery").references
    assert left["path"][left["craft"] == "patola"].tolist() == [str(files[0]), str(files[2])]
    with pytest.raises(EnrolmentError, match=r"no enrolment 2 to take back \(1, 3\)"):
        undo(run, 2)
    undo(run)
    undo(run)
    with pytest.raises(EnrolmentError, match="none stands"):
        undo(run)


@pytest.mark.slow
def test_what_cannot_be_enrolled_changes_nothing(run, tiny_run, tiny_corpus, tmp_path):
    before = Gallery.load(run / "gallery")
    files = photos(tiny_corpus, "patola")
    bad = zero_byte(tmp_path)
    with pytest.raises(EnrolmentError, match="did you mean kanjivaram.*--new"):
        enrol(run, "Kanjivaran", files[:1])
    with pytest.raises(NotACraft):
        enrol(run, "organza", files[:1], new=True)
    with pytest.raises(EnrolmentError, match="no photo to enrol could be read; the first: .*empty"):
        enrol(run, "patola", [bad])
    known = tiny_run.gallery.references.iloc[0]
    with pytest.raises(EnrolmentError, match=f"1 of the 2 photos are references already.*{known['craft']}"):
        enrol(run, "patola", [files[0], known["path"]])
    with pytest.raises(RunError, match="not a run"):
        enrol(tmp_path / "nowhere", "patola", files[:1])
    assert enrolments(run) == []
    assert same(Gallery.load(run / "gallery"), before)
    found = enrol(run, "patola", [bad, files[0], files[0]])  # a photo given twice is one
    assert (len(found.enrolment.photos), len(found.bad)) == (1, 1)
    (run / "gallery" / LOG).write_text("{")
    with pytest.raises(EnrolmentError, match=f"{LOG}: damaged"):
        enrol(run, "patola", files[1:2])


def test_a_killed_enrolment_can_be_taken_back(run, tiny_corpus, monkeypatch):
    before = Gallery.load(run / "gallery")
    with monkeypatch.context() as patch:
        patch.setattr(Gallery, "save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            enrol(run, "patola", photos(tiny_corpus, "patola")[:2])
    assert same(Gallery.load(run / "gallery"), before)
    assert undo(run).number == 1
    assert same(Gallery.load(run / "gallery"), before)


@pytest.mark.slow
def test_an_enrolment_that_a_full_disk_broke_off_leaves_no_entry(run, tiny_corpus, monkeypatch):
    files = photos(tiny_corpus, "patola")[:2]

    def full(*_):
        raise OSError(28, "No space left on device", "embeddings.npy")

    with monkeypatch.context() as patch:
        patch.setattr("saree_cosface.runs.gallery.Gallery.save", full)
        with pytest.raises(OSError, match="No space left"):
            enrol(run, "patola", files)
    assert enrolments(run) == []
    assert enrol(run, "patola", files).enrolment.number == 1


@pytest.mark.slow
def test_several_people_enrol_at_once(run, tiny_corpus):
    files = photos(tiny_corpus, "patola")[:4]
    with ThreadPoolExecutor(4) as pool:
        numbers = {each.enrolment.number for each in pool.map(lambda file: enrol(run, "patola", [file]), files)}
    assert numbers == {1, 2, 3, 4}
    references = Gallery.load(run / "gallery").references
    assert sorted(references["path"][references["craft"] == "patola"]) == sorted(map(str, files))


@pytest.mark.slow
def test_traditions_of_any_script_are_told_apart_and_shown_as_typed(run, tiny_corpus):
    files = photos(tiny_corpus, "patola")[:3]
    for name, file in zip(("कैसी", "कसी", "Café of Kutch"), files, strict=True):
        assert enrol(run, name, [file], new=True).new
    assert {"कैसी", "कसी", "Café of Kutch"} < set(load_run(run).gallery.crafts)
    again = enrol(run, unicodedata.normalize("NFD", "CAFÉ  of Kutch"), photos(tiny_corpus, "bandhani")[:1])
    assert (again.enrolment.craft, again.new, again.references) == ("Café of Kutch", False, 2)
    answer = predict(load_run(run), files[:1]).attributions[0]
    assert (answer.traditions[0].craft, answer.traditions[0].name) == ("कैसी", "कैसी")
    assert [entry.craft for entry in enrolments(run)] == ["कैसी", "कसी", "Café of Kutch", "Café of Kutch"]


@pytest.mark.slow
def test_what_was_enrolled_is_not_scored(run, tiny_corpus, tiny_cache):
    manifest = read_manifest(tiny_corpus, where=SOME)
    held_out = unseen_probes(load_run(run), manifest, cache=tiny_cache).manifest
    first = held_out.files()[0]
    alone = enrol(run, str(held_out.crafts[0]), [first])
    assert first not in unseen_probes(load_run(run), manifest, cache=tiny_cache).manifest.files()
    undo(run)
    source = str(held_out.sources[0])
    enrol(run, alone.enrolment.craft, [first], source=source)
    probes = unseen_probes(load_run(run), manifest, cache=tiny_cache)
    assert source not in probes.manifest.sources
    assert probes.skipped["source among the references"] == int((held_out.sources == source).sum()) - 1


@pytest.mark.slow
def test_from_the_command_line(run, tiny_corpus, tmp_path, capsys):
    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
        captured = capsys.readouterr()
        return ended.value.code, captured.out, " ".join(captured.err.split())

    files = photos(tiny_corpus, "patola")[:2]
    code, out, err = call("enrol", run, "--craft", "Mashru", *files, "--new", "--source", "museum", "--json")
    assert code == 0
    assert json.loads(out)["enrolment"]["craft"] == "mashru"
    assert json.loads(out)["new_tradition"]
    assert "Enrolment 1: 2 photos of mashru (a new tradition)" in err
    code, out, err = call("enrolments", run, "--json")
    assert (code, len(json.loads(out))) == (0, 1)
    assert "museum" in err
    code, out, err = call("enrolments", run, "--undo", 0, "--json")
    assert code == 0
    assert json.loads(out)[0]["undone"]
    assert "Enrolment 1 taken back: 2 photos of mashru" in err
    assert call("enrolments", run, "--undo", 0)[0] == 1
    assert call("enrol", run, "--craft", "patola", *files, zero_byte(tmp_path))[0] == 1  # enrolled, but not all of it
    assert call("enrol", run, "--craft", "patola")[0] == 2
    assert call("enrol", run, files[0])[0] == 2


@pytest.mark.slow
def test_a_photo_that_looks_like_another_tradition_is_doubted(calibrated_run, tiny_corpus, tmp_path, capsys):
    folder = shutil.copytree(calibrated_run.folder, tmp_path / "run")
    easy = replace(calibrated_run.calibration, cosine=-1.0, gap=0.0, familiarity=-1.0)  # so small a run names nothing
    easy.save(folder / "calibration")
    file = next(
        file
        for file in read_manifest(tiny_corpus, where=SOME).files()
        if predict(load_run(folder), [file]).attributions[0].verdict.kind == "tradition"
    )
    (craft,) = predict(load_run(folder), [file]).attributions[0].verdict.crafts
    copy = tmp_path / "photo.png"
    Image.open(file).save(copy)  # of another content, so no reference
    with pytest.raises(SystemExit):
        main(["enrol", str(folder), str(copy), "--craft", "patola", "--json"])
    out, err = capsys.readouterr()
    (doubt,) = json.loads(out)["doubts"]
    assert (doubt["photo"], doubt["craft"]) == ("photo.png", craft)
    assert "photo.png by itself would have been named" in " ".join(err.split())
    undo(folder)
    assert enrol(folder, craft, [copy]).doubts == ()
    undo(folder)
    replace(easy, cosine=1.1).save(folder / "calibration")
    assert enrol(folder, "patola", [copy]).doubts == ()  # where the photo is of no known tradition all is well
    undo(folder)
    replace(easy, familiarity=1.1).save(folder / "calibration")
    (doubt,) = enrol(folder, "patola", [copy]).doubts
    assert doubt.craft == ""
    assert "photo.png is unlike every photo learned from" in str(doubt)
    assert "unlike every photo learned from" in predict(load_run(folder), [copy]).attributions[0].verdict.reason


def test_a_name_that_a_gallery_cannot_write_down_is_listed(run, tiny_corpus, tmp_path):
    first, second = photos(tiny_corpus, "patola")[:2]
    raw = tmp_path / os.fsdecode(b"\xff.jpg")
    shutil.copy(first, raw)
    found = enrol(run, "patola", [raw, second])
    assert found.enrolment.photos == (str(second),)
    assert [(bad.path, bad.reason) for bad in found.bad] == [(raw, "its name is not UTF-8; rename the file")]
