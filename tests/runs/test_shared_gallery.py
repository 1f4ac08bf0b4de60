"""A gallery on a real server: the same answers as a folder's, changes that are whole, and errors that say what to do."""

import subprocess
import sys
import threading
import time
import zlib
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from saree_cosface.runs.any_gallery import Only
from saree_cosface.runs.gallery import COLUMNS, Gallery, GalleryError
from saree_cosface.runs.postgres import Database, read_address
from saree_cosface.runs.shared_check import check
from saree_cosface.runs.shared_gallery import create_gallery, open_gallery
from saree_cosface.runs.shared_log import enrol, entries, undo
from tests.helpers.numbers import gallery_of, unit
from tests.helpers.postgres import PASSWORD

pytestmark = pytest.mark.slow  # a server is started for them

EMBEDDER = "0123456789ab"
CRAFTS = ("patola", "bandhani", "kanjivaram", "shawls of my aunt")
"""Two of Gujarat, one of Tamil Nadu, and one that the taxonomy does not know."""


def halved(gallery):
    return Gallery(gallery.embeddings.astype(np.float16).astype(np.float32), gallery.references)


def collection(count=400, dim=32, seed=0, prefix=""):
    """Photos of four crafts by five shops, in clusters; some pieces have several photos, some are shared by shops."""
    rng = np.random.default_rng(seed)
    number = np.arange(count)
    centres = np.random.default_rng(99).normal(size=(len(CRAFTS), dim))
    craft = number % len(CRAFTS)
    path = [f"/photos/{prefix}{row}.jpg" for row in number]
    piece = np.where(number % 5 == 0, path, [f"P {row // 8}" for row in number])
    table = pd.DataFrame(
        {
            "craft": np.array(CRAFTS, object)[craft],
            "piece": piece.astype(object),
            "source": [f"shop {row % 5}" if row % 7 else "" for row in number],
            "view": "",
            "path": path,
            "sha256": [f"{prefix}{row:06d}" for row in number],
            "thumbnail": "",
            "shared_piece": ["of two shops" if row in (3, 44) else "" for row in number],
        },
        columns=COLUMNS,
        dtype=object,
    )
    return halved(Gallery(unit(centres[craft] + 0.8 * rng.normal(size=(count, dim))), table))


@pytest.fixture
def name(request):
    return f"g{zlib.crc32(request.node.nodeid.encode()):x}"


@pytest.fixture
def url(postgres, name):
    return postgres.url(name=name)


@pytest.fixture
def own():
    return collection()


@pytest.fixture
def shared(url, own):
    gallery = create_gallery(url, EMBEDDER, own.dimensions, Path("/thumbnails"))
    assert gallery.add(own) == (len(own), 0)
    return gallery.read_again()


def queries(own, count=20, seed=5):
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(own), size=count)
    return unit(own.embeddings[rows] + 0.3 * rng.normal(size=(count, own.dimensions)) / own.dimensions**0.5)


def same_rows(found, expected):
    assert found["sha256"].tolist() == expected["sha256"].tolist()
    pd.testing.assert_frame_equal(found[list(COLUMNS)], expected[list(COLUMNS)], check_dtype=False)
    np.testing.assert_allclose(found["cosine"], expected["cosine"], atol=1e-6)


# --- The same answers -----------------------------------------------------------------------------------------------


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


def test_unknown_pieces_of_two_machines_are_two(url):
    """A photo of unknown piece goes by its path, which another photo on another machine may have."""
    one, other = gallery_of(1), gallery_of(1, seed=1, prefix="b")
    gallery = create_gallery(url, EMBEDDER, 4)
    for each in (one, other):
        table = each.references.assign(path="/home/asha/1.jpg", piece="/home/asha/1.jpg", source="")
        gallery.add(Gallery(each.embeddings, table))
    assert gallery.read_again().pieces.tolist() == [2]


# --- The index ------------------------------------------------------------------------------------------------------


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


# --- Changes --------------------------------------------------------------------------------------------------------


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


