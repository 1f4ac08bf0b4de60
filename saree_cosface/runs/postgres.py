"""A PostgreSQL database by its address: connections, transactions, and errors that name it and never a password.

psycopg (https://www.psycopg.org/psycopg3/docs/) is not among the dependencies of the package: `pip install
saree-cosface[postgres]`.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from saree_cosface.runs.gallery import GalleryError

DEFAULT_NAME = "saree_gallery"
EXAMPLE = "postgresql://USER@HOST/DATABASE"
WAIT_FOR_WRITERS = "60s"


class Refused(Exception):
    """What is asked cannot be done in this database; the message says why and what to do, and not where."""


# An unplugged server would else be waited for as long as the system thinks right, which is many minutes.
_PATIENCE = {
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}


@dataclass(frozen=True)
class Address:
    """Where a gallery lies.

    Attributes:
        conninfo: what libpq connects by; it may hold a password, so it is never shown.
        name: of the gallery, the schema that holds its tables.
        shown: the address for people, without password.
    """

    conninfo: str = field(repr=False)
    name: str
    shown: str
    secrets: tuple[str, ...] = field(default=(), repr=False)


def read_address(url: str) -> Address:
    """The parts of ``postgresql://USER@HOST:PORT/DATABASE#NAME``; a part that is missing is libpq's default.

    ``NAME`` tells several galleries of one database apart. Nothing of an address that is wrong is repeated in the
    error, since it may hold a password.

    Raises:
        GalleryError: it is none.

    >>> read_address("postgresql://asha:loom@museum.example/sarees#patolas").shown
    'postgresql://asha@museum.example/sarees#patolas'
    """
    head, _, name = url.partition("#")
    authority = re.sub(r"[/?].*", "", head.partition("://")[2], flags=re.DOTALL)
    try:
        if not head.startswith(("postgresql://", "postgres://")) or authority.count("@") > 1:
            raise GalleryError("no address")
        given: dict[str, Any] = dict(conninfo_to_dict(head))
    except (psycopg.Error, GalleryError):  # whose words may repeat the password
        raise GalleryError(
            f"--gallery is no address of a PostgreSQL database: give {EXAMPLE}, with @, : and / in names as %40, %3A "
            "and %2F, and the password in PGPASSWORD or ~/.pgpass."
        ) from None
    name = name or DEFAULT_NAME
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise GalleryError(
            f"the name of a gallery, after the # in {EXAMPLE}#NAME, is of lower-case letters, digits and underscores; "
            "a # in a password is written %23."
        )
    for option, value in _PATIENCE.items():
        if option not in given and not (option == "connect_timeout" and "PGCONNECT_TIMEOUT" in os.environ):
            given[option] = value
    given.setdefault("application_name", "saree-cosface")
    user, host = given.get("user") or os.environ.get("PGUSER"), given.get("host") or os.environ.get("PGHOST")
    port, database = given.get("port"), given.get("dbname") or os.environ.get("PGDATABASE") or user or ""
    shown = f"postgresql://{f'{user}@' if user else ''}{host or 'localhost'}{f':{port}' if port else ''}/{database}"
    secrets = (given.get("password"), given.get("sslpassword"), os.environ.get("PGPASSWORD"))
    given["client_encoding"] = "utf8"
    return Address(make_conninfo(**given), name, f"{shown}#{name}", tuple(str(secret) for secret in secrets if secret))


class Database:
    """A database that several threads ask. Connections are made when they are needed, kept, and made anew where the
    server was away meanwhile."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._idle: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Database({self.address.shown!r})"

    @contextmanager
    def transaction(self, *, writing: bool = False) -> Iterator[psycopg.Cursor[Any]]:
        """A transaction: it is committed if nothing is raised in it, and else has changed nothing.

        Args:
            writing: it may change something. Else it sees the database as it was at its first question.

        Raises:
            GalleryError: the server cannot be reached, has gone away, or refuses; the message says what to do.
        """
        connection = self._connection()
        try:
            connection.read_only = not writing
            connection.isolation_level = (
                psycopg.IsolationLevel.READ_COMMITTED if writing else psycopg.IsolationLevel.REPEATABLE_READ
            )
            with connection.transaction(), connection.cursor(binary=True) as cursor:
                if writing:
                    cursor.execute("SELECT set_config('lock_timeout', %s, true)", [WAIT_FOR_WRITERS])
                yield cursor
        except psycopg.Error as error:
            gone = connection.closed
            connection.close()
            raise GalleryError(self._refusal(error, gone, writing)) from error
        except Refused as error:
            connection.close()
            raise GalleryError(f"{self.address.shown}: {error}") from error
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _connection(self) -> psycopg.Connection[Any]:
        while True:
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            if kept is None:
                return self._connected()
            try:
                kept.execute("SELECT 1")
                return kept
            except psycopg.Error:  # the server went away since
                kept.close()

    def _connected(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(self.address.conninfo, autocommit=True)
        except psycopg.Error as error:
            said = self._reason(error)
            if re.search("password|authentication|pg_hba", said):
                remedy = "give the account's password in PGPASSWORD or ~/.pgpass"
            elif "does not exist" in said:
                remedy = "name another database or account, or have it made"
            else:
                remedy = "see that the server is running there and can be reached, and try again"
            raise GalleryError(f"{self.address.shown}: cannot connect ({said}); {remedy}.") from None

    def _refusal(self, error: psycopg.Error, gone: bool, writing: bool) -> str:
        """What is said of an error in a transaction."""
        said, shown, name = self._reason(error), self.address.shown, self.address.name
        if gone or isinstance(error, errors.AdminShutdown | errors.CrashShutdown | errors.CannotConnectNow):
            remedy = "try again once it is back"
            if writing:
                remedy += "; the change is there as a whole or not at all: `saree-cosface enrolments` tells which"
            return f"{shown}: the server went away ({said}); {remedy}."
        if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
            return f"{shown}: this account may not do that ({said}); ask the owner of the gallery for the right."
        if isinstance(error, errors.UndefinedTable | errors.InvalidSchemaName):
            return (
                f"{shown}: this database has no gallery {name}; make it with `saree-cosface gallery copy RUN --to "
                "ADDRESS`, or name another after a # in the address."
            )
        if isinstance(error, errors.LockNotAvailable):
            return f"{shown}: somebody else has been writing to it for {WAIT_FOR_WRITERS}; try again later."
        return f"{shown}: the database refuses ({said})."

    def _reason(self, error: psycopg.Error) -> str:
        """The words of an error that matter, in one line, without what is secret."""
        said = error.diag.message_primary
        if not said:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            told = [line for line in lines if "failed: " in line]
            said = told[-1].rpartition("failed: ")[2] if told else lines[0]
        for secret in self.address.secrets:
            said = said.replace(secret, "***")
        return said.removeprefix("FATAL:").strip().rstrip(".")
