"""What can be decided about a photo, what cannot, and the manifest that decisions are made with."""

import json
import shutil

import pytest

from saree_cosface.curation.deciding import decide_about, open_log, verdicts_on
from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.versions import apply_log
from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.files import sha256_of
from tests.helpers.bad_photos import save, textured
from tests.helpers.decided import ROWS, about, labels


def test_what_cannot_be_decided(log, manifest):
    for arguments, options, said in (
        (("accept", "e.jpg"), {}, "no photo of the manifest .5 photos.: did you mean"),
        (("accept", "c.jpg"), {}, "2 photos end so: shop/c.jpg, museum/c.jpg"),
        (("accept", "op/c.jpg"), {}, "no photo of the manifest"),
        (("relabel", "a.jpg"), {"craft": "kanjiwarram"}, "'kanjiwarram' is no known craft: did you mean kanjivaram"),
        (("relabel", "a.jpg"), {"craft": "silk"}, "not a craft tradition"),
        (
            ("relabel", "a.jpg"),
            {"craft": "Jamdani saree"},
            "labelled jamdani already; say that it is right with accept",
        ),
        (("relabel", "a.jpg"), {"craft": "patola", "why": " \n"}, "relabel needs its reason: add --why"),
        (("exclude", "a.jpg"), {"why": ""}, "exclude needs its reason"),
        (("comment", "a.jpg"), {"why": ""}, "comment needs its text"),
        (("merge", "a.jpg"), {"others": ["shop/a.jpg"]}, "one piece already"),
        (("merge", "a.jpg"), {"others": ["s1"]}, "one piece already"),
        (("duplicate", "a.jpg"), {"others": ["a.jpg"]}, "needs another photo than this one"),
        (("duplicate", "a.jpg"), {"others": ["x.jpg"]}, "no photo of the manifest"),
        (("remove", "a.jpg"), {}, "'remove' is no kind of decision"),
        (("undo", "a.jpg"), {}, "'undo' is no kind of decision"),
        (("accept", "a.jpg"), {"by": "  "}, "a decision needs a name"),
        (("accept", "a.jpg"), {"by": "x" * 101}, "the name has 101 characters"),
        (("accept", "a.jpg"), {"by": "A\x1b[31m"}, "holds the character U[+]001B"),
        (("accept", "a.jpg"), {"by": "A\u202eB"}, "holds the character U[+]202E"),
        (("accept", "a.jpg"), {"by": "A\udcff"}, "holds the character U[+]DCFF"),
        (("accept", "a.jpg"), {"why": "x" * 4001}, "the reason has 4001 characters; at most 4000"),
        (("accept", "a.jpg"), {"seen": 99}, "nobody can have seen entry 99; the last is 1"),
    ):
        with pytest.raises(ValueError, match=said):
            about(log, *arguments, **options)
    for number in (0, -1, 7, 10**30):
        with pytest.raises(CurationError, match=f"there is no entry {number} to take back"):
            log.undo(number, by="A")
    with pytest.raises(CurationError, match="says which manifest is in use"):
        log.undo(1, by="A")
    assert len(log.entries()) == 1


def test_a_label_that_is_none_can_be_replaced_but_not_accepted(manifest, path):
    manifest.write_text(ROWS.replace("oddity", ""))
    log, read = open_log(path, manifest, by="A")
    with pytest.raises(CurationError, match="has no label to accept"):
        decide_about(log, read, "accept", "d.jpg", by="A")
    given = decide_about(log, read, "relabel", "d.jpg", craft="Mashru of Patan", new=True, by="A", why="satin")
    assert given.value == "Mashru of Patan"
    assert labels(apply_log(log, manifest)[0])["museum/d.jpg"] == "Mashru of Patan"


def test_a_new_label_keeps_its_vowel_signs_and_its_first_capitals(manifest, path):
    log, read = open_log(path, manifest, by="A")

    def label(photo, craft):
        return decide_about(log, read, "relabel", photo, craft=craft, new=True, by="A", why="seen").value

    assert [label("a.jpg", "कैसी"), label("b.jpg", "कसी"), label("d.jpg", "Kalna Tant")] == ["कैसी", "कसी", "Kalna Tant"]
    assert label("shop/c.jpg", "kalna-tant") == "Kalna Tant"


def test_names_and_notes_stay_as_they_are(log, call):
    why = "सूती 😀 👩🏽‍🌾\r\n[bold]not[/bold] <b>, =1+1\n" + "z" * 100
    entry = about(log, "accept", "a.jpg", by="  Jose\u0301   O'Neil ", why=why)
    assert (entry.by, entry.why) == ("José O'Neil", why.replace("\r\n", "\n"))
    assert log.entries()[-1] == entry
    _, out, err = call(log.path, "log", "--json")
    assert json.loads(out)[-1]["why"] == entry.why
    assert "[bold]" in err


def test_a_manifest_that_cannot_be_read_begins_no_log(call, path, tmp_path):
    assert call(path, "accept", "a.jpg", "--manifest", tmp_path / "none.csv", "--by", "A")[0] == 1
    assert not path.exists()


def test_the_manifest_in_use_is_watched(log, manifest):
    manifest.write_text(ROWS.replace("patola", "bandhani"))
    log.close()
    with pytest.raises(CurationError, match="was changed since entry 1 of .* --manifest"):
        open_log(log.path, by="A")
    opened, _ = open_log(log.path, manifest, by="A")
    assert [entry.kind for entry in opened.entries()] == ["manifest", "manifest"]
    opened.close()
    manifest.unlink()
    with pytest.raises(CurationError, match="is not there any more; say where with --manifest"):
        open_log(log.path, by="A")
    with pytest.raises(ManifestError, match="no such file"):
        open_log(log.path, manifest, by="A")


def test_a_file_that_the_manifest_does_not_mean(manifest, path):
    table = read_manifest(manifest, on_unknown="keep").table
    table.assign(sha256="0" * 64).to_csv(manifest, index=False)
    log, read = open_log(path, manifest, by="A")
    with log, pytest.raises(CurationError, match="the file is not the one that the manifest lists"):
        decide_about(log, read, "accept", "a.jpg", by="A")


def test_of_equal_files_a_verdict_is_on_the_one_that_it_names(log, manifest):
    shutil.copy(manifest.parent / "shop" / "a.jpg", manifest.parent / "museum" / "d.jpg")
    excluded, other = about(log, "exclude", "museum/d.jpg"), about(log, "accept", "shop/b.jpg")

    def found():
        read = read_manifest(manifest, on_unknown="keep")
        contents = [sha256_of(file) for file in read.files()]
        return dict(zip(read.table["path"], verdicts_on(log, read, contents), strict=True))

    assert {path: each for path, each in found().items() if each} == {"museum/d.jpg": excluded, "shop/b.jpg": other}
    (manifest.parent / "shop" / "b.jpg").rename(manifest.parent / "shop" / "moved.jpg")
    manifest.write_text(ROWS.replace("shop/b.", "shop/moved."))
    assert found()["shop/moved.jpg"] == other
    save(manifest.parent / "museum" / "d.jpg", textured(seed=9))
    assert found()["museum/d.jpg"] is None
