import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from saree_cosface.data import check
from saree_cosface.data.check import check_manifest
from saree_cosface.data.crops import Crop
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.files import sha256_of
from tests.helpers import bad_photos as bad


def checked(folder, rows, **options):
    write_manifest(pd.DataFrame(rows).fillna(""), folder / "manifest.csv")
    return check_manifest(read_manifest(folder / "manifest.csv", on_unknown="keep"), **options)


def photo(folder, name, seed=0, craft="patola", source="s1", **more):
    bad.save(folder / name, bad.textured(200, 150, seed))
    return {"path": name, "craft": craft, "source": source, "piece": name, **more}


def kinds(report):
    return [(finding.kind, *finding.paths) for finding in report.findings]


def test_a_sound_collection_has_no_findings(tmp_path):
    rows = [
        photo(tmp_path, f"{seed}.png", seed, craft=craft, source=f"s{seed % 2}", split="train" if seed % 2 else "test")
        for seed, craft in enumerate(["patola", "patola", "bandhani", "bandhani"])
    ]
    rows[0]["sha256"] = sha256_of(tmp_path / "0.png").upper()
    report = checked(tmp_path, rows)
    assert report.findings == ()
    assert report.ok
    assert (report.photos, report.readable) == (4, 4)
    buffer = io.StringIO()
    report.print_table(Console(file=buffer, width=100))
    assert "4 of 4 photos readable: nothing wrong found" in buffer.getvalue()


@pytest.mark.parametrize("make", bad.BAD, ids=lambda make: make.__name__)
def test_each_bad_file_is_listed_and_the_rest_checked(make, tmp_path):
    rows = [photo(tmp_path, "a.png", 0), photo(tmp_path, "b.png", 1, source="s2")]
    path = make(tmp_path)
    report = checked(tmp_path, [*rows, {"path": path.name, "craft": "patola", "source": "s2", "piece": "x"}])
    assert kinds(report) == [("unreadable", path.name)]
    assert not report.ok
    assert (report.photos, report.readable) == (3, 2)


def test_missing_tiny_and_changed_files(tmp_path):
    rows = [
        photo(tmp_path, "a.png", 0, sha256="0" * 64),
        {"path": "gone.jpg", "craft": "patola", "source": "s2", "piece": "g"},
        photo(tmp_path, "b.png", 1, source="s2"),
    ]
    bad.save(tmp_path / "small.png", bad.textured(300, 40, 5))
    rows.append({"path": "small.png", "craft": "patola", "source": "s2", "piece": "x"})
    report = checked(tmp_path, rows)
    assert kinds(report) == [("unreadable", "gone.jpg"), ("sha256 mismatch", "a.png"), ("tiny", "small.png")]
    assert "short side of 40 pixels" in report.findings[2].message
    assert "tiny" not in [kind for kind, *_ in kinds(checked(tmp_path, rows, min_side=40))]
    assert [entry[1] for entry in kinds(checked(tmp_path, rows, min_side=151)) if entry[0] == "tiny"] == [
        *("a.png", "b.png", "small.png")
    ]


def test_copies_contradictions_and_straddling(tmp_path):
    rows = [
        photo(tmp_path, "a.png", 0, split="train"),
        photo(tmp_path, "same.png", 0, split="test"),
        photo(tmp_path, "b.png", 1, source="s2"),
        {**photo(tmp_path, "c.png", 2, source="s2"), "piece": "one saree", "split": "train"},
        {**photo(tmp_path, "d.png", 3, source="s2"), "piece": "one saree", "split": "test"},
    ]
    bad.save(tmp_path / "b.jpg", bad.textured(200, 150, 1), quality=50)
    rows.append({"path": "b.jpg", "craft": "bandhani", "source": "s2", "piece": "x"})
    report = checked(tmp_path, rows, min_sources=1, min_photos=1)
    assert kinds(report) == [
        ("contradictory", "b.png", "b.jpg"),
        ("straddles split", "a.png", "same.png"),
        ("straddles split", "c.png", "d.png"),
        ("exact duplicate", "a.png", "same.png"),
        ("near duplicate", "b.png", "b.jpg"),
    ]
    assert "b.png (patola), b.jpg (bandhani)" in report.findings[0].message
    assert not report.ok
    assert checked(tmp_path, rows[2:3], min_sources=1, min_photos=1).ok


