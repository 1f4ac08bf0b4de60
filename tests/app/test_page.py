"""The app without a browser: what its tabs answer, its API, and what comes in from outside."""

import os
import re
import signal
import socket
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app import __main__ as command
from app.accounts import add_account, hash_of, read_accounts
from app.batch import _counts, name_all, of_folder, results
from app.desk import Desk
from app.identify import identify
from app.page import _known, build_app
from app.running import Running
from app.speaking import put_in
from saree_cosface.answers.batch import Row
from saree_cosface.answers.prediction import predict
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.languages.packaged import english
from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.run import Run
from saree_cosface.taxonomy import craft_name
from tests.helpers.browser import TABS

pytestmark = pytest.mark.slow  # a run is trained and calibrated for them


@pytest.fixture(scope="module")
def photos(calibrated_run):
    """Photos of a source that the run never saw."""
    held_out = read_manifest(calibrated_run.folder / "manifest.csv")
    return held_out.select(held_out.table["split"].to_numpy(str) == "test").files()


def named(*paths):
    return [(path, path.name) for path in paths]


def whole(run, files):
    """All HTML of an answer, and what came first."""
    steps = list(identify(run, files, english()))
    return "".join(part for step in steps for part in step if isinstance(part, str)), steps


# --- Identify, as HTML --------------------------------------------------------------------------------------------


def test_answer_is_that_of_predict(calibrated_run, photos):
    page, steps = whole(calibrated_run, named(photos[0]))
    expected = predict(calibrated_run, photos[:1], one_piece=True).attributions[0]
    card, measured, _ = steps[0]
    assert re.findall(r'<div class="value[^"]*">(-?[\d.]+)', measured) == [
        f"{one.cosine:.3f}" for one in expected.traditions
    ]
    assert re.findall(r"<span>cosine (-?[\d.]+)", measured) == [f"{one.cosine:.3f}" for one in expected.references]
    for said in ("What the answer rests on", "What a specialist would look at", "Report (HTML)", "Report (JSON)"):
        assert said in page
        assert said not in card + measured  # the answer does not wait for it


def test_answer_is_told_before_any_part_has_to_be_opened(calibrated_run, photos):
    _, (first, last) = whole(calibrated_run, named(photos[0]))
    for card in (first[0], last[0]):
        places = [card.index(each) for each in ('class="verdict"', 'class="sure"', 'class="why"')]
        assert places == sorted(places)
        assert 2 <= card.count("<img") <= 3  # the photo, and one reference; of each where it is between two
        assert "<details" not in card
    assert "regions marked" not in first[0]
    assert "regions marked" in last[0]
    shapes = [[float(each) for each in re.findall(r'flex-grow:([\d.]+)"', step[0])] for step in (first, last)]
    assert shapes[0] == pytest.approx(shapes[1], abs=0.05)  # so that nothing moves when the regions come
    for parts in (first[1], last[2]):
        assert parts.count("<details>") >= 3  # each folded


def test_tabs_are_grouped_by_person_in_the_order_of_use(calibrated_run):
    def titles(tabs):
        return [put_in(each.label, english()) for each in tabs.children]

    page = build_app(Desk(calibrated_run.folder))
    by_id = {block.elem_id: block for block in page.blocks.values() if getattr(block, "elem_id", None)}
    assert titles(by_id["tabs"]) == list(TABS)
    assert titles(by_id["researcher-tabs"]) == list(TABS["Researcher"])
    assert titles(by_id["curator-tabs"]) == list(TABS["Curator"])


def test_several_photos_are_one_piece(calibrated_run, photos):
    page, _ = whole(calibrated_run, named(*photos[:3]))
    assert "Seen in 3 photos." in page
    assert page.count('class="verdict"') == 2  # the card, and again with the regions that match


