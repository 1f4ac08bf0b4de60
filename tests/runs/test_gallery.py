import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.data.manifest import manifest_of
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features.prototypes import prototype
from saree_cosface.runs.gallery import COLUMNS, INDEX, Gallery, GalleryError
from saree_cosface.runs.references import build_gallery
from tests.helpers.bad_photos import save, textured, zero_byte
from tests.helpers.galleries import gallery_of, unit


def same(one, other):
    """Equal, but for the half precision in which embeddings are kept."""
    return np.array_equal(*(each.embeddings.astype(np.float16) for each in (one, other))) and one.references.equals(
        other.references
    )


def test_save_and_load(tmp_path):
    gallery = gallery_of()
    saved = gallery.save(tmp_path / "gallery")
    loaded = Gallery.load(tmp_path / "gallery")
    assert same(loaded, gallery)
    assert np.array_equal(loaded.embeddings, saved.embeddings)
    assert loaded.embeddings.dtype == np.float32
    np.testing.assert_allclose(loaded.embeddings, gallery.embeddings, atol=2**-12)
    assert loaded.folder == saved.folder == tmp_path / "gallery"
    assert len(loaded) == 8
    assert json.loads((tmp_path / "gallery" / INDEX).read_text())["crafts"] == ["chanderi", "jamdani", "kasavu"]


def test_a_second_save_replaces_the_first_whole(tmp_path):
    gallery_of().save(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    larger = Gallery.load(tmp_path).add(gallery_of(4, seed=1, prefix="x"))
    larger.save(tmp_path)
    larger.save(tmp_path)
    assert same(Gallery.load(tmp_path), larger)
    assert len(list(tmp_path.iterdir())) == 4  # two tables, their index, and what is not ours


@pytest.mark.parametrize("step", ["np.save", "DataFrame.to_parquet", "write_json"])
def test_an_interrupted_save_leaves_the_old_gallery(tmp_path, monkeypatch, step):
    gallery = gallery_of()
    gallery.save(tmp_path)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        target = {"np.save": "numpy.save", "DataFrame.to_parquet": "pandas.DataFrame.to_parquet"}.get(
            step, "saree_cosface.runs.gallery.write_json"
        )
        patch.setattr(target, interrupt)
        with pytest.raises(KeyboardInterrupt):
            gallery_of(5, seed=9).save(tmp_path)
    assert same(Gallery.load(tmp_path), gallery)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_full_disk_leaves_the_old_gallery(tmp_path, full_disk):
    gallery = gallery_of()
    gallery.save(tmp_path)
    with full_disk(1000), pytest.raises(OSError, match="embeddings-"):
        gallery_of(2000, seed=2).save(tmp_path)
    assert same(Gallery.load(tmp_path), gallery)


def test_loading_while_another_process_replaces_the_tables(tmp_path, monkeypatch):
    gallery_of().save(tmp_path)
    stale = (tmp_path / INDEX).read_text()
    newer = gallery_of(5, seed=1)
    newer.save(tmp_path)
    texts = iter([stale, (tmp_path / INDEX).read_text()])
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: next(texts))
    assert same(Gallery.load(tmp_path), newer)


def the(folder, pattern):
    return next(folder.glob(pattern))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / INDEX).unlink(),
        lambda folder: (folder / INDEX).write_text("{"),
        lambda folder: (folder / INDEX).write_text("[]"),
        lambda folder: (folder / INDEX).write_text("{}"),
        lambda folder: the(folder, "*.npy").unlink(),
        lambda folder: the(folder, "*.npy").write_bytes(the(folder, "*.npy").read_bytes()[:150]),
        lambda folder: the(folder, "*.npy").write_bytes(b""),
        lambda folder: the(folder, "*.parquet").write_bytes(the(folder, "*.parquet").read_bytes()[:300]),
        lambda folder: the(folder, "*.parquet").write_bytes(b"\x80\x04N."),
        lambda folder: np.save(the(folder, "*.npy"), np.zeros((2, 4), np.float32)),
        lambda folder: pd.DataFrame({"path": ["a"] * 8}).to_parquet(the(folder, "*.parquet")),
    ],
)
def test_a_damaged_gallery_is_named(tmp_path, damage):
    gallery_of().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(GalleryError, match=f"{tmp_path}.*build"):
        Gallery.load(tmp_path)


@given(k=st.integers(1, 12), seed=st.integers(0, 50))
def test_search_is_exact(k, seed):
    gallery = gallery_of(10, seed=seed)
    query = unit(np.random.default_rng(seed + 1000).normal(size=4))
    cosines = gallery.embeddings @ query
    found = gallery.nearest(query, k, one_a_piece=False)
    assert [position for position, _ in found] == np.argsort(-cosines, kind="stable")[:k].tolist()
    pieces = gallery.references["piece"]
    by_piece = gallery.nearest(query, k)
    assert len(by_piece) == min(k, 5)
    assert len({pieces[position] for position, _ in by_piece}) == len(by_piece)
    best = pd.Series(cosines).groupby(pieces).max().sort_values(ascending=False)
    np.testing.assert_allclose([cosine for _, cosine in by_piece], best.to_numpy()[:k], rtol=1e-6)


