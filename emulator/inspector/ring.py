"""Keeps the last exchanges in a file that never grows beyond its bounds; what fails here stops no request."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from emulator.inspector import rows
from emulator.model import Exchange, InspectorSettings

# Bytes of exchanges that are written at once, and that the file may exceed what is in it by while they are.
_BATCH = 1024 * 1024
# Bytes that wait for somebody who holds the file, e.g. reads all of it.
_MOST_WAITING = 8 * _BATCH
# Seconds until writing is tried again after it failed.
_RETRY = 10.0
# The part of what there is that goes when room is needed, so that it isn't needed all the time.
_PORTION = 50

_log = logging.getLogger(__name__)


class Ring:
    """
    The sink that the inspector reads from.

    Args:
        settings: Asked at every turn, so that a change counts at once.
        now: Seconds since the epoch.
    """

    def __init__(
        self, path: Path, settings: Callable[[], InspectorSettings], *, now: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._settings = settings
        self._now = now
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._batch: list[rows.Row] = []
        self._batch_bytes = 0
        self._wanted = 0
        self._paused_until = 0.0
        self._problem: str | None = None
        self.dropped = 0

    @property
    def body_limit(self) -> int | None:
        """See :class:`emulator.inspector.feed.Sink`."""
        settings = self._settings()
        return settings.max_body if settings.enabled else None

    @property
    def problem(self) -> str | None:
        """Why nothing is kept at present; None while all is well."""
        return self._problem

    def accept(self, exchange: Exchange) -> None:
        """Keep *exchange* with the next batch."""
        settings = self._settings()
        row = rows.row_of(rows.cut(exchange, settings.max_body))
        self._batch.append(row)
        self._batch_bytes += row.size
        if self._batch_bytes >= max(self._portion(), self._wanted):
            self.flush()

    def flush(self) -> None:
        """
        Write the batch, or drop it while writing fails; let go of what is too old.

        While somebody else holds the file the batch stays for the next time, as long as little waits.
        """
        if self._now() < self._paused_until:
            self._drop()
            return
        try:
            self._write_batch()
            self._problem = None
        except (sqlite3.Error, OSError) as error:
            if _is_held(error) and self._batch_bytes < _MOST_WAITING:
                self._wanted = self._batch_bytes + self._portion()  # not with each exchange: every try takes its time
                return
            self._drop()
            self._pause(error)

    def _drop(self) -> None:
        self.dropped += len(self._batch)
        self._batch, self._batch_bytes = [], 0

    def _portion(self) -> int:
        """Bytes that are written at once."""
        return min(_BATCH, self._settings().max_bytes // 8)

    def _write_batch(self) -> None:
        """In portions, since room is left for one: after a wait there may be more."""
        while True:
            count = size = 0
            while count < len(self._batch) and size < self._portion():
                size += self._batch[count].size
                count += 1
            self._write(self._batch[:count], size)
            del self._batch[:count]
            self._batch_bytes -= size
            if not self._batch:
                self._wanted = 0
                return

    def lost(self, count: int) -> None:
        """The feed counts them; the ring never holds everything."""

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _write(self, batch: list[rows.Row], size: int) -> None:
        if not batch and not self._path.exists():
            return
        settings, connection = self._settings(), self._open()
        batch = batch[-settings.max_requests :]
        self._make_room(connection, settings, size, len(batch))
        if not batch:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            rows.insert(connection, batch)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _make_room(self, connection: sqlite3.Connection, settings: InspectorSettings, size: int, count: int) -> None:
        _delete(connection, "at < ?", self._now() - settings.max_age.total_seconds())
        there = connection.execute("SELECT count(*) FROM exchanges").fetchone()[0]
        surplus = there + count - settings.max_requests
        if surplus > 0:
            _delete_oldest(connection, surplus)
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        # A transaction's journal lies beside the file, and counts.
        allowed = settings.max_bytes - 2 * min(_BATCH, settings.max_bytes // 8)
        while there > 0 and _used(connection) * page + size > allowed:
            portion = there // _PORTION + 1
            _delete_oldest(connection, portion)
            there -= portion
        if _pages(connection) * page > allowed:
            rows.shrink(connection)

    def _open(self) -> sqlite3.Connection:
        """The file; made anew when somebody removed it, or when it can't be read."""
        if self._connection is not None and self._is_there():
            return self._connection
        self.close()
        try:
            self._connection = rows.open_file(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            _log.warning("%s is begun anew: %s", self._path, error)
            self._path.unlink(missing_ok=True)
            self._connection = rows.open_file(self._path)
        self._inode = self._path.stat().st_ino
        return self._connection

    def _is_there(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _pause(self, error: Exception) -> None:
        self.close()
        self._paused_until = self._now() + _RETRY
        said = f"requests are not recorded: {self._path}: {error}"
        if said != self._problem:
            _log.warning("%s", said)
        self._problem = said
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            self._path.unlink(missing_ok=True)  # damaged while it was open


def _is_held(error: Exception) -> bool:
    codes = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in codes


def _delete_oldest(connection: sqlite3.Connection, count: int) -> None:
    _delete(connection, "id IN (SELECT id FROM exchanges ORDER BY id LIMIT ?)", count)


def _delete(connection: sqlite3.Connection, condition: str, value: float) -> None:
    # The conditions are this module's own.
    if not connection.execute(f"SELECT 1 FROM exchanges WHERE {condition} LIMIT 1", (value,)).fetchone():  # noqa: S608
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"DELETE FROM contents WHERE id IN (SELECT id FROM exchanges WHERE {condition})", (value,))  # noqa: S608
        connection.execute(f"DELETE FROM exchanges WHERE {condition}", (value,))  # noqa: S608
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA page_count").fetchone()[0])


def _used(connection: sqlite3.Connection) -> int:
    return _pages(connection) - int(connection.execute("PRAGMA freelist_count").fetchone()[0])
