"""
What a ledger does, and the one that is a file: SQLite, append-only, of one format that older ones are brought to.

Triggers refuse to change or delete any row. Statements name their values, ``:environment``: what a store takes as well.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from emulator.errors import MultistackError
from emulator.events import Emit
from emulator.model import ProcessId
from emulator.process import is_alive
from emulator.state import make_state_folder

LEDGER_FILE = "history.sqlite"
SCHEMA_VERSION = 3
_FREEZE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""
_FORMAT_1 = """
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL,
    release TEXT NOT NULL,
    digest TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    config TEXT NOT NULL,
    promoted_from TEXT,
    at TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started REAL NOT NULL
);
CREATE INDEX deployments_environment ON deployments (environment, id);
CREATE TABLE outcomes (
    deployment INTEGER PRIMARY KEY REFERENCES deployments (id),
    outcome TEXT NOT NULL,
    at TEXT NOT NULL,
    detail TEXT NOT NULL,
    apis TEXT NOT NULL,
    skipped TEXT NOT NULL
);
"""
_FORMAT_3 = """
ALTER TABLE deployments ADD COLUMN kind TEXT NOT NULL DEFAULT 'deploy';
ALTER TABLE deployments ADD COLUMN by TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN template_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE deployments ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
CREATE TABLE gates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    deployment INTEGER NOT NULL REFERENCES deployments (id),
    name TEXT NOT NULL,
    phase TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX gates_deployment ON gates (deployment, id);
CREATE TABLE approvals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL,
    digest TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL,
    expires TEXT NOT NULL
);
CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    environment TEXT NOT NULL,
    is_set INTEGER NOT NULL,
    reason TEXT NOT NULL,
    by TEXT NOT NULL,
    at TEXT NOT NULL
);
"""


# REPLACE deletes a row without asking the triggers for that, unless a connection wants them to be asked.
_KEEP = """
CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""
_KEYS = {"deployments": "id", "outcomes": "deployment", "gates": "id", "approvals": "id", "holds": "id"}


def _frozen(*tables: str) -> str:
    return "".join(_FREEZE.format(table=table, verb=verb) for table in tables for verb in ("UPDATE", "DELETE"))


def _kept() -> str:
    return "".join(_KEEP.format(table=table, key=key) for table, key in _KEYS.items())


# What brings an empty file to the first format, and each format to the next: old ledgers and new ones are made alike.
_MIGRATIONS = {
    1: _FORMAT_1 + _frozen("deployments", "outcomes"),
    2: "ALTER TABLE deployments ADD COLUMN source TEXT;",
    3: _FORMAT_3 + _frozen("gates", "approvals", "holds") + _kept(),
}
_NEW_LEDGER = "move the file away to start a new ledger"
_HINTS = {
    sqlite3.SQLITE_FULL: "free some space, then run the same command again",
    sqlite3.SQLITE_NOTADB: _NEW_LEDGER,
    sqlite3.SQLITE_CORRUPT: _NEW_LEDGER,
}


# For LIMIT: all of them.
NO_LIMIT = 2**31 - 1


class Row(Protocol):
    """A row, by the names of its columns."""

    def __getitem__(self, name: str, /) -> Any: ...


class Rows(Protocol):
    """What may be done to a ledger at once."""

    def select(self, query: str, values: Mapping[str, object] = ..., /) -> Sequence[Row]:
        """The rows that *query* finds."""

    def add(self, table: str, values: Mapping[str, object], /) -> int:
        """Add a row; returns what it is known by."""

    def hold(self, deployment: int, /) -> None:
        """Let others see that *deployment*, which was added just now, runs as long as this process does."""

    def is_running(self, row: Row, /) -> bool:
        """Whether the command of a deployment without an outcome still runs, wherever that is."""


class Ledger(Protocol):
    """
    Deployments with their outcomes and gates, approvals and holds of one project or space.

    Raises:
        MultistackError: By every use: a newer version wrote it, or it can't be read or written.
        StoreAway: By every use: it is on another machine, and can't be reached.
    """

    def connected(self) -> AbstractContextManager[Rows]:
        """Rows whose changes are all made at the end, or none of them."""

    def put_outcome(self, values: Mapping[str, object]) -> bool:
        """Record how a deployment ended, also when that takes several tries; False: another outcome is on record."""

    def alone(self, command: str, *, emit: Emit, patience: float) -> AbstractContextManager[None]:
        """
        Be the one who changes the project, among all machines; the project's lock is held already.

        Args:
            patience: Seconds to wait for somebody else who does; 0 not at all, and ``math.inf`` as long as it takes.

        Raises:
            NotReady: Somebody else still does.
        """

    def check_turn(self) -> None:
        """
        Right before something is changed: make sure that nobody else has begun since :meth:`alone`, if that is held.

        Raises:
            NotReady: Somebody has: this process was cut off for so long that it was taken for gone.
            StoreAway: Nobody can say.
        """


class LedgerFile:
    """
    One file, made when first needed. Safe to use from several threads and processes. See :class:`Ledger`.

    Raises:
        MultistackError: By every use: the file was written by a newer version, is no ledger, or can't be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def connected(self) -> Iterator[_FileRows]:
        """See :meth:`Ledger.connected`."""
        make_state_folder(self._path.parent)
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection:
                connection.row_factory = sqlite3.Row
                self._prepare(connection)
                with connection:
                    yield _FileRows(connection)
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
            hint = _HINTS.get(code, "check the owner, the permissions and the disk of its folder")
            raise MultistackError(f"the ledger {self._path} can't be used: {error}", hint=hint) from error

    def put_outcome(self, values: Mapping[str, object]) -> bool:
        """See :meth:`Ledger.put_outcome`."""
        with self.connected() as rows:
            rows.add("outcomes", values)
        return True

    @contextlib.contextmanager
    def alone(self, command: str, *, emit: Emit, patience: float) -> Iterator[None]:
        """Nothing: nobody else has the file."""
        del command, emit, patience
        yield

    def check_turn(self) -> None:
        """Nothing: the project's lock is this process's as long as it lives."""

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version = _version(connection)
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise MultistackError(
                f"the ledger {self._path} has format {version}, newer than this multistack knows ({SCHEMA_VERSION})",
                hint="use the multistack that wrote it",
            )
        connection.execute("PRAGMA journal_mode = WAL")
        changes = "".join(_MIGRATIONS[number] for number in range(version + 1, SCHEMA_VERSION + 1))
        try:
            connection.executescript(f"BEGIN IMMEDIATE;{changes}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        except sqlite3.OperationalError:
            connection.rollback()
            if _version(connection) != SCHEMA_VERSION:  # else another thread or process made it first
                raise


class _FileRows:
    """See :class:`Rows`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def select(self, query: str, values: Mapping[str, object] = {}) -> Sequence[sqlite3.Row]:
        return self._connection.execute(query, dict(values)).fetchall()

    def add(self, table: str, values: Mapping[str, object]) -> int:
        return int(self._connection.execute(insertion(table, values), dict(values)).lastrowid or 0)

    def hold(self, deployment: int) -> None:
        """Nothing: the row has the number of its process."""

    def is_running(self, row: Row) -> bool:
        return is_alive(ProcessId(pid=row["pid"], started=row["process_started"]))


def insertion(table: str, values: Mapping[str, object]) -> str:
    """The statement that adds a row."""
    marks = ", ".join(f":{name}" for name in values)
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608 (names are the code's own)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
