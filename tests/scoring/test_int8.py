"""Embedders in eight bits are written if they say what the run says."""

import json

import numpy as np
import pytest

from saree_cosface.cli import main
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.networks.export import ExportError
from saree_cosface.scoring.int8 import FEWEST, compared, export_int8, spread
from tests.helpers.moved import moved_run
from tests.helpers.tiny import SOME

LOOSE = {"cosine": 0.9, "points": 30.0}
"""Bounds for a run of few photos, one of which is eight of a hundred."""


def test_every_beginning_is_spread_over_crafts_and_sources(tiny_corpus):
    manifest = read_manifest(tiny_corpus)
    rows = spread(manifest)
    assert sorted(rows.tolist()) == list(range(len(manifest)))
    np.testing.assert_array_equal(rows, spread(manifest))
    crafts = len(set(manifest.crafts))
    assert len(set(manifest.crafts[rows[:crafts]])) == crafts
    assert (rows != spread(manifest, seed=1)).any()
    for craft in set(manifest.crafts):
        sources = manifest.sources[rows[manifest.crafts[rows] == craft]].tolist()
        several = len(set(sources))
        assert len(set(sources[:several])) == several


def turned(views):
    """A way of embedding photos: by the amounts of red, green and blue."""
    means = views.mean(axis=(1, 2))
    return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


class Traditions:
    """Of one colour each."""

    crafts = ("blue", "green", "red")

    def cosines(self, embeddings):
        return embeddings @ np.eye(3, dtype=np.float32)[::-1]

    @property
    def gallery(self):
        return self


def test_a_comparison_is_of_whole_photos():
    colours = {"red": (200, 10, 10), "green": (10, 200, 10)}
    photos = [(name, np.full((2, 4, 4, 3), colour, np.uint8)) for name, colour in colours.items()] * FEWEST
    same = compared(Traditions(), turned, turned, iter(photos))
    assert (same.changed, same.photos, same.top1, same.exact_top1, same.points) == (0, 2 * FEWEST, 1, 1, 0)
    assert same.cosine == pytest.approx(1, abs=1e-6)

    def other(views):
        """As if the first view of each photo were red."""
        found = turned(views)
        found[0] = (2, 0, 0)
        return found

    found = compared(Traditions(), turned, other, iter(photos))
    green = turned(photos[1][1])[0]
    mean = green + np.array([2, 0, 0])
    expected = float(green @ mean / np.linalg.norm(mean))
    assert found.cosine == pytest.approx(expected, abs=1e-5)
    assert expected < found.mean_cosine < 1
    assert (found.changed, found.top1, found.exact_top1, found.points) == (FEWEST, 0.5, 1, 50)
    with pytest.raises(ExportError, match="4 photos are there to compare with single precision on, and 5 it takes"):
        compared(Traditions(), turned, turned, iter(photos[:4]))


@pytest.mark.slow
def test_what_is_written_says_what_the_run_says(tiny_run, tmp_path):
    found = export_int8(tiny_run, tmp_path / "out", "openvino", **LOOSE)
    assert [path.name for path in found.files] == ["embedder-int8.bin", "embedder-int8.xml"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["embedder-int8.bin", "embedder-int8.xml"]
    seen = found.comparison
    assert found.calibrated >= FEWEST
    assert found.calibrated + seen.photos == len(read_manifest(tiny_run.folder / "manifest.csv"))
    assert 0.9 < seen.cosine <= seen.mean_cosine < 1 - 1e-7


@pytest.mark.slow
def test_a_file_that_breaks_a_bound_is_not_written(tiny_run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "embedder-int8.xml").write_text("before")
    with pytest.raises(ExportError, match=r"top-1 on \d+ photos .* \(it may differ by -1\.0\): nothing is written"):
        export_int8(tiny_run, out, "openvino", cosine=0.0, points=-1.0)
    assert {path.name: path.read_text() for path in out.iterdir()} == {"embedder-int8.xml": "before"}


def test_photos_that_are_gone_or_changed(tiny_run, tmp_path):
    run = moved_run(tiny_run, tmp_path)
    for path in read_manifest(run.folder / "manifest.csv").files()[3:]:
        path.write_bytes(b"something else")
    with pytest.raises(ExportError, match="photos are there to compare with single precision on, and 5 it takes: give"):
        export_int8(run, tmp_path / "out", "openvino")
    (run.folder / "manifest.csv").unlink()
    with pytest.raises(ExportError, match="manifest.csv: no such file: say with --photos MANIFEST"):
        export_int8(run, tmp_path / "out", "openvino")
    assert not (tmp_path / "out").exists()


def called(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["export", *map(str, arguments)])
    return ended.value.code


@pytest.mark.slow
def test_from_the_command_line(tiny_run, tiny_corpus, tmp_path, capsys):
    photos = read_manifest(tiny_corpus, where=SOME)
    listed = tmp_path / "photos.csv"
    write_manifest(photos.table.assign(path=[str(path) for path in photos.files()]), listed)
    options = ("--format", "openvino", "--out", tmp_path / "out", "--photos", listed, "--json")
    assert called(tiny_run.folder, *options) == 1
    assert "--photos are calibrated on, which --int8 alone does" in capsys.readouterr().err
    assert called(tiny_run.folder, "--int8", *options) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert [path.rsplit("/", 1)[1] for path in told["files"]] == ["embedder-int8.bin", "embedder-int8.xml"]
    assert told["calibrated"] + told["photos"] == len(photos)
    assert told["cosine"] >= 0.98
    assert f"calibrated on {told['calibrated']} photos. On {told['photos']} others: cosine with" in said.err
    write_manifest(photos.table.iloc[:4].assign(path=[str(path) for path in photos.files()[:4]]), listed)
    assert called(tiny_run.folder, "--int8", *options) == 1
    assert "2 photos are there to compare with single precision on, and 5 it takes" in capsys.readouterr().err
