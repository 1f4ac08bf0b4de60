"""Enrolment into a gallery on a server: by people with runs of their own, at once, and with the server gone."""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from saree_cosface.answers.enrolment import enrol, undo
from saree_cosface.answers.enrolment_log import EnrolmentError, enrolments
from saree_cosface.answers.prediction import predict
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.networks.fingerprint import embedder_version
from saree_cosface.runs.gallery import GalleryError
from saree_cosface.runs.run import load_run
from saree_cosface.runs.shared_gallery import create_gallery

pytestmark = pytest.mark.slow  # a server is started for them, and a run trained


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy, which may be changed."""
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


@pytest.fixture
def url(postgres, database, tiny_run):
    """A gallery with what the run has."""
    url = postgres.url(database)
    create_gallery(url, embedder_version(tiny_run.embedder), tiny_run.gallery.dimensions).add(tiny_run.gallery)
    return url


def photos(tiny_corpus, craft):
    return read_manifest(tiny_corpus, where=f"craft == '{craft}'").files()


def test_answers_are_those_of_the_runs_own_gallery(tiny_run, tiny_corpus, url):
    files = [*photos(tiny_corpus, "patola")[:2], *photos(tiny_corpus, "jamdani")[:2]]
    shared = load_run(tiny_run.folder, gallery=url)
    assert shared.gallery.folder == tiny_run.folder / "gallery"
    for found, expected in zip(predict(shared, files).attributions, predict(tiny_run, files).attributions, strict=True):
        assert [one.craft for one in found.traditions] == [one.craft for one in expected.traditions]
        assert [one.sha256 for one in found.references] == [one.sha256 for one in expected.references]
        for name in ("traditions", "references"):
            for one, other in zip(getattr(found, name), getattr(expected, name), strict=True):
                assert one.cosine == pytest.approx(other.cosine, abs=1e-5)
        assert found.references[0].thumbnail == expected.references[0].thumbnail


def test_a_new_tradition_is_found_by_all_and_leaves_as_it_came(run, tiny_run, tiny_corpus, url):
    files = photos(tiny_corpus, "patola")
    found = enrol(run, "Patan Patola saree", files[:3], source="museum", note="inv. 12", gallery=url)
    assert (found.new, found.references, found.bad) == (True, 3, ())
    assert found.enrolment.by == "postgres"
    changed = load_run(tiny_run.folder, gallery=url)  # somebody else, with the same embedder
    answer = predict(changed, files[:1]).attributions[0]
    assert answer.references[0].sha256 == found.enrolment.sha256[0]
    assert answer.traditions[0].craft == "patola"
    assert (run / "gallery" / answer.references[0].thumbnail).is_file()
    assert enrolments(run, gallery=url) == [found.enrolment]
    assert enrolments(run) == []  # the run's own log and gallery are as they were
    assert "patola" not in load_run(run).gallery.crafts
    with pytest.raises(EnrolmentError, match="1 of the 1 photos are references already"):
        enrol(run, "patola", files[:1], gallery=url)
    back = undo(run, gallery=url)
    assert back.undone
    assert enrolments(run, gallery=url) == [back]
    assert load_run(run, gallery=url).gallery.crafts == tiny_run.gallery.crafts
    assert not (run / "gallery" / answer.references[0].thumbnail).exists()
    with pytest.raises(GalleryError, match="no enrolment 1 to take back"):
        undo(run, 1, gallery=url)


def test_pictures_that_the_runs_own_gallery_has_stay(run, tiny_corpus, url):
    files = photos(tiny_corpus, "patola")[:2]
    own = enrol(run, "patola", files[:1], keep=True)
    enrol(run, "patola", files, keep=True, gallery=url)
    before = set((run / "gallery").rglob("*.jpg"))
    undo(run, gallery=url)
    gone = before - set((run / "gallery").rglob("*.jpg"))
    assert len(gone) == 2  # the thumbnail and the copy of the second
    assert not any(own.enrolment.sha256[0] in path.name for path in gone)


def test_who_enrols_the_same_photo_at_once_is_one(run, tiny_corpus, url):
    files = photos(tiny_corpus, "patola")[:1]

    def attempt(_):
        try:
            return enrol(run, "patola", files, gallery=url).enrolment.number
        except (EnrolmentError, GalleryError) as error:
            return str(error)

    with ThreadPoolExecutor(3) as people:
        found = list(people.map(attempt, range(3)))
    assert sorted(map(str, found))[0] == "1"
    assert all("references" in one for one in found if one != 1)
    assert len(enrolments(run, gallery=url)) == 1
    assert len(load_run(run, gallery=url).gallery.known(list(enrolments(run, gallery=url)[0].sha256))) == 1


def test_without_its_server_nothing_is_enrolled(postgres, run, tiny_corpus, url):
    files = photos(tiny_corpus, "patola")
    shared = load_run(run, gallery=url)
    before = set(run.rglob("*"))
    postgres.kill()
    try:
        with pytest.raises(GalleryError, match="cannot connect"):
            enrol(run, "patola", files[:1], gallery=url)
        with pytest.raises(GalleryError, match="cannot connect"):
            predict(shared, files[:1])
        with pytest.raises(GalleryError, match="cannot connect"):
            undo(run, gallery=url)
    finally:
        postgres.start()
    assert set(run.rglob("*")) == before
    assert predict(shared, files[:1]).attributions
    assert enrolments(run, gallery=url) == []


def test_without_psycopg_it_is_said_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(GalleryError, match=r"needs psycopg.*pip install 'saree-cosface\[postgres\]'"):
        load_run(run, gallery="postgresql://db.example/sarees")
    with pytest.raises(GalleryError, match="needs psycopg"):
        enrolments(run, gallery="postgresql://db.example/sarees")
    with pytest.raises(GalleryError, match="needs psycopg"):
        undo(run, gallery="postgresql://db.example/sarees")