def test_a_saree_of_two_traditions(tmp_path):
    rows = [{**photo(tmp_path, f"{seed}.png", seed), "piece": "one saree"} for seed in range(3)]
    assert "piece of several crafts" not in [finding.kind for finding in checked(tmp_path, rows).findings]
    rows[1]["craft"] = "bandhani"
    found = [finding for finding in checked(tmp_path, rows).findings if finding.kind == "piece of several crafts"]
    assert [finding.paths for finding in found] == [("0.png", "1.png", "2.png")]
    assert "piece one saree: 0.png (patola), 1.png (bandhani)" in found[0].message
    assert found[0].severity == "warning"


def test_long_cases_are_told_by_three_examples(tmp_path):
    first = photo(tmp_path, "00.png", split="train")
    rows = [first]
    for number in range(1, 40):
        rows.append({**first, "path": f"{number:02}.png", "piece": "p", "split": "test" if number == 30 else "train"})
        rows[-1]["craft"] = "bandhani" if number == 20 else "patola"
        (tmp_path / f"{number:02}.png").write_bytes((tmp_path / "00.png").read_bytes())
    report = checked(tmp_path, rows)
    said = {finding.kind: finding.message for finding in report.findings}
    assert said["exact duplicate"] == "the same file: 00.png, 01.png, 02.png and 37 more"
    assert said["contradictory"].endswith("labels: 00.png (patola), 20.png (bandhani), 01.png (patola) and 37 more")
    assert "00.png (train), 30.png (test), 01.png (train) and 37 more" in " ".join(
        finding.message for finding in report.findings if finding.kind == "straddles split"
    )
    document = report.to_json()
    assert {len(finding["paths"]) for finding in document["findings"] if finding["kind"] == "exact duplicate"} == {40}
    assert max(len(finding["message"]) for finding in document["findings"]) < 200


def test_embeddings_find_more_copies(tmp_path):
    rows = [photo(tmp_path, f"{seed}.png", seed, source=f"s{seed}") for seed in range(3)]
    rows.append(photo(tmp_path, "copy.png", 0))
    embeddings = np.array([[1, 0], [0, 1], [0.01, 1], [1, 0]], dtype=np.float32)
    report = checked(tmp_path, rows, embeddings=embeddings)
    assert kinds(report) == [("exact duplicate", "0.png", "copy.png"), ("near duplicate (embedding)", "1.png", "2.png")]
    assert report.ok
    with pytest.raises(ValueError, match="embeddings of 3 photos"):
        checked(tmp_path, rows, embeddings=embeddings[:3])


def test_crops_of_one_photograph(tmp_path):
    rows = [photo(tmp_path, f"{seed}.png", seed, source=f"s{seed}") for seed in range(5)]
    rows += [photo(tmp_path, "same.png", 0), {**photo(tmp_path, "6.png", 6, craft="bandhani"), "piece": ""}]
    rows[1]["split"], rows[2]["split"] = "train", "test"
    crops = [Crop(0, 5, 300, False), Crop(1, 2, 25, True), Crop(3, 6, 212, False)]
    report = checked(tmp_path, rows, crops=crops, embeddings=np.eye(7)[[0, 1, 1, 2, 2, 0, 3]], min_photos=1)
    assert kinds(report)[:-2] == [
        ("contradictory", "3.png", "6.png"),
        ("straddles split", "1.png", "2.png"),
        ("exact duplicate", "0.png", "same.png"),  # told once
        ("crop", "1.png", "2.png"),
        ("crop", "3.png", "6.png"),
        ("near duplicate (embedding)", "3.png", "4.png"),
    ]
    said = {finding.paths: finding.message for finding in report.findings if finding.kind == "crop"}
    assert said["1.png", "2.png"] == (
        "the same photograph, mirrored: 1.png (s1, 1.png, patola) and 2.png (s2, 2.png, patola); 25 points agree"
    )
    assert said["3.png", "6.png"] == (
        "the same photograph, cropped: 3.png (s3, 3.png, patola) and 6.png (s1, bandhani); 212 points agree"
    )


