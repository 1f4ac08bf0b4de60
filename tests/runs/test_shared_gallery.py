"""A gallery on a real server: it holds what the folder holds, and changes are whole."""

from pathlib import Path

import numpy as np
import pytest

from saree_cosface.runs.gallery import Gallery, GalleryError
from saree_cosface.runs.shared_gallery import create_gallery, open_gallery
from tests.helpers.galleries import gallery_of
from tests.helpers.shared_gallery import EMBEDDER, collection

pytestmark = pytest.mark.slow  # a server is started for them


def test_it_holds_what_the_folder_holds(shared, own):
    assert len(shared) == len(own)
    assert shared.crafts == own.crafts
    assert shared.pieces.tolist() == own.pieces.tolist()
    assert shared.dimensions == own.dimensions == 32
    assert shared.folder == Path("/thumbnails")
    np.testing.assert_allclose(shared.prototypes, own.prototypes, atol=1e-6)
    np.testing.assert_array_equal(shared.embeddings, own.embeddings)
    assert shared.references.to_dict("records") == own.references.to_dict("records")
    assert shared.piece_of.tolist() == own.piece_of.tolist()
    some = own.references["sha256"].tolist()[5:8]
    assert shared.known([*some, "none"])["path"].tolist() == own.known(some)["path"].tolist()


def test_unknown_pieces_of_two_machines_are_two(url):
    """A photo of unknown piece goes by its path, which another photo on another machine may have."""
    one, other = gallery_of(1), gallery_of(1, seed=1, prefix="b")
    gallery = create_gallery(url, EMBEDDER, 4)
    for each in (one, other):
        table = each.references.assign(path="/home/asha/1.jpg", piece="/home/asha/1.jpg", source="")
        gallery.add(Gallery(each.embeddings, table))
    assert gallery.read_again().pieces.tolist() == [2]


def test_what_is_sent_again_changes_nothing_and_what_differs_is_replaced(shared, own):
    assert shared.add(own) == (0, 0)
    table = own.references.head(4).assign(craft="ajrakh")
    assert shared.add(Gallery(own.embeddings[:4], table)) == (0, 4)
    now = shared.read_again()
    assert len(now) == len(own)
    assert now.known(table["sha256"].tolist())["craft"].tolist() == ["ajrakh"] * 4
    expected = own.add(Gallery(own.embeddings[:4], table))
    assert now.crafts == expected.crafts
    np.testing.assert_allclose(now.prototypes, expected.prototypes, atol=1e-6)


def test_a_broken_addition_leaves_nothing(shared, own, monkeypatch):
    more = collection(2500, seed=1, prefix="n")
    from saree_cosface.runs import shared_tables

    sent = shared_tables.send

    def breaks(cursor, references):
        sent(cursor, references)
        if references.references["sha256"].iloc[0] != "n000000":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shared_tables, "send", breaks)
        with pytest.raises(KeyboardInterrupt):
            shared.add(more)
    assert not shared.changed()
    assert len(shared.read_again()) == len(own)


def test_references_leave_together_or_not_at_all(shared, own):
    some = own.references["sha256"].tolist()[:3]
    with pytest.raises(GalleryError, match="not in the gallery: no such; nothing was removed"):
        shared.remove([*some, "no such"])
    assert len(shared.read_again()) == len(own)
    shared.remove(some)
    assert len(shared.read_again()) == len(own) - 3
    assert not len(shared.known(some))


def test_another_embedder_is_refused(url, shared, own):
    with pytest.raises(GalleryError, match=f"another embedder .{EMBEDDER}; this run's is fedcba987654"):
        open_gallery(url, "fedcba987654")
    with pytest.raises(GalleryError, match="another embedder"):
        create_gallery(url, "fedcba987654", 32)
    beside = create_gallery(f"{url}_other", "fedcba987654", 16)  # under a name of its own
    assert len(beside) == 0
    assert beside.prototypes.shape == (0, 16)
    assert len(beside.neighbours(np.ones(16, np.float32), 3)) == 0


def test_one_that_was_made_anew_meanwhile_is_not_written_to(postgres, name, shared):
    postgres.do(f"UPDATE {name}.about SET embedder = 'fedcba987654'")
    with pytest.raises(GalleryError, match="made anew meanwhile, of another embedder; nothing was changed"):
        shared.add(collection(1, prefix="z"))


def test_one_of_another_version_is_refused(postgres, name, url, shared):
    postgres.do(f"UPDATE {name}.about SET format = 2")
    with pytest.raises(GalleryError, match="of another version of saree-cosface"):
        open_gallery(url, EMBEDDER)


def test_who_waits_too_long_is_told(postgres, name, shared, monkeypatch):
    import psycopg

    monkeypatch.setattr("saree_cosface.runs.postgres.WAIT_FOR_WRITERS", "100ms")
    with psycopg.connect(postgres.url()) as other:
        other.execute(f"UPDATE {name}.about SET version = version + 1")
        with pytest.raises(GalleryError, match="somebody else has been writing to it.*try again later"):
            shared.add(collection(1, prefix="w"))


def test_what_the_database_refuses_otherwise_is_its_own_words(shared, own):
    bad = own.references.head(1).assign(sha256="nul", source="a\0b")
    with pytest.raises(GalleryError, match="the database refuses"):
        shared.add(Gallery(own.embeddings[:1], bad))
