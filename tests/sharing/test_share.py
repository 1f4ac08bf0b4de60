import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard

from app.curators_map import _opening as map_opening
from app.curators_review import _opening as review_opening
from app.desk import Desk
from app.identify import identify
from app.page import _known_now, build_app
from saree_cosface.answers.collection import see
from saree_cosface.answers.enrolment import enrol
from saree_cosface.answers.prediction import predict
from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.languages.packaged import english
from saree_cosface.maps.make import PAGE, map_collection
from saree_cosface.pages.model_card import model_page
from saree_cosface.runs.calibration import CalibrationError
from saree_cosface.runs.run import load_run
from saree_cosface.runs.share import NO_PHOTOS
from saree_cosface.scoring.calibrate import calibrate
from saree_cosface.scoring.evaluation import evaluate
from saree_cosface.scoring.held_out import UNKNOWN_SOURCES
from saree_cosface.scoring.model_card import model_card
from saree_cosface.sharing import share as sharing
from saree_cosface.sharing.contents import require_shared
from saree_cosface.sharing.errors import ShareError
from saree_cosface.sharing.share import share
from tests.helpers.shared import FOLDER, OTHERS, PEOPLE, every_byte, is_picture, run_of_names
from tests.helpers.tiny import SOME


@pytest.fixture(scope="module")
def named(once, calibrated_run):
    """A calibrated run with names wherever one may stand."""
    return once("named", lambda folder: run_of_names(calibrated_run, folder))


@pytest.fixture(scope="module")
def given(once, named):
    """It, shared."""
    return once("given", lambda folder: share(named, folder, "CC-BY-4.0"))


@pytest.fixture
def marked(named, tmp_path):
    """A copy of it, in whose manifest a column may be changed."""
    folder = shutil.copytree(named, tmp_path / "marked")

    def mark(**columns):
        table = read_manifest(folder / "manifest.csv", taxonomy=None).table
        write_manifest(table.assign(**{name: say(table) for name, say in columns.items()}), folder / "manifest.csv")
        return folder

    return mark


# --- what is not in it -----------------------------------------------------------------------------------------------


def test_nobody_is_named_and_no_path_told(given):
    everything = every_byte(given).lower()
    for name in (*PEOPLE, *OTHERS, FOLDER, "hiralal", "/home", "/tmp", str(Path.home())):
        assert name.lower().encode() not in everything, name


def test_the_same_search_finds_them_in_the_run(named):
    everything = every_byte(named).lower()
    for name in (*PEOPLE, *OTHERS, FOLDER):
        assert name.lower().encode() in everything, name


def test_no_photo_and_no_piece_of_one(given, calibrated_run):
    files = [path.read_bytes() for path in given.rglob("*") if path.is_file()]
    assert not any(map(is_picture, files))
    references = calibrated_run.gallery.references
    pictures = [Path(path).read_bytes() for path in references["path"]]
    pictures += [(calibrated_run.folder / "gallery" / name).read_bytes() for name in references["thumbnail"]]
    assert len(pictures) > 10
    for picture in pictures:
        assert is_picture(picture)
        middle = picture[len(picture) // 2 :][:24]
        assert not any(middle in content for content in files)


def test_photos_that_the_run_does_without_are_not_told(marked, tmp_path):
    folder = marked(split=lambda table: table["split"].replace("test", "unused"))
    gone = set(read_manifest(folder / "manifest.csv", taxonomy=None, where="split == 'unused'").table["sha256"])
    parts = json.loads((folder / "parts.json").read_text())
    parts["used"] |= dict.fromkeys(gone, "unused")
    (folder / "parts.json").write_text(json.dumps(parts))
    everything = every_byte(share(folder, tmp_path / "given", "CC0-1.0").folder)
    assert len(gone) == 5
    assert not any(content.encode() in everything for content in gone)


def test_every_file_is_known_and_listed(given):
    listed = set(require_shared(given).files)
    assert {path.relative_to(given).as_posix() for path in given.rglob("*") if path.is_file()} - listed == {
        "share.json"
    }


# --- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_answers_as_the_run_does(named, given, tiny_corpus):
    photos = read_manifest(tiny_corpus).files()[::40]
    before, after = (load_run(folder) for folder in (named, given))
    assert np.array_equal(before.gallery.prototypes, after.gallery.prototypes)
    assert before.gallery.pieces.tolist() == after.gallery.pieces.tolist()
    for one_piece in (False, True):
        answers = [predict(run, photos, one_piece=one_piece).attributions for run in (before, after)]
        for there, here in zip(*answers, strict=True):
            renamed = ("source", "path", "piece", "thumbnail")
            expected, found = asdict(there), asdict(here)
            for near, other in zip(expected.pop("references"), found.pop("references"), strict=True):
                assert {name: near[name] for name in near if name not in renamed} == {
                    name: other[name] for name in other if name not in renamed
                }
            assert expected == found
            assert found["verdict"] is not None


def test_photos_of_one_source_or_piece_stay_together(named, given):
    before, after = (load_run(folder).gallery for folder in (named, given))
    for one, other in ((before.references["source"], after.references["source"]), (before.piece_of, after.piece_of)):
        assert len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))
    assert set(after.references["path"]) == {f"{craft}-{n:04d}" for craft, n in _numbered(after.references["path"])}