def test_bad_photo_among_good_ones_is_named_and_stops_nobody(calibrated_run, photos, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    page, _ = whole(calibrated_run, [(bad, "<b>${1}{{x}}.png"), *named(photos[0])])
    assert "&lt;b&gt;${1}{{x}}.png was left out" in page
    assert 'class="verdict"' in page
    page, steps = whole(calibrated_run, [(bad, "bad.png")])
    assert "Try another photo" in page
    assert len(steps) == 1


def test_nothing_to_look_at_or_to_compare_with_is_said(calibrated_run, photos):
    assert "Choose one or several photos" in whole(calibrated_run, [])[0]
    assert "at most 24" in whole(calibrated_run, named(photos[0]) * 25)[0]
    references = pd.DataFrame(columns=calibrated_run.gallery.references.columns)
    dimensions = calibrated_run.gallery.embeddings.shape[1]
    bare = Run(
        calibrated_run.folder,
        calibrated_run.embedder,
        Gallery(np.zeros((0, dimensions), np.float32), references),
        calibrated_run.used,
        calibrated_run.sources,
        "",
    )
    assert "the gallery is empty" in whole(bare, named(photos[0]))[0]


# --- Batch --------------------------------------------------------------------------------------------------------


def test_batch_tells_how_far_it_is_and_ends_with_a_table(calibrated_run, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("app.batch._OFTEN", 0.0)
    monkeypatch.setattr("app.batch._SELDOM", 0.0)
    taken_there = tmp_path / "taken"
    taken_there.mkdir()
    copies = [save_as(taken_there / f"{n}.jpg", photo) for n, photo in enumerate(photos[:3])]
    steps = list(name_all(Desk(calibrated_run.folder), named(*copies), threading.Event(), english()))
    assert "0 of 3 photos" in steps[0][0]
    assert re.search(r"1 of 3 photos, about \d+ s left", steps[1][0])
    assert [more for _, _, more in steps] == [True] * (len(steps) - 1) + [False]
    kinds = [predict(calibrated_run, [photo]).attributions[0].verdict.kind for photo in copies]
    assert f"3 photos: {_counts([Row(str(n), kind=kind) for n, kind in enumerate(kinds)], english())}." in steps[-1][0]
    assert steps[-1][1].count("<tr>") == 4


def save_as(target, photo):
    target.write_bytes(Path(photo).read_bytes())
    return target


def test_cancelled_batch_shows_what_is_done(calibrated_run, photos, tmp_path):
    copies = [save_as(tmp_path / f"{n}.jpg", photo) for n, photo in enumerate(photos[:3])]
    running = Running()
    end = running.begin("me")
    running.begin("somebody else")
    running.end("me")
    assert end.is_set()
    said, table, more = list(name_all(Desk(calibrated_run.folder), named(*copies), end, english()))[-1]
    assert "Cancelled after 1 of 3 photos" in said
    assert table.count("<tr>") == 2
    assert more is False


def test_what_lies_about_in_a_folder_is_passed_over():
    names = ("a.JPG", "Thumbs.db", ".a.jpg", "notes.txt", "b.zip", "c.heic", "p/s/d.jpg", "p/.s/e.jpg", "p/.f.jpg")
    of = of_folder([(Path(name), name) for name in names])
    assert [name for _, name in of] == ["a.JPG", "b.zip", "c.heic", "p/s/d.jpg"]


def test_table_escapes_names_and_gives_reasons():
    table = results(
        [Row("<script>x</script>.jpg", problem="<i>empty"), Row("b.jpg", "1" * 64, tradition="Patola", cosine=0.5)],
        english(),
    )
    assert "<script>" not in table
    assert "left out: &lt;i&gt;empty" in table
    assert "verdict" not in table  # of a run that is not calibrated
    assert results([], english()) == ""


# --- Accounts -----------------------------------------------------------------------------------------------------


def test_accounts_by_password_or_by_hash(tmp_path):
    file = tmp_path / "accounts"
    file.write_text(f"# curators\nasha:open sesame: twice\nravi:{hash_of('pw')}\n\n")
    known = read_accounts(file)
    assert known("asha", "open sesame: twice")
    assert known("ravi", "pw")
    for name, password in (("asha", "pw"), ("ravi", hash_of("pw")), ("nobody", "pw"), ("", ""), ("# curators", "")):
        assert not known(name, password)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "nobody"),
        ("asha\n", "line 1"),
        ("a:b\na:c\n", "already"),
        (":x\n", "line 1"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_bad_files_of_accounts_are_refused(tmp_path, content, reason):
    file = tmp_path / "accounts"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=reason):
        read_accounts(file)


def test_accounts_are_made_with_hashes(tmp_path, monkeypatch):
    file = tmp_path / "accounts"
    for password in ("the first", "the second"):
        monkeypatch.setattr("getpass.getpass", lambda _, password=password: password)
        add_account(file, "asha")
    assert file.stat().st_mode & 0o077 == 0
    assert "the second" not in file.read_text()
    assert read_accounts(file)("asha", "the second")
    assert not read_accounts(file)("asha", "the first")
    for name in ("a:b", "", "#a", "a\nb"):
        with pytest.raises(ValueError, match="can be no name"):
            add_account(file, name)
    monkeypatch.setattr("getpass.getpass", lambda _: "")
    with pytest.raises(ValueError, match="nothing was changed"):
        add_account(file, "asha")

    monkeypatch.setattr("getpass.getpass", lambda _: "seven!!")
    with pytest.raises(ValueError, match="at least 8 characters"):
        add_account(file, "asha")

    def no_terminal(_):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", no_terminal)
    with pytest.raises(ValueError, match="in a terminal"):
        add_account(file, "asha")
    assert read_accounts(file)("asha", "the second")


# --- The command --------------------------------------------------------------------------------------------------


def test_app_builds_without_analytics(calibrated_run):
    page = build_app(Desk(calibrated_run.folder))
    assert page.analytics_enabled is False
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert craft_name(calibrated_run.gallery.crafts[0]) in _known(calibrated_run, english())


@pytest.fixture
def undone(monkeypatch):
    """Undoes what the command sets for its whole process."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("undone")
def test_command_refuses_what_is_no_run(tmp_path, capsys):
    assert command.main([str(tmp_path)]) == 1
    assert "not a run" in capsys.readouterr().err
    assert command.main([str(tmp_path), "--max-upload-mb", "0"]) == 1
    assert command.main([str(tmp_path), "--auth", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("undone")
def test_command_says_that_a_port_is_taken(calibrated_run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert command.main([str(calibrated_run.folder), "--port", str(other.getsockname()[1])]) == 1
    assert "port" in capsys.readouterr().err


def test_command_explains_itself():
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