def test_an_enrolment_and_its_entry_come_and_go_together(shared, url, own):
    new = collection(3, seed=7, prefix="e")
    entry, count = enrol(shared, new, "patola", "museum", "inv. 12")
    assert (entry["number"], entry["craft"], entry["by"], entry["undone"]) == (1, "patola", "postgres", "")
    assert entry["sha256"] == tuple(new.references["sha256"])
    assert count == 101  # of the three only one is a patola
    assert shared.changed()
    assert len(shared.read_again()) == len(own) + 3
    with pytest.raises(GalleryError, match=r"3 of the 3 photos have become references meanwhile.*Nothing was enrolled"):
        enrol(shared, new, "patola", "museum", "")
    assert entries(url) == [entry]
    back, gone = undo(url)
    assert back["number"] == 1
    assert back["undone"]
    assert gone["sha256"].tolist() == new.references["sha256"].tolist()
    assert len(shared.read_again()) == len(own)
    assert entries(url) == [back]
    with pytest.raises(GalleryError, match=r"no enrolment 1 to take back \(none stands\)"):
        undo(url, 1)
    again, _ = enrol(shared, new, "patola", "", "")
    assert again["number"] == 2


def test_the_last_is_ones_own_last(postgres, name, shared, url):
    postgres.do(
        f"CREATE ROLE asha LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT ALL ON SCHEMA {name} TO asha",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {name} TO asha",
    )
    hers = postgres.url(user="asha", name=name)
    enrol(open_gallery(hers, EMBEDDER), collection(1, prefix="a"), "patola", "", "")
    enrol(shared, collection(1, prefix="b"), "patola", "", "")
    assert [entry["by"] for entry in entries(url)] == ["asha", "postgres"]
    assert undo(hers)[0]["number"] == 1
    with pytest.raises(GalleryError, match=r"no enrolment by this account to take back \(2\)"):
        undo(hers)
    assert undo(hers, 2)[0]["number"] == 2  # by its number, whoever may


ENROLS = """
import sys
import numpy as np
from saree_cosface.runs.shared_gallery import open_gallery
from saree_cosface.runs.shared_log import enrol
from saree_cosface.runs.gallery import GalleryError
from tests.runs.test_shared_gallery import EMBEDDER, collection
url, name = sys.argv[1:]
gallery = open_gallery(url, EMBEDDER)
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    enrol(gallery, collection(3, seed=number, prefix=f"{name}{number}-"), "patola", name, str(number))
try:
    enrol(gallery, collection(2, seed=50, prefix="both"), "patola", name, "both")
except GalleryError as error:
    assert "have become references meanwhile" in str(error), error
"""


def test_two_who_enrol_at_once_lose_nothing(shared, url, own):
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", ENROLS, url, name], cwd=root, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for name in ("asha", "meera")
    ]  # fmt: skip
    assert [one.stdout.readline() for one in started] == ["ready\n"] * 2
    for one in started:
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in started:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said
    log = entries(url)
    assert [entry["number"] for entry in log] == list(range(1, 42))
    assert sorted(entry["source"] for entry in log if entry["note"] != "both") == ["asha"] * 20 + ["meera"] * 20
    numbers = [
        [entry["note"] for entry in log if entry["source"] == name and entry["note"] != "both"]
        for name in ("asha", "meera")
    ]
    assert numbers == [[str(number) for number in range(20)]] * 2
    assert len(shared.read_again()) == len(own) + 2 * 20 * 3 + 2  # and the photo that both had once


# --- What may go wrong ----------------------------------------------------------------------------------------------


def test_a_killed_server_is_said_and_asked_again_when_it_is_back(postgres, shared, own, url):
    query = queries(own)[0]
    before = shared.neighbours(query, 3)
    postgres.kill()
    try:
        with pytest.raises(
            GalleryError, match=rf"127.0.0.1:{postgres.port}/.*cannot connect.*refused.*try again"
        ) as raised:
            shared.neighbours(query, 3)
        assert PASSWORD not in str(raised.value)
        with pytest.raises(GalleryError, match="cannot connect"):
            enrol(shared, collection(1, prefix="k"), "patola", "", "")
    finally:
        postgres.start()
    same_rows(shared.neighbours(query, 3), before)
    assert entries(url) == []


def test_a_server_killed_in_the_midst_leaves_nothing_half_done(postgres, shared, own, monkeypatch, url):
    from saree_cosface.runs import shared_tables

    def killed(cursor, references, sent=shared_tables.send):
        sent(cursor, references)
        postgres.kill()

    with monkeypatch.context() as patch:
        patch.setattr(shared_tables, "send", killed)
        with pytest.raises(GalleryError, match=r"127.0.0.1.*went away.*as a whole or not at all.*enrolments") as raised:
            enrol(shared, collection(2, prefix="k"), "patola", "", "")
    assert PASSWORD not in str(raised.value)
    postgres.start()
    assert len(shared.read_again()) == len(own)
    assert entries(url) == []


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


