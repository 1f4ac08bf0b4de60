"""Addresses and what may go wrong with a real server: errors that say what to do, and no password."""

import pytest

from saree_cosface.runs.gallery import GalleryError
from saree_cosface.runs.postgres import Database, read_address
from saree_cosface.runs.shared_gallery import create_gallery, open_gallery
from saree_cosface.runs.shared_log import enrol, entries
from tests.helpers.postgres import PASSWORD
from tests.helpers.shared_gallery import EMBEDDER, collection, queries, same_rows


def one_line(error):
    said = str(error.value)
    assert "\n" not in said
    assert PASSWORD not in said
    return said


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