def _numbered(paths):
    return [(path.rsplit("-", 1)[0], int(path.rsplit("-", 1)[1])) for path in paths]


def test_the_card_is_one_that_hubs_read(given):
    card = ModelCard.load(given / "README.md")
    assert card.data.license == "cc-by-4.0"
    assert card.data.library_name == "saree-cosface"
    (score,) = [each for each in card.data.eval_results if each.metric_name == "Nearest tradition is the right one"]
    assert score.metric_value == 0.4
    for part in ("loom", "must not be used for", "their sources", "checksum", "95 % interval"):
        assert part in card.text.lower() or part in card.text, part
    assert "CC-BY-SA-4.0: it asks that what is made" in card.text


def test_the_app_says_what_it_is(given):
    page = model_page(model_card(load_run(given)), english())
    assert "shared without its photos" in page
    assert "CC-BY-4.0" in page
    assert "learned from drawings" in page


@pytest.mark.slow
def test_without_an_evaluation_the_card_tells_what_calibration_found(calibrated_run, tmp_path):
    share(calibrated_run.folder, tmp_path / "given", "LicenseRef-Ours")
    card = ModelCard.load(tmp_path / "given/README.md")
    found = calibrated_run.calibration.found
    assert {each.metric_value for each in card.data.eval_results} >= {round(found["top1"]["value"], 4)}
    assert f"{found['top1']['low']:.1%} – {found['top1']['high']:.1%}" in card.text
    assert (card.data.license, card.data.license_name) == ("other", "licenseref-ours")


@pytest.mark.slow
def test_of_a_run_that_nobody_measured_the_card_says_so(tiny_run, tmp_path):
    share(tiny_run.folder, tmp_path / "given", "cc0-1.0")
    card = ModelCard.load(tmp_path / "given/README.md")
    assert "**Not measured.**" in card.text
    assert "**Not calibrated.**" in card.text
    assert card.data.eval_results is None


# --- who may be named ------------------------------------------------------------------------------------------------


def test_a_source_is_named_where_its_photos_are_public(named, marked, tmp_path):
    known = sorted(set(load_run(named).gallery.references["source"]))[0]
    credit = " | <b>by hand</b>\nand [again](http://example.org)"
    folder = marked(
        public=lambda table: np.where(table["source"] == known, "Yes", ""),
        credit=lambda table: table["source"] + credit,
        licence=lambda _: "CC BY 4.0",
    )
    found = share(folder, tmp_path / "given", "CC-BY-4.0")
    assert found.named == 1
    sources = set(load_run(found.folder).gallery.references["source"])
    assert sources & set(PEOPLE) == {known}
    credits = (found.folder / "CREDITS.md").read_text()
    assert "\\| &lt;b>by hand&lt;/b> and \\[again](http://example.org) | CC BY 4.0 |" in credits
    everything = every_byte(found.folder).lower()
    for name in (*set(PEOPLE) - {known}, *OTHERS):
        assert name.lower().encode() not in everything, name


def test_photos_of_one_source_are_public_or_none_is(marked, tmp_path):
    folder = marked(public=lambda table: np.where(np.arange(len(table)) % 2, "yes", "no"))
    with pytest.raises(ShareError, match="yes of some photos of .* and no of others"):
        share(folder, tmp_path / "given", "CC-BY-4.0")


def test_what_is_neither_yes_nor_no_is_refused(marked, tmp_path):
    with pytest.raises(ShareError, match="'perhaps'; it says yes or no"):
        share(marked(public=lambda _: "perhaps"), tmp_path / "given", "CC-BY-4.0")


@pytest.mark.slow
def test_a_shared_run_can_be_shared_again(given, tmp_path):
    again = share(given, tmp_path / "again", "CC-BY-4.0").folder
    assert require_shared(again).files == require_shared(given).files


# --- what is refused, and what is left -------------------------------------------------------------------------------


@pytest.mark.parametrize("licence", ["CC BY 4.0", "free", ""])
def test_a_licence_is_one_of_spdx(named, tmp_path, licence):
    with pytest.raises(ShareError, match="no licence of SPDX"):
        share(named, tmp_path / "given", licence)


def test_what_is_there_stays(named, tmp_path):
    (tmp_path / "given").mkdir()
    (tmp_path / "given/letter.txt").write_text("dear")
    with pytest.raises(ShareError, match="is there already"):
        share(named, tmp_path / "given", "CC0-1.0")
    assert [path.name for path in tmp_path.rglob("*")] == ["given", "letter.txt"]