def test_search_goes_on_while_the_nearest_are_of_few_pieces():
    """One piece with more photos than are first looked at, and equal cosines, which keep their order."""
    count = 200
    embeddings = np.tile(unit([1.0, 0.0]), (count, 1))
    embeddings[-3:] = unit([[0.6, 0.8], [0.8, 0.6], [0.6, 0.8]])
    many = gallery_of(count).references.assign(piece=["one"] * (count - 3) + ["two", "three", "four"], source="shop")
    gallery = Gallery(embeddings.astype(np.float32), many)
    found = gallery.nearest(unit([1.0, 0.0]).astype(np.float32), 4)
    assert [position for position, _ in found] == [0, count - 2, count - 3, count - 1]
    assert [round(cosine, 3) for _, cosine in found] == [1.0, 0.8, 0.6, 0.6]
    assert gallery.nearest(unit([1.0, 0.0]).astype(np.float32), 9) == found


def test_prototypes_count_each_piece_once():
    a, b, c = unit([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert prototype(np.stack([a, a, a, b]), np.array(["p", "p", "p", "q"])) == pytest.approx(unit(a + b))
    assert prototype(np.stack([a, b, c]), np.array(["p", "p", "q"])) == pytest.approx(unit((a + b) / 2 + c))
    makers = np.array(["x", "x", "x", "y"])
    assert prototype(np.stack([a, a, b, c]), np.array(["p", "p", "q", "r"]), makers) == pytest.approx(
        unit((a + b) / 2 + c)
    )
    # Of unknown sources each piece is one's own; a piece that two have photographed is one of each.
    unknown = np.array(["", "", "", "y"])
    assert prototype(np.stack([a, a, b, c]), np.array(["p", "p", "q", "r"]), unknown) == pytest.approx(unit(a + b + c))
    shared = np.array(["x", "y", "y", "y"])
    assert prototype(np.stack([a, b, b, c]), np.array(["p", "p", "p", "q"]), shared) == pytest.approx(
        unit(a + (b + c) / 2)
    )
    gallery = gallery_of()
    assert gallery.prototypes.shape == (3, 4)
    np.testing.assert_allclose(np.linalg.norm(gallery.prototypes, axis=1), 1, rtol=1e-5)
    assert Gallery(np.zeros((0, 4), np.float32), gallery.references[:0]).prototypes.shape == (0, 4)


def test_add_replaces_the_same_photo_and_remove_takes_it_out(tmp_path):
    gallery = gallery_of()
    moved = Gallery(gallery.embeddings[:1], gallery.references[:1].assign(path="/moved.jpg"))
    joined = gallery.add(moved)
    assert len(joined) == 8
    assert joined.references["path"].tolist()[-1] == "/moved.jpg"
    assert np.array_equal(joined.embeddings[-1], gallery.embeddings[0])
    less = joined.remove(["/moved.jpg", "/photos/3.jpg"])
    assert len(less) == len(less.embeddings) == 6
    assert "/photos/3.jpg" not in set(less.references["path"])
    assert same(gallery.remove([]), gallery)
    with pytest.raises(GalleryError, match=r"not in the gallery: /photos/99.jpg; nothing"):
        gallery.remove(["/photos/1.jpg", "/photos/99.jpg"])
    with pytest.raises(GalleryError, match="5 dimensions cannot join those of 4"):
        gallery.add(gallery_of(dim=5))


@pytest.fixture
def manifest(tmp_path):
    folder = tmp_path / "photos"
    for seed in range(4):
        save(folder / f"{seed}.png", textured(80, 60, seed))
    zero_byte(folder)
    rows = ["0.png,chanderi,p", "zero_byte.jpg,chanderi,q", "1.png,chanderi,p", "2.png,jamdani,", "3.png,kasavu,r"]
    (folder / "manifest.csv").write_text("path,craft,piece,source\n" + "".join(f"{row},shop\n" for row in rows))
    return read_manifest(folder / "manifest.csv")


def test_build_skips_bad_photos_and_draws_thumbnails(tiny_embedder, manifest, tmp_path):
    gallery, bad = build_gallery(tiny_embedder, manifest, folder=tmp_path / "gallery")
    assert [entry.path.name for entry in bad] == ["zero_byte.jpg"]
    assert gallery.references["craft"].tolist() == ["chanderi", "chanderi", "jamdani", "kasavu"]
    assert gallery.references.columns.tolist() == list(COLUMNS)
    for thumbnail in gallery.references["thumbnail"]:
        assert (tmp_path / "gallery" / thumbnail).stat().st_size > 100
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "gallery" / "thumbnails").iterdir()}
    again, _ = build_gallery(tiny_embedder, manifest, folder=tmp_path / "gallery", cache=tmp_path / "cache")
    assert same(again, gallery)
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "gallery" / "thumbnails").iterdir()}
    without, _ = build_gallery(tiny_embedder, manifest)
    assert set(without.references["thumbnail"]) == {""}


def test_paths_are_absolute_and_unknown_pieces_are_told_apart(tiny_embedder, manifest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = manifest_of(manifest.table, manifest.root.relative_to(tmp_path))
    gallery, _ = build_gallery(tiny_embedder, relative)
    assert all(Path(path).is_absolute() for path in gallery.references["path"])
    assert gallery.references["piece"].tolist() == ["p", "p", str(manifest.root / "2.png"), "r"]
    assert relative.pieces.tolist() == manifest.pieces.tolist()
    assert gallery.piece_of.tolist() == manifest.pieces[[0, 2, 3, 4]].tolist()


def test_a_manifest_without_readable_photos_gives_an_empty_gallery(tiny_embedder, manifest, tmp_path):
    gallery, bad = build_gallery(tiny_embedder, manifest.select([1]))
    assert len(gallery) == 0
    assert len(bad) == 1
    gallery.save(tmp_path / "empty")
    assert Gallery.load(tmp_path / "empty").crafts == []
