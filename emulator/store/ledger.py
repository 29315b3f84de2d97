"""The ledger of one project or space in a store: the same statements as for a file. Others may write to it as well."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, text

from emulator.errors import NotReady, StoreAway
from emulator.events import Emit, Event
from emulator.ledger import Row, insertion
from emulator.store.session import CHANGING, DEPLOYMENT, Lock, Session
from emulator.store.store import Scope, Store, plain
from emulator.store.tables import KEYS

_AGAIN = 0.5


class SharedLedger:
    """
    See :class:`emulator.ledger.Ledger`.

    Args:
        session: What this process holds in *store*.
    """

    def __init__(self, store: Store, scope: Scope, session: Session) -> None:
        self._store = store
        self._scope = scope
        self._session = session

    @contextlib.contextmanager
    def connected(self) -> Iterator[SharedRows]:
        """See :meth:`emulator.ledger.Ledger.connected`."""
        with self._store.transaction(self._scope) as connection:
            yield SharedRows(connection, self._session, grace=self._store.settings.timeout)

    def put_outcome(self, values: Mapping[str, object]) -> bool:
        """See :meth:`emulator.ledger.Ledger.put_outcome`; a store that goes away meanwhile is waited for."""
        number = int(str(values["deployment"]))
        until = time.monotonic() + self._store.settings.timeout
        try:
            while True:
                try:
                    with self.connected() as rows:
                        return rows.put_outcome(values)
                except StoreAway:
                    if time.monotonic() >= until:
                        raise
                time.sleep(_AGAIN)
        finally:
            self._session.let_go(Lock(DEPLOYMENT, number))

    @contextlib.contextmanager
    def alone(self, command: str, *, emit: Emit, wait: bool) -> Iterator[None]:
        """See :meth:`emulator.ledger.Ledger.alone`."""
        lock = Lock(CHANGING, self._store.scope_number(self._scope))
        is_waiting, name = False, f"multistack {command} by {_who()}"
        while not self._session.hold(lock, name=name):
            other = self._holder(lock)
            if other is None and self._session.hold(lock, name=name):
                break  # it ended just now
            other = other or "multistack"
            if not wait:
                raise NotReady(
                    f"another command changes this project: {other}", hint="leave --no-wait out to wait for it"
                )
            if not is_waiting:
                emit(Event(None, "waiting", f"for another command: {other}"))
                is_waiting = True
            time.sleep(_AGAIN)
        try:
            yield
        finally:
            self._session.let_go(lock)

    def _holder(self, lock: Lock) -> str | None:
        with self._store.transaction() as connection:
            found = connection.execute(text(_HOLDER), {"kind": lock.kind, "number": lock.number}).scalar()
        return None if found is None else str(found)


class SharedRows:
    """See :class:`emulator.ledger.Rows`."""

    def __init__(self, connection: Connection, session: Session, *, grace: float) -> None:
        self._connection = connection
        self._session = session
        self._grace = grace

    def select(self, query: str, values: Mapping[str, object] = {}) -> Sequence[RowMapping]:
        return self._connection.execute(text(query), dict(values)).mappings().all()

    def add(self, table: str, values: Mapping[str, object]) -> int:
        statement = text(f"{insertion(table, values)} RETURNING {KEYS[table]}")
        return int(self._connection.execute(statement, {name: plain(one) for name, one in values.items()}).scalar_one())

    def put_outcome(self, values: Mapping[str, object]) -> bool:
        """Add an outcome, unless there is one; True also for the same one: the answer to an earlier try was lost."""
        query = "SELECT outcome, at FROM outcomes WHERE deployment = :deployment"
        if there := self.select(query, {"deployment": values["deployment"]}):
            return all(there[0][name] == values[name] for name in ("outcome", "at"))
        self.add("outcomes", values)
        return True

    def hold(self, deployment: int) -> None:
        """Before others see the row: they find the lock with it."""
        self._session.hold(Lock(DEPLOYMENT, deployment))

    def is_running(self, row: Row) -> bool:
        """
        Whether the session that began it holds its lock.

        After a restart of the server nobody does, for a moment: until commands had the time to come back.
        """
        values = {"kind": DEPLOYMENT, "number": row["id"], "grace": self._grace}
        if self._connection.execute(text(_HOLDER), values).first() is not None:
            return True
        return bool(self._connection.execute(text(_IS_RECENT), values).scalar_one())


# Source: PostgreSQL, "pg_locks": the two numbers of such a lock are classid and objid, and objsubid is 2.
_HOLDER = """
SELECT (SELECT a.application_name FROM pg_stat_activity a WHERE a.pid = l.pid)
FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.classid = CAST(CAST(:kind AS bigint) AS oid) AND l.objid = CAST(CAST(:number AS bigint) AS oid)
"""
_IS_RECENT = """
SELECT extract(epoch FROM now() - pg_postmaster_start_time()) < :grace
    AND (SELECT recorded < pg_postmaster_start_time() FROM all_deployments WHERE id = :number)
"""


def _who() -> str:
    """Who runs this, for others who wait."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # in a container
        return f"uid {os.getuid()}@{socket.gethostname()}"