def test_a_run_whose_list_is_gone_is_not_shared(named, tmp_path):
    folder = shutil.copytree(named, tmp_path / "run")
    (folder / "manifest.csv").unlink()
    with pytest.raises(ShareError, match="nobody knows on whose photos"):
        share(folder, tmp_path / "given", "CC0-1.0")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_one_that_is_broken_off_leaves_nothing(named, tmp_path, monkeypatch, error):
    def stop(*_):
        raise error

    monkeypatch.setattr(sharing, "hub_card", stop)
    with pytest.raises(error):
        share(named, tmp_path / "given", "CC0-1.0")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_one_has_left_goes_with_the_next(named, tmp_path):
    left = tmp_path / ".given-share/inside/run"
    left.mkdir(parents=True)
    (left / "half.json").write_text("{")
    share(named, tmp_path / "given", "CC0-1.0")
    assert [path.name for path in tmp_path.iterdir()] == ["given"]
    assert not (tmp_path / "given/half.json").exists()


@pytest.mark.slow
def test_enrolled_photos_go_out_only_where_that_is_said(named, tiny_corpus, tmp_path):
    run = shutil.copytree(named, tmp_path / "run")
    photos = read_manifest(tiny_corpus, where="craft == 'patola'").files()[:3]
    enrol(run, "Mashru of Kutch", photos, new=True, source="Yasmin", note="lent by Wahida", keep=True)
    with pytest.raises(ShareError, match="3 of .* were enrolled after training, of Mashru of Kutch.*--with-enrolled"):
        share(run, tmp_path / "given", "CC0-1.0")
    found = share(run, tmp_path / "given", "CC0-1.0", with_enrolled=True)
    assert found.enrolled == ("Mashru of Kutch",)
    everything = every_byte(found.folder)
    for name in (
        b"Yasmin",
        b"Wahida",
        b"enrolled 20",
        *(path.stem.encode() for path in photos),
        *map(str.encode, PEOPLE),
    ):
        assert name not in everything
    assert not list(found.folder.rglob("*.jpg"))
    there, here = (predict(load_run(each), photos[:1]).attributions[0] for each in (run, found.folder))
    assert there.traditions == here.traditions
    assert here.traditions[0].craft == "Mashru of Kutch"


# --- what can be done with it ----------------------------------------------------------------------------------------


def test_it_is_not_calibrated_again(given):
    with pytest.raises(CalibrationError, match=NO_PHOTOS):
        calibrate(load_run(given))


@pytest.mark.slow
def test_its_references_are_mapped_without_pictures(given, tmp_path, monkeypatch):
    # Where they lie does not matter here, and UMAP takes long to load.
    monkeypatch.setattr("saree_cosface.maps.make.umap_coordinates", lambda embeddings, *_: embeddings[:, :2].copy())
    run, manifest = load_run(given), read_manifest(given / "manifest.csv")
    made = map_collection(run, manifest, tmp_path / "map")
    assert set(made.map.photos["path"]) == set(run.gallery.references["path"])
    assert any(NO_PHOTOS in fact for fact in made.facts)
    assert NO_PHOTOS in (tmp_path / "map" / PAGE).read_text()
    with pytest.raises(ManifestError, match="give a manifest of photos that are here"):
        see(run, manifest)


@pytest.mark.slow
def test_photos_are_scored_enrolled_and_explained_with_it(given, tiny_corpus, tiny_cache, tmp_path):
    folder = shutil.copytree(given, tmp_path / "run")
    run = load_run(folder)
    found = evaluate(run, tiny_corpus, where=SOME, cache=tiny_cache).document
    learned = sum(part == "train" for part in run.used.values())
    assert found["skipped"]["photo seen in training"] == learned
    assert UNKNOWN_SOURCES in found["remarks"]
    photo = read_manifest(tiny_corpus, where="craft == 'patola'").files()[0]
    answers = predict(run, [photo], evidence=tmp_path / "evidence")
    (evidence,) = answers.evidence[0]
    assert NO_PHOTOS in evidence["remark"]
    assert enrol(folder, "patola", [photo]).new
    assert "patola" in load_run(folder).gallery.crafts
    with pytest.raises(ShareError, match="not as it was shared"):
        require_shared(folder)


@pytest.mark.slow
def test_the_app_serves_it_and_says_what_it_lacks(given, tiny_corpus):
    desk = Desk(given)
    build_app(desk)
    assert "This model was shared without its photos: its references have no pictures." in _known_now(desk, english())
    assert "so there is nothing of its own to review" in review_opening(desk, english())
    assert "the references of this model, which was shared without its photos" in map_opening(desk, english())
    photo = read_manifest(tiny_corpus).files()[0]
    answer = "".join(
        part for step in identify(desk.run, [(photo, photo.name)], english()) for part in step if isinstance(part, str)
    )
    assert "no picture" in answer
    assert f"cannot be used ({NO_PHOTOS})" in answer
