"""The desk with a gallery on a server: fresh when somebody enrols, in words when the server is away, and back again."""

import shutil

import pytest

from app.api import health_route
from app.desk import Desk
from app.enrol import _choices, _list
from app.identify import identify
from app.page import _known_now
from saree_cosface.answers.enrolment import enrol
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.languages.packaged import english
from saree_cosface.networks.fingerprint import embedder_version
from saree_cosface.pages.atlas_cards import make_atlas
from saree_cosface.runs.gallery import GalleryError
from saree_cosface.runs.shared_gallery import create_gallery
from tests.helpers.postgres import PASSWORD

pytestmark = pytest.mark.slow  # a server is started for them, and a run trained


@pytest.fixture
def desk(postgres, database, tiny_run, tmp_path):
    url = postgres.url(database)
    create_gallery(url, embedder_version(tiny_run.embedder), tiny_run.gallery.dimensions).add(tiny_run.gallery)
    return Desk(shutil.copytree(tiny_run.folder, tmp_path / "run"), gallery=url)


def photos(tiny_corpus, craft):
    return read_manifest(tiny_corpus, where=f"craft == '{craft}'").files()


def test_what_others_enrol_is_there_at_once(desk, tiny_corpus):
    before = desk.run
    assert desk.run is before  # nothing is read again where nothing has changed
    files = photos(tiny_corpus, "patola")
    enrol(desk.folder, "patola", files[:2], gallery=desk.gallery)
    assert "patola" in desk.run.gallery.crafts
    assert desk.run is not before
    assert desk.run.embedder is before.embedder
    [answer, _, closer] = [part for step in identify(desk.run, [(files[0], "a.jpg")], english()) for part in step][:3]
    assert "Patola" in answer
    assert "Looking closer" in closer
    assert "patola" in {card.craft.id for card in make_atlas(desk.run).cards if card.pieces == 2}
    assert ("Patola", "patola") in _choices(desk, english())
    assert "Enrolled so far" in _list(desk, english())[0]
    assert PASSWORD not in repr(desk)


def test_a_server_that_is_away_is_said_in_words(desk, postgres, tiny_corpus, capsys):
    files = photos(tiny_corpus, "patola")
    run = desk.run
    asked = [(files[0], "a.jpg")]
    expected = next(identify(run, asked, english()))[0]
    postgres.kill()
    try:
        with pytest.raises(GalleryError, match="cannot be asked just now.*try again") as error:
            _ = desk.run
        assert "127.0.0.1" not in str(error.value)  # which is for whoever runs the app:
        assert f"127.0.0.1:{postgres.port}" in capsys.readouterr().err
        assert "cannot be asked just now" in _known_now(desk, english())
        assert "cannot connect" in next(identify(run, asked, english()))[0]
        assert "cannot connect" in _list(desk, english())[0]
        assert len(_choices(desk, english())) > 10  # those of the taxonomy
        assert health_route(desk).endpoint(None).status_code == 503
    finally:
        postgres.start()
    assert next(identify(desk.run, asked, english()))[0] == expected
    assert "It knows" in _known_now(desk, english())
    assert health_route(desk).endpoint(None).status_code == 200
