"""The log of a shared gallery: what was enrolled, by whom, and what was taken back; in one transaction with the photos.

Entries are dictionaries with the fields of :class:`saree_cosface.answers.enrolment_log.Enrolment`.
"""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any, LiteralString

import pandas as pd
from psycopg import sql

from saree_cosface.runs import shared_tables as tables
from saree_cosface.runs.gallery import COLUMNS, Gallery
from saree_cosface.runs.postgres import Database, Refused, read_address
from saree_cosface.runs.shared_gallery import SharedGallery

Entry = dict[str, Any]

_FIELDS = ("number", "craft", "photos", "sha256", "source", "note", "enrolled_at", "undone_at", "enrolled_by")


def enrol(gallery: SharedGallery, added: Gallery, craft: str, source: str, note: str) -> tuple[Entry, int]:
    """Add references and their entry, both or neither.

    Returns:
        the entry, and how many references of the craft there are now.

    Raises:
        GalleryError: one of the photos is a reference by now; or the server cannot be asked, or this account not write.
    """
    table, name = added.references, gallery.database.address.name
    with gallery.changing() as cursor:
        known = tables.known(cursor, name, table["sha256"].tolist())
        if len(known):
            first = known.iloc[0]
            raise Refused(
                f"{len(known)} of the {len(table)} photos have become references meanwhile; the first, "
                f"{first['path']}, of {first['craft']}. Nothing was enrolled: leave them out."
            )
        # Who else enrols waits for this transaction, so that numbers follow each other.
        row = cursor.execute(
            _filled(
                "INSERT INTO {gallery}.enrolment (number, craft, photos, sha256, source, note) "
                "SELECT coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s FROM {gallery}.enrolment RETURNING {fields}",
                name,
            ),
            [craft, table["path"].tolist(), table["sha256"].tolist(), source, note],
        ).fetchone()
        assert row is not None
        tables.stage(cursor, name)
        tables.send(cursor, added)
        tables.merge(cursor, name, row[0])
        count = cursor.execute(_filled("SELECT count(*) FROM {gallery}.reference WHERE craft = %s", name), [craft])
        return _entry(row), int((count.fetchone() or [0])[0])


def undo(url: str, number: int = 0) -> tuple[Entry, pd.DataFrame]:
    """Take an enrolment back: its photos leave, and the log says when, and who did so.

    Args:
        url: of the gallery.
        number: of the enrolment; 0 for the last of this account that stands.

    Returns:
        the entry, and the references that left.

    Raises:
        GalleryError: there is no such enrolment, or it was taken back before; or the server cannot be asked, or this
            account not write.
    """
    address = read_address(url)
    name = address.name
    with closing(Database(address)) as database, database.transaction(writing=True) as cursor:
        tables.about(cursor, name, changing=True)
        standing = cursor.execute(
            _filled(
                "SELECT number, enrolled_by = session_user FROM {gallery}.enrolment WHERE undone_at IS NULL "
                "ORDER BY number",
                name,
            )
        ).fetchall()
        own = [one for one, mine in standing if mine]
        number = number or (own[-1] if own else 0)
        if number not in [one for one, _ in standing]:
            known = ", ".join(str(one) for one, _ in standing) or "none stands"
            what = f"no enrolment {number}" if number else "no enrolment by this account"
            raise Refused(f"there is {what} to take back ({known}).")
        row = cursor.execute(
            _filled(
                "UPDATE {gallery}.enrolment SET undone_at = now(), undone_by = session_user WHERE number = %s "
                "RETURNING {fields}",
                name,
            ),
            [number],
        ).fetchone()
        assert row is not None
        gone = cursor.execute(
            _filled("DELETE FROM {gallery}.reference WHERE enrolment = %s RETURNING {columns}", name), [number]
        ).fetchall()
        return _entry(row), pd.DataFrame(gone, columns=list(COLUMNS), dtype=object)


def entries(url: str) -> list[Entry]:
    """All enrolments into a gallery, those taken back too, in their order.

    Raises:
        GalleryError: the server cannot be asked, or has no such gallery.
    """
    address = read_address(url)
    with closing(Database(address)) as database, database.transaction() as cursor:
        statement = _filled("SELECT {fields} FROM {gallery}.enrolment ORDER BY number", address.name)
        return [_entry(row) for row in cursor.execute(statement).fetchall()]


def _entry(row: tuple[Any, ...]) -> Entry:
    number, craft, photos, sha256, source, note, when, undone, by = row
    return {
        **{"number": number, "craft": craft, "photos": tuple(photos), "sha256": tuple(sha256), "source": source},
        **{"note": note, "when": _moment(when), "undone": _moment(undone), "by": by},
    }


def _moment(when: datetime | None) -> str:
    return "" if when is None else when.astimezone(UTC).isoformat(timespec="seconds")


def _filled(text: LiteralString, name: str) -> sql.Composed:
    return tables.filled(text, name, fields=tables.names(_FIELDS), columns=tables.names(COLUMNS))