def one_line(error):
    said = str(error.value)
    assert "\n" not in said
    assert PASSWORD not in said
    return said


def test_what_cannot_be_reached_is_said_in_a_line(postgres, database):
    def refused(url, words):
        with pytest.raises(GalleryError, match=words) as error:
            open_gallery(url, EMBEDDER)
        one_line(error)

    refused(
        postgres.url(database, password="eight looms"), "cannot connect .password authentication failed.*PGPASSWORD"
    )
    refused(postgres.url(database, password=""), "cannot connect.*PGPASSWORD")
    refused(postgres.url("nowhere"), 'database "nowhere" does not exist.*name another')
    refused(postgres.url(database, port=1), "cannot connect .Connection refused.*running there")
    refused(
        f"postgresql://asha:{PASSWORD.replace(' ', '%20')}@no.such.host.invalid/sarees", "cannot connect.*no.such.host"
    )
    refused(f"postgresql://asha:{PASSWORD.replace(' ', '%20')}@h:port/sarees", "cannot connect.*port")
    refused(postgres.url(database), "has no gallery saree_gallery; make it with `saree-cosface gallery copy")


@pytest.mark.parametrize("url", [
    "runs/museum", "mysql://a:seven@h/d", "postgresql://a:p@seven@h/d", "postgresql://a:seven@h/d?nonsense=1",
    "postgresql://a:se#ven@h/d",
])  # fmt: skip
def test_no_address_is_not_repeated(url):
    with pytest.raises(GalleryError, match="USER@HOST/DATABASE") as error:
        read_address(url)
    assert "seven" not in str(error.value)
    assert "ven@" not in str(error.value)


def test_an_address_shows_no_password(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "nine looms")
    address = read_address("postgresql://asha:seven%20looms@db.example:5433/sarees?sslmode=require#museum")
    assert address.shown == "postgresql://asha@db.example:5433/sarees#museum"
    assert "looms" not in repr(address) + repr(Database(address))
    assert "connect_timeout" in address.conninfo
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "3")
    assert "connect_timeout" not in read_address("postgresql://db.example/sarees").conninfo


def test_rights_that_are_missing_are_named(postgres, name, shared, own):
    postgres.do(
        f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'",
    )
    url = postgres.url(user="reader", name=name)
    with pytest.raises(
        GalleryError, match=f"may not do that .permission denied for schema {name}.*ask the owner"
    ) as error:
        open_gallery(url, EMBEDDER)
    one_line(error)
    postgres.do(
        f"GRANT USAGE ON SCHEMA {name} TO reader",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO reader",
    )
    reader = open_gallery(url, EMBEDDER)  # who reads can search
    same_rows(reader.neighbours(queries(own)[0], 3), own.neighbours(queries(own)[0], 3))
    with pytest.raises(GalleryError, match="may not do that"):
        enrol(reader, collection(1, prefix="r"), "patola", "", "")
    with pytest.raises(GalleryError, match="permission denied|not switched on"):
        create_gallery(postgres.url(user="reader", name="mine"), EMBEDDER, 4)


def test_a_database_without_pgvector_is_told_apart(postgres, database):
    postgres.do(
        f"CREATE ROLE maker LOGIN PASSWORD '{PASSWORD}'",
        f"REVOKE CREATE ON DATABASE {database} FROM PUBLIC",
        database=database,
    )
    with pytest.raises(GalleryError, match="pgvector is not switched on.*CREATE EXTENSION vector"):
        create_gallery(postgres.url(database, user="maker"), EMBEDDER, 4)
    postgres.do(
        f"CREATE ROLE bare SUPERUSER LOGIN PASSWORD '{PASSWORD}'",
        "ALTER ROLE bare SET extension_control_path = '/nowhere'",
    )
    with pytest.raises(GalleryError, match="the server has no pgvector"):
        create_gallery(postgres.url(database, user="bare"), EMBEDDER, 4)


def test_an_old_pgvector_and_other_text_are_refused(postgres, database):
    postgres.do(
        "CREATE EXTENSION vector",
        "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'",
        database=database,
    )
    with pytest.raises(GalleryError, match="pgvector 0.7.4 is too old"):
        create_gallery(postgres.url(database), EMBEDDER, 4)
    postgres.do("DROP DATABASE IF EXISTS latin", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(GalleryError, match="text of this database is in LATIN1"):
        create_gallery(postgres.url("latin"), EMBEDDER, 4)


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
