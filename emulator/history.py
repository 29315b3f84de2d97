"""
The ledger: every deployment, append-only, in SQLite.

A deployment is one row when it begins and a second row, its outcome, when it ends. Triggers refuse to change or delete
either. A row without an outcome whose process is gone was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from emulator.errors import MultistackError
from emulator.model import Api, Deployment, Outcome, ProcessId, Release
from emulator.process import is_alive, start_time
from emulator.state import make_state_folder

SCHEMA_VERSION = 2
_SCHEMA = """
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
    process_started REAL NOT NULL,
    source TEXT
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
# What brings a ledger from the format before to each format. Columns are added at the end, so both ways make the same.
_MIGRATIONS = {2: "ALTER TABLE deployments ADD COLUMN source TEXT;"}
_FREEZE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""


_NEW_LEDGER = "move the file away to start a new ledger"
_HINTS = {
    sqlite3.SQLITE_FULL: "free some space, then run the same command again",
    sqlite3.SQLITE_NOTADB: _NEW_LEDGER,
    sqlite3.SQLITE_CORRUPT: _NEW_LEDGER,
}


class History:
    """
    The ledger in one file, made when first needed. Safe to use from several threads and processes.

    Raises:
        MultistackError: The file was written by a newer version, or is no ledger.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(
        self, environment: str, release: Release, *, promoted_from: str | None = None, source: str | None = None
    ) -> int:
        """
        Record that a deployment starts; returns its id.

        Args:
            source: Where the release comes from when not from the artifact store, e.g. ``snapshot before``.
        """
        pid = os.getpid()
        with self._connected() as connection:
            cursor = connection.execute(
                "INSERT INTO deployments (environment, release, digest, config_hash, config, promoted_from, at, pid,"
                " process_started, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    environment,
                    release.id,
                    release.digest,
                    release.config_hash,
                    json.dumps(dict(release.config), sort_keys=True),
                    promoted_from,
                    _now(),
                    pid,
                    start_time(pid),
                    source,
                ),
            )
            return int(cursor.lastrowid or 0)

    def end(
        self,
        deployment: int,
        outcome: Outcome,
        *,
        detail: str = "",
        apis: Sequence[Api] = (),
        skipped: Sequence[str] = (),
    ) -> None:
        """Record how a deployment ended."""
        apis_json = json.dumps([asdict(api) for api in apis])
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO outcomes (deployment, outcome, at, detail, apis, skipped) VALUES (?, ?, ?, ?, ?, ?)",
                (deployment, outcome.value, _now(), detail, apis_json, json.dumps(list(skipped))),
            )

    def close_interrupted(self) -> list[Deployment]:
        """Give every deployment whose process is gone the outcome ``interrupted``; returns those."""
        with self._connected() as connection:
            rows = connection.execute(_SELECT + " WHERE o.outcome IS NULL ORDER BY d.id").fetchall()
        lost = [row for row in rows if not is_alive(ProcessId(pid=row["pid"], started=row["process_started"]))]
        for row in lost:
            self.end(row["id"], Outcome.INTERRUPTED, detail="the command was killed")
        return [_deployment(row) for row in lost]

    def current(self, environment: str) -> Deployment | None:
        """The last deployment into *environment* that succeeded."""
        with self._connected() as connection:
            row = connection.execute(
                _SELECT + " WHERE d.environment = ? AND o.outcome = 'succeeded' ORDER BY d.id DESC LIMIT 1",
                (environment,),
            ).fetchone()
        return _deployment(row) if row else None

    def last(self, environment: str) -> Deployment | None:
        """The last deployment into *environment*, however it ended."""
        with self._connected() as connection:
            row = connection.execute(
                _SELECT + " WHERE d.environment = ? ORDER BY d.id DESC LIMIT 1", (environment,)
            ).fetchone()
        return _deployment(row) if row else None

    def deployments(self, environment: str) -> list[Deployment]:
        """All deployments into *environment*, oldest first."""
        with self._connected() as connection:
            rows = connection.execute(_SELECT + " WHERE d.environment = ? ORDER BY d.id", (environment,)).fetchall()
        return [_deployment(row) for row in rows]

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        make_state_folder(self._path.parent)
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection:
                connection.row_factory = sqlite3.Row
                self._prepare(connection)
                with connection:
                    yield connection
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
            hint = _HINTS.get(code, "check the owner, the permissions and the disk of its folder")
            raise MultistackError(f"the ledger {self._path} can't be used: {error}", hint=hint) from error

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
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;{_changes_from(version)}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
            )
        except sqlite3.OperationalError:
            connection.rollback()
            if _version(connection) != SCHEMA_VERSION:  # else another thread or process made it first
                raise


def _changes_from(version: int) -> str:
    """The statements that make a ledger of today's format out of an empty file, or of one of an older format."""
    if version:
        return "".join(_MIGRATIONS[number] for number in range(version + 1, SCHEMA_VERSION + 1))
    return _SCHEMA + "".join(
        _FREEZE.format(table=table, verb=verb) for table in ("deployments", "outcomes") for verb in ("UPDATE", "DELETE")
    )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


_SELECT = """
SELECT d.*, o.outcome, o.apis, o.skipped FROM deployments d LEFT JOIN outcomes o ON o.deployment = d.id
"""


def _deployment(row: sqlite3.Row) -> Deployment:
    return Deployment(
        id=row["id"],
        environment=row["environment"],
        release=Release(
            id=row["release"],
            digest=row["digest"],
            config_hash=row["config_hash"],
            config=json.loads(row["config"]),
        ),
        at=datetime.fromisoformat(row["at"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        promoted_from=row["promoted_from"],
        source=row["source"],
        apis=tuple(Api(**api) for api in json.loads(row["apis"] or "[]")),
        skipped=tuple(json.loads(row["skipped"] or "[]")),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
