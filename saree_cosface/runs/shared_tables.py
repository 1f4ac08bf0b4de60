"""The tables of a shared gallery, and the statements that are asked of them.

A gallery is a schema with three tables: ``about`` (one row: of which embedder, and a number that grows with every
change), ``reference`` (a row a photo, its embedding in half precision) and ``enrolment`` (the log). Vectors, distances
and the HNSW index are pgvector's (https://github.com/pgvector/pgvector), of 0.8 or newer: half precision came with 0.7,
and with 0.8 a search that goes on until a filter has let enough through.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg import Cursor, errors, sql

from saree_cosface.runs.any_gallery import places_of
from saree_cosface.runs.gallery import COLUMNS, Gallery
from saree_cosface.runs.postgres import Refused

FORMAT = 1
_TABLES: LiteralString = """
CREATE SCHEMA IF NOT EXISTS {gallery};
CREATE TABLE {gallery}.about (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    format integer NOT NULL,
    embedder text NOT NULL,
    dimensions integer NOT NULL,
    version bigint NOT NULL DEFAULT 0
);
CREATE TABLE {gallery}.enrolment (
    number bigint PRIMARY KEY,
    craft text NOT NULL,
    photos text[] NOT NULL,
    sha256 text[] NOT NULL,
    source text NOT NULL,
    note text NOT NULL,
    enrolled_by text NOT NULL DEFAULT session_user,
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    undone_by text,
    undone_at timestamptz
);
CREATE TABLE {gallery}.reference (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    craft text NOT NULL,
    piece text NOT NULL,
    source text NOT NULL,
    view text NOT NULL,
    path text NOT NULL,
    sha256 text NOT NULL UNIQUE,
    thumbnail text NOT NULL,
    shared_piece text NOT NULL,
    place text NOT NULL,
    saree text NOT NULL,
    embedding halfvec({dimensions}) NOT NULL,
    enrolment bigint REFERENCES {gallery}.enrolment,
    enrolled_by text NOT NULL DEFAULT session_user,
    enrolled_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON {gallery}.reference (craft);
CREATE INDEX ON {gallery}.reference (source);
"""

_KEPT = (*COLUMNS, "place", "saree", "embedding")
INDEX = "reference_hnsw"


@dataclass(frozen=True)
class About:
    """What a gallery is of.

    Attributes:
        embedder: whose embeddings it holds, by its weights.
        dimensions: of them.
        version: how many changes there were.
        indexed: whether there is an HNSW index, by which references are then searched.
    """

    embedder: str
    dimensions: int
    version: int
    indexed: bool


def create(cursor: Cursor[Any], name: str, embedder: str, dimensions: int) -> None:
    """Make the tables of a gallery, and pgvector known to the database, where they are not yet.

    Raises:
        Refused: pgvector cannot be had, or is too old; or the database's text is not in UTF-8.
    """
    # Of two that make it at once the second waits, and finds it made.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"saree-cosface {name}"])
    if _exists(cursor, name):
        return
    [[encoding]] = cursor.execute("SHOW server_encoding").fetchall()
    if encoding != "UTF8":
        raise Refused(f"the text of this database is in {encoding}: make one with ENCODING 'UTF8'.")
    found = cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if found is None:
        try:
            cursor.execute("CREATE EXTENSION vector")
        except (errors.FeatureNotSupported, errors.UndefinedFile) as error:
            raise Refused(
                "the server has no pgvector: have it installed there (https://github.com/pgvector/pgvector)."
            ) from error
        except errors.InsufficientPrivilege as error:
            raise Refused(
                "pgvector is not switched on in this database: have its owner run CREATE EXTENSION vector."
            ) from error
        found = cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    version = str(found[0]) if found else "0"
    if tuple(int(part) for part in version.split(".")[:2]) < (0, 8):
        raise Refused(
            f"pgvector {version} is too old: have it brought to 0.8 or newer (ALTER EXTENSION vector UPDATE)."
        )
    cursor.execute(filled(_TABLES, name, dimensions=sql.Literal(dimensions)), binary=False)
    values = [FORMAT, embedder, dimensions]
    cursor.execute(
        filled("INSERT INTO {gallery}.about (format, embedder, dimensions) VALUES (%s, %s, %s)", name), values
    )


def about(cursor: Cursor[Any], name: str, *, changing: bool = False) -> About:
    """What a gallery is of.

    Args:
        cursor: within a transaction.
        name: of the gallery.
        changing: count this transaction as a change; until it ends, others who change the gallery wait.

    Raises:
        Refused: a newer version of this package made it.
    """
    look: LiteralString = "SELECT format, embedder, dimensions, version FROM {gallery}.about"
    change: LiteralString = (
        "UPDATE {gallery}.about SET version = version + 1 RETURNING format, embedder, dimensions, version"
    )
    row = cursor.execute(filled(change if changing else look, name)).fetchone()
    if row is None or row[0] != FORMAT:
        raise Refused(f"the gallery {name} is of another version of saree-cosface: use that one, or another name.")
    index = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{name}.{INDEX}"]).fetchone()
    return About(str(row[1]), int(row[2]), int(row[3]), bool(index and index[0]))


def per_craft(cursor: Cursor[Any], name: str) -> list[tuple[str, int, int, NDArray[np.float32]]]:
    """Each craft with its photos, its pieces and the mean over its sources, ``(D,)``, as
    :func:`saree_cosface.features.prototypes.prototype` has it."""
    rows = cursor.execute(
        filled(
            "WITH piece AS (SELECT craft, saree,"
            " CASE source WHEN '' THEN 'of ' || saree ELSE 'by ' || source END AS maker,"
            " count(*) AS photos, avg(embedding::vector) AS mean FROM {gallery}.reference GROUP BY 1, 2, 3),"
            " maker AS (SELECT craft, sum(photos) AS photos, avg(mean) AS mean FROM piece GROUP BY craft, maker)"
            " SELECT craft, sum(photos)::bigint,"
            " (SELECT count(DISTINCT saree) FROM piece WHERE piece.craft = maker.craft),"
            ' vector_send(avg(mean)) FROM maker GROUP BY craft ORDER BY craft COLLATE "C"',
            name,
        )
    ).fetchall()
    return [(craft, int(photos), int(pieces), _vector(mean, ">f4")) for craft, photos, pieces, mean in rows]


def everything(cursor: Cursor[Any], name: str) -> Gallery:
    """All references, in the order in which they came."""
    rows = cursor.execute(
        filled(
            "SELECT {columns}, halfvec_send(embedding) FROM {gallery}.reference ORDER BY id",
            name,
            columns=names(COLUMNS),
        )
    ).fetchall()
    found = about(cursor, name)
    embeddings = np.zeros((len(rows), found.dimensions), np.float32)
    for number, row in enumerate(rows):
        embeddings[number] = _vector(row[-1], ">f2")
    return Gallery(embeddings, pd.DataFrame([row[:-1] for row in rows], columns=list(COLUMNS), dtype=object))


def known(cursor: Cursor[Any], name: str, sha256: Sequence[str]) -> pd.DataFrame:
    """The references whose photos have these SHA-256."""
    rows = cursor.execute(
        filled(
            "SELECT {columns} FROM {gallery}.reference WHERE sha256 = ANY(%s) ORDER BY id",
            name,
            columns=names(COLUMNS),
        ),
        [list(sha256)],
    ).fetchall()
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def stage(cursor: Cursor[Any], name: str) -> None:
    """Make a table of this transaction for references that come."""
    cursor.execute(
        filled(
            "CREATE TEMPORARY TABLE coming ON COMMIT DROP AS SELECT {columns} FROM {gallery}.reference LIMIT 0",
            name,
            columns=names(_KEPT),
        )
    )


def send(cursor: Cursor[Any], references: Gallery) -> None:
    """Put references into that table."""
    table = references.references
    own = references.piece_of
    # A photo of unknown piece is one by its content: on another machine another photo may have the same path.
    saree = np.where(own == table["path"].to_numpy(str), table["sha256"].to_numpy(str), own)
    columns = [*(table[column].astype(str).tolist() for column in COLUMNS), places_of(table["craft"]), saree.tolist()]
    halves = references.embeddings.astype(">f2")
    head = np.array([halves.shape[1], 0], ">i2").tobytes()  # of pgvector's binary form of a halfvec
    with cursor.copy(sql.SQL("COPY coming ({}) FROM STDIN (FORMAT BINARY)").format(names(_KEPT))) as copy:
        copy.set_types(["text"] * (len(_KEPT) - 1) + ["bytea"])
        for row, half in zip(zip(*columns, strict=True), halves, strict=True):
            copy.write_row((*row, head + half.tobytes()))


def merge(cursor: Cursor[Any], name: str, enrolment: int | None = None) -> tuple[int, int]:
    """Take in what was staged; a photo that is there already (by content) is replaced where anything of it differs.

    Returns:
        how many are new, and how many were replaced.
    """
    new = [sql.SQL("excluded.{}").format(sql.Identifier(column)) for column in _KEPT]
    old = [sql.SQL("kept.{}").format(sql.Identifier(column)) for column in _KEPT]
    row = cursor.execute(
        filled(
            "WITH done AS (INSERT INTO {gallery}.reference AS kept ({columns}, enrolment) "
            "SELECT {columns}, %s::bigint FROM coming ON CONFLICT (sha256) DO UPDATE SET ({columns}) = ROW ({new}), "
            "enrolment = excluded.enrolment, enrolled_by = session_user, enrolled_at = now() "
            "WHERE ({old}) IS DISTINCT FROM ({new}) "
            "RETURNING xmax = 0 AS fresh) "  # a row that was there already was locked by this transaction
            "SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM done",
            name,
            columns=names(_KEPT),
            new=sql.SQL(", ").join(new),
            old=sql.SQL(", ").join(old),
        ),
        [enrolment],
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def remove(cursor: Cursor[Any], name: str, sha256: Sequence[str]) -> None:
    """Remove the references of these photos."""
    cursor.execute(filled("DELETE FROM {gallery}.reference WHERE sha256 = ANY(%s)", name), [list(sha256)])


def _exists(cursor: Cursor[Any], name: str) -> bool:
    row = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{name}.about"]).fetchone()
    return bool(row and row[0])


def filled(text: LiteralString, name: str, **parts: sql.Composable) -> sql.Composed:
    """A statement about a gallery: ``{gallery}`` is its schema, and each other part as it is given."""
    return sql.SQL(text).format(gallery=sql.Identifier(name), **parts)


def names(columns: Iterable[str]) -> sql.Composed:
    """Columns, as a statement lists them."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _vector(data: bytes, kind: str) -> NDArray[np.float32]:
    """A vector of pgvector's binary form: its dimensions and a zero, 16 bits each, then the numbers."""
    return np.frombuffer(data, kind, offset=4).astype(np.float32)
