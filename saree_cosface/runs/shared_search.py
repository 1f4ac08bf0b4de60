"""The search of a shared gallery: exact, or by pgvector's HNSW index (https://github.com/pgvector/pgvector)."""

from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import Cursor, sql

from saree_cosface.runs.any_gallery import Only
from saree_cosface.runs.gallery import COLUMNS
from saree_cosface.runs.shared_tables import INDEX, filled, names

LARGEST_INDEX = 4000
"""Dimensions that pgvector's HNSW index of half-precision vectors takes."""

_EF_SEARCH = 100  # candidates that HNSW keeps while it searches: pgvector's 40 find a few of ten less
_MOST_EF_SEARCH = 1000  # which pgvector allows


def nearest(
    cursor: Cursor[Any], name: str, embedding: NDArray[np.float32], count: int, only: Only, *, exact: bool
) -> list[tuple[Any, ...]]:
    """Rows of ``COLUMNS``, saree and cosine: the nearest photos, nearest first.

    The order among all is by half precision, as they are kept; the cosines are of the embedding as it is given.
    """
    effort = min(max(_EF_SEARCH, count), _MOST_EF_SEARCH)
    cursor.execute(
        "SELECT set_config('enable_indexscan', %s, true), set_config('hnsw.iterative_scan', 'strict_order', true), "
        "set_config('hnsw.ef_search', %s, true)",
        ["off" if exact else "on", str(effort)],
    )
    clauses: list[LiteralString] = ["true"]
    if only.craft:
        clauses.append("craft = %(craft)s")
    if only.source:
        clauses.append("source = %(source)s")
    if only.place:
        clauses.append("position(lower(%(place)s) IN lower(place)) > 0")
    statement = filled(
        "SELECT {columns}, saree, -(embedding::vector <#> %(query)s::vector) AS cosine FROM ("
        "SELECT * FROM {gallery}.reference WHERE {clauses} ORDER BY embedding <#> %(halves)s::halfvec LIMIT %(count)s"
        ") AS near ORDER BY cosine DESC, id",
        name,
        columns=names(COLUMNS),
        clauses=sql.SQL(" AND ").join(map(sql.SQL, clauses)),
    )
    text = "[" + ",".join(map(str, embedding.tolist())) + "]"
    # Twice, since one parameter of two types would be rounded to the half precision of the other.
    values = {
        "query": text,
        "halves": text,
        "count": count,
        "craft": only.craft,
        "source": only.source,
        "place": only.place,
    }
    # Not prepared: a plan for any query would not know that the index serves this one.
    return cursor.execute(statement, values, prepare=False).fetchall()


def index(cursor: Cursor[Any], name: str) -> None:
    """Build the HNSW index, where there is none.

    By inner products, which of unit vectors are cosines: so it orders as the exact search does.
    """
    cursor.execute(
        filled(
            "CREATE INDEX IF NOT EXISTS {index} ON {gallery}.reference USING hnsw (embedding halfvec_ip_ops)",
            name,
            index=sql.Identifier(INDEX),
        )
    )
    cursor.execute(filled("ANALYZE {gallery}.reference", name))


def drop_index(cursor: Cursor[Any], name: str) -> None:
    """Remove the HNSW index: every search is exact again."""
    cursor.execute(filled("DROP INDEX IF EXISTS {gallery}.{index}", name, index=sql.Identifier(INDEX)))
