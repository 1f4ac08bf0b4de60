"""A search on a real server: the same answers as a folder's, with an index and without."""

import threading
import time
from io import StringIO

import pytest
from rich.console import Console

from saree_cosface.runs.any_gallery import Only
from saree_cosface.runs.gallery import Gallery, GalleryError
from saree_cosface.runs.shared_check import check
from saree_cosface.runs.shared_gallery import create_gallery
from tests.helpers.shared_gallery import EMBEDDER, collection, queries, same_rows

pytestmark = pytest.mark.slow  # a server is started for them


@pytest.mark.parametrize("one_a_piece", [True, False])
def test_the_exact_search_finds_the_same(shared, own, one_a_piece):
    for query in queries(own):
        for k in (1, 7):
            same_rows(
                shared.neighbours(query, k, one_a_piece=one_a_piece), own.neighbours(query, k, one_a_piece=one_a_piece)
            )
    same_rows(
        shared.neighbours(query, 10**4, one_a_piece=one_a_piece), own.neighbours(query, 10**4, one_a_piece=one_a_piece)
    )


def test_cosines_of_a_mean_are_means(shared, own):
    mean = queries(own)[:3].mean(axis=0)  # not of length 1
    same_rows(shared.neighbours(mean, 5), own.neighbours(mean, 5))


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    ("only", "crafts"),
    [
        (Only(craft="patola"), {"patola"}),
        (Only(place="gujarat"), {"patola", "bandhani"}),
        (Only(place="Gujarat", source="shop 1"), {"patola", "bandhani"}),
        (Only(craft="shawls of my aunt", source="shop 3"), {"shawls of my aunt"}),
        (Only(craft="patola", place="Tamil Nadu"), set()),
        (Only(source="nobody's"), set()),
    ],
)
def test_only_some_are_searched(shared, own, only, crafts, indexed):
    if indexed:
        shared.index()
        shared = shared.read_again()
    for query in queries(own, 4):
        found, expected = shared.neighbours(query, 6, only=only), own.neighbours(query, 6, only=only)
        same_rows(found, expected)  # in so few the index finds all
        assert set(found["craft"]) <= crafts
        assert len(found) == (6 if crafts else 0)
        assert not only.source or set(found["source"]) <= {only.source}


def test_names_that_look_like_statements_are_names(url, own):
    strange = own.references.assign(craft="x'; DROP TABLE reference; --", source='"; %s {gallery}')
    gallery = create_gallery(url, EMBEDDER, own.dimensions)
    gallery.add(Gallery(own.embeddings, strange))
    gallery = gallery.read_again()
    only = Only(craft="x'; DROP TABLE reference; --", source='"; %s {gallery}')
    assert len(gallery.neighbours(queries(own)[0], 3, only=only)) == 3
    assert gallery.crafts == ["x'; DROP TABLE reference; --"]


def test_recall_of_the_index_is_measured(shared, own, postgres, name):
    own_and_more = own.add(collection(3000, seed=1, prefix="m"))
    shared.add(own_and_more)
    exact = check(shared.read_again(), own, k=10, queries=30)
    assert (exact.index, exact.photos, exact.missing, exact.more) == (None, 3400, 0, 3000)
    assert exact.exact.recall == 1
    shared.index()
    assert shared.changed()
    shared = shared.read_again()
    found = check(shared, own_and_more, k=10, queries=60)
    print(found)
    assert 0.9 <= found.index.recall <= 1
    assert found.index.p50 > 0
    assert found.queries == 60
    # That it is the index which was asked:
    shared.database.close()  # with which a connection tells what it has done
    used = f"SELECT idx_scan FROM pg_stat_user_indexes WHERE schemaname = '{name}' AND indexrelname = 'reference_hnsw'"
    deadline = time.monotonic() + 10
    while (scans := postgres.do(used)[0][0]) < 60 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert scans >= 60
    shared.drop_index()
    assert check(shared.read_again(), own, queries=3).index is None


def test_an_index_that_leads_to_fewer_is_not_believed(postgres, name, own, monkeypatch):
    """A filter that few pass makes HNSW give up, here sooner than it would; the exact search goes on."""
    monkeypatch.setenv("PGOPTIONS", "-c hnsw.max_scan_tuples=500")
    shared = create_gallery(postgres.url(name=name), EMBEDDER, own.dimensions)
    shared.add(collection(4000, seed=2))
    rare = collection(3, seed=3, prefix="r")
    shared.add(Gallery(-rare.embeddings, rare.references.assign(craft="kasavu", piece=["1", "2", "3"])))
    shared.index()
    shared = shared.read_again()
    query = queries(own)[0]
    assert set(shared.neighbours(query, 3, only=Only(place="Kerala"))["craft"]) == {"kasavu"}
    assert len(shared.neighbours(query, 3, only=Only(place="Kerala"))) == 3


def test_too_long_embeddings_have_no_index(url):
    gallery = create_gallery(url, EMBEDDER, 4001)
    with pytest.raises(GalleryError, match="4001 dimensions are too long for an index"):
        gallery.index()


def test_check_counts_what_is_missing(shared, own, url):
    changed = own.references.assign(
        craft=["bandhani" if row < 10 else craft for row, craft in enumerate(own.references["craft"])]
    )
    more = Gallery(own.embeddings, changed).add(collection(7, prefix="x"))
    found = check(shared, more, queries=2)
    other = int((changed["craft"] != own.references["craft"]).sum())
    assert (found.missing, found.other_craft, found.more) == (7, other, 0)
    found.print_table(Console(file=(told := StringIO()), width=200))
    assert "7 photos are not there" in told.getvalue()
    assert "every search is exact" in told.getvalue()
    assert check(create_gallery(f"{url}_none", EMBEDDER, 32), own).exact is None


def test_several_threads_ask_at_once(shared, own):
    asked = queries(own, 16)
    found = [None] * len(asked)

    def ask(number):
        found[number] = shared.neighbours(asked[number], 5)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, query in zip(found, asked, strict=True):
        same_rows(one, own.neighbours(query, 5))
    shared.database.close()
    same_rows(shared.neighbours(asked[0], 5), found[0])
