"""
Keeps exchanges of several proxies in their store, in a thread of its own: no request, and no file, waits for it.

While the store is away what fits waits; the rest is dropped and counted.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy import text

from emulator.errors import MultistackError, StoreAway
from emulator.inspector import rows
from emulator.model import Exchange, InspectorSettings
from emulator.store.store import Store, plain

# What may wait for the store.
_MOST = 2_000
_MOST_BYTES = 16 * 1024 * 1024
# Written at once.
_BATCH = 200
_BATCH_BYTES = 1024 * 1024
# Seconds until a store that is away is tried again, between two looks at what is too old, to end in good order.
_RETRY = 2.0
_TIDY = 30.0
_GRACE = 2.0
# Of transactions that remove old requests.
_TIDYING = 0x74696479

_log = logging.getLogger(__name__)


class SharedRing:
    """
    The sink whose exchanges all machines see.

    Args:
        project: Whose they are in the store.
        proxy: Which of the proxies this is.
        settings: Asked at every turn, so that a change counts at once.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        project: str,
        proxy: str,
        settings: Callable[[], InspectorSettings],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._whose = {"project": project, "proxy": proxy}
        self._settings = settings
        self._now = now
        self._waiting: deque[rows.Row] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._has_work = threading.Event()
        self._is_over = threading.Event()
        self._tidied = 0.0
        self.dropped = 0
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="shared ring", daemon=True)
        self._thread.start()

    @property
    def body_limit(self) -> int | None:
        """See :class:`emulator.inspector.feed.Sink`."""
        settings = self._settings()
        return settings.max_body if settings.enabled else None

    def accept(self, exchange: Exchange) -> None:
        """Keep *exchange* as soon as the store takes it, or drop it when too much waits."""
        row = rows.row_of(rows.cut(exchange, self._settings().max_body))
        with self._lock:
            if len(self._waiting) >= _MOST or self._bytes + row.size > _MOST_BYTES:
                self.dropped += 1
            else:
                self._waiting.append(row)
                self._bytes += row.size

    def flush(self) -> None:
        """Let the thread write what waits; returns at once."""
        self._has_work.set()

    def lost(self, count: int) -> None:
        """The feed counts them."""

    def close(self) -> None:
        """Write what waits, if that is possible in a moment, and end."""
        self._is_over.set()
        self._has_work.set()
        self._thread.join(_GRACE)

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._has_work.wait(_TIDY)
            self._has_work.clear()
            while self._write_some():
                pass
        self._write_some()

    def _write_some(self) -> bool:
        """Whether more may be written at once."""
        with self._lock:
            batch = self._next_batch()
        try:
            self._write(batch)
        except StoreAway as error:
            self._tell(error.message)
            self._is_over.wait(_RETRY)
            return not self._is_over.is_set()
        except MultistackError as error:  # it would be refused again
            self._tell(error.message)
            self._forget(batch, are_kept=False)
        else:
            self.problem = None
            self._forget(batch)
        return bool(self._waiting)

    def _next_batch(self) -> Sequence[rows.Row]:
        batch: list[rows.Row] = []
        size = 0
        for row in self._waiting:
            if len(batch) >= _BATCH or (batch and size + row.size > _BATCH_BYTES):
                break
            batch.append(row)
            size += row.size
        return batch

    def _forget(self, batch: Sequence[rows.Row], *, are_kept: bool = True) -> None:
        with self._lock:
            self.dropped += 0 if are_kept else len(batch)
            for row in batch:
                self._waiting.popleft()
                self._bytes -= row.size

    def _tell(self, said: str) -> None:
        if self.problem is None:
            _log.warning("requests are not kept in the store: %s", said)
        # Anybody may read it, the store's address is not for everybody: that is in the log.
        self.problem = "requests are not kept in the store: the proxy's log says why"

    def _write(self, batch: Sequence[rows.Row]) -> None:
        is_due = self._now() - self._tidied >= _TIDY
        if not batch and not is_due:
            return
        if batch:
            with self._store.transaction() as connection:
                connection.execute(text(_INSERT), [{**self._whose, **_values(row)} for row in batch])
        if is_due:
            self._tidied = self._now()
            with contextlib.suppress(MultistackError):  # another time; what was written must not be written again
                self._tidy()

    def _tidy(self) -> None:
        """One proxy at a time: two that delete the same rows could wait for each other."""
        settings = self._settings()
        oldest = self._now() - settings.max_age.total_seconds()
        bounds = {"project": self._whose["project"], "oldest": oldest, "most": settings.max_requests}
        with self._store.transaction() as connection:
            if connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _TIDYING}).scalar_one():
                connection.execute(text(_DELETE_OLD), bounds)
                connection.execute(text(_DELETE_SURPLUS), bounds)


def _values(row: rows.Row) -> dict[str, object]:
    named = zip((*rows.EXCHANGE, *rows.CONTENTS), (*row.exchange, *row.contents), strict=True)
    return {name: int(value) if isinstance(value, bool) else plain(value) for name, value in named}


_COLUMNS = ("project", "proxy", *rows.EXCHANGE, *rows.CONTENTS)
_INSERT = f"INSERT INTO requests ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"  # noqa: S608
_DELETE_OLD = "DELETE FROM requests WHERE project = :project AND at < :oldest"
_DELETE_SURPLUS = """
DELETE FROM requests WHERE project = :project AND id <= (
    SELECT id FROM requests WHERE project = :project ORDER BY id DESC OFFSET :most LIMIT 1
)
"""