def test_wrong_labels(tmp_path):
    rows = [
        photo(tmp_path, "a.png", 0, craft="banarsee"),
        photo(tmp_path, "b.png", 1, craft="organza"),
        photo(tmp_path, "c.png", 2, craft=""),
    ]
    report = checked(tmp_path, rows, min_sources=1, min_photos=1)
    assert kinds(report) == [("unknown label", "a.png"), ("unknown label", "c.png"), ("refused label", "b.png")]
    assert "did you mean banarasi" in report.findings[0].message
    assert not report.ok
    assert kinds(checked(tmp_path, rows, taxonomy=None, min_sources=1, min_photos=1)) == [("unknown label", "c.png")]


def test_too_little_to_learn_from(tmp_path):
    rows = [photo(tmp_path, f"{seed}.png", seed) for seed in range(2)]
    rows.append({**photo(tmp_path, "single.png", 7, craft="bandhani", source=""), "piece": ""})
    report = checked(tmp_path, rows)
    assert kinds(report) == [
        ("too few sources", "0.png", "1.png"),
        ("too few photos", "single.png"),
        ("unknown source", "single.png"),
        ("unknown piece", "single.png"),
    ]
    assert report.ok
    assert "patola: 1 source, fewer than 2 (s1)" in report.findings[0].message


def test_nothing_readable(tmp_path):
    report = checked(tmp_path, [{"path": "gone.jpg", "craft": "patola", "source": "s", "piece": "p"}])
    assert [kind for kind, *_ in kinds(report)] == ["unreadable", "too few photos"]
    assert report.readable == 0


def test_a_file_that_goes_away_while_it_is_read(tmp_path, monkeypatch):
    def gone(path):
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(check, "sha256_of", gone)
    report = checked(tmp_path, [photo(tmp_path, "a.png")], min_sources=1, min_photos=0)
    assert report.findings[0].message == "a.png: cannot be read (No such file)"


def test_report_as_json_and_table(tmp_path):
    rows = [{"path": f"{name}[red].jpg", "craft": "organza", "source": "s", "piece": name} for name in "abcde"]
    report = checked(tmp_path, rows)
    document = json.loads(json.dumps(report.to_json()))
    assert document["ok"] is False
    assert (document["photos"], document["readable"]) == (5, 0)
    assert (document["errors"], document["warnings"]) == (6, 1)
    assert document["findings"][0]["paths"] == ["a[red].jpg"]
    buffer = io.StringIO()
    report.print_table(Console(file=buffer, width=120))
    table = buffer.getvalue()
    assert "0 of 5 photos readable: needs mending" in table
    assert "b[red].jpg: no such file" in table
    assert "… and 2 more" in table


@pytest.mark.slow
@pytest.mark.photos
@pytest.mark.skipif("SAREE_COSFACE_DATA" not in os.environ, reason="SAREE_COSFACE_DATA is not set")
def test_the_real_sarees():
    path = Path(os.environ["SAREE_COSFACE_DATA"], "sarees", "manifest.csv")
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    report = check_manifest(read_manifest(path, on_unknown="keep"))
    assert report.readable == len(rows)
    assert {finding.kind for finding in report.findings if finding.severity == "error"} == {"refused label"}
    refused = {path for finding in report.findings if finding.kind == "refused label" for path in finding.paths}
    assert refused == {row["path"] for row in rows if row["craft"] in ("ikat_unspecified", "khadi", "linen")}


@pytest.mark.slow
@pytest.mark.photos
@pytest.mark.skipif("SAREE_COSFACE_DATA" not in os.environ, reason="SAREE_COSFACE_DATA is not set")
def test_batik_that_was_uploaded_under_two_names():
    manifest = read_manifest(Path(os.environ["SAREE_COSFACE_DATA"], "batik", "manifest.csv"), taxonomy=None)
    report = check_manifest(manifest, taxonomy=None)
    contradictory = {finding.paths for finding in report.findings if finding.kind == "contradictory"}
    assert ("photos/lereng/s069_001.jpg", "photos/parang/s069_036.jpg") in contradictory
    assert len(contradictory) <= 4
