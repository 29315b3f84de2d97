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
from emulator.model import Outcome
from emulator.store.session import CHANGING, DEPLOYMENT, Lock, Session
from emulator.store.store import Scope, Store, plain
from emulator.store.tables import KEYS

_AGAIN = 0.5
_SERVING = frozenset({Outcome.SUCCEEDED.value, Outcome.CANARY.value})


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
        # The number of this process's turn, while it is the one who changes the project.
        self._turn: int | None = None

    @contextlib.contextmanager
    def connected(self) -> Iterator[SharedRows]:
        """See :meth:`emulator.ledger.Ledger.connected`."""
        with self._store.transaction(self._scope) as connection:
            yield SharedRows(connection, self._session, grace=self._store.settings.timeout, turn=self._turn)

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
                    if time.monotonic() >= until or self._store.gave_up:
                        raise
                time.sleep(_AGAIN)
        finally:
            self._session.let_go(Lock(DEPLOYMENT, number))

    @contextlib.contextmanager
    def alone(self, command: str, *, emit: Emit, patience: float) -> Iterator[None]:
        """See :meth:`emulator.ledger.Ledger.alone`."""
        lock = Lock(CHANGING, self._store.scope_number(self._scope))
        try:
            self._turn = self._wait_for(lock, f"multistack {command} by {_who()}", emit=emit, patience=patience)
            yield
        finally:
            number, self._turn = self._turn, None
            self._session.end_turn(lock, number or 0)

    def check_turn(self) -> None:
        """See :meth:`emulator.ledger.Ledger.check_turn`; a store that goes away meanwhile is waited for."""
        if self._turn is None:
            return
        lock = Lock(CHANGING, self._store.scope_number(self._scope))  # waits, and says so
        until = time.monotonic() + self._store.settings.timeout
        while True:
            number, who, is_held = self._session.turn(lock)
            if number != self._turn:
                raise _over(who)
            if is_held:
                return
            # By whoever is about to begin, or by this process: the server may take a while to see that its first
            # connection is gone.
            if time.monotonic() >= until:
                raise _over(self._holder(lock))
            time.sleep(_AGAIN)

    def _wait_for(self, lock: Lock, name: str, *, emit: Emit, patience: float) -> int:
        is_waiting, until = False, time.monotonic() + patience
        while True:
            other = self._expected(lock)
            if other is None and (turn := self._session.take_turn(lock, name=name)) is not None:
                return turn
            other = other or self._holder(lock)
            if other is None and (turn := self._session.take_turn(lock, name=name)) is not None:
                return turn  # it ended just now
            other = other or "multistack"
            if time.monotonic() >= until:
                raise NotReady(f"another command changes this project: {other}", hint=_after(patience))
            if not is_waiting:
                emit(Event(None, "waiting", f"for another command: {other}"))
                is_waiting = True
            time.sleep(_AGAIN)

    def _expected(self, lock: Lock) -> str | None:
        """Who changed the project when the server was started again, and may be about to come back."""
        values = {"scope": lock.number, "grace": self._store.settings.timeout}
        with self._store.transaction() as connection:
            found = connection.execute(text(_EXPECTED), values).scalar()
        return None if found is None else f"{found}, which may come back now that the store was started again"

    def _holder(self, lock: Lock) -> str | None:
        with self._store.transaction() as connection:
            found = connection.execute(text(_HOLDER), {"kind": lock.kind, "number": lock.number}).scalar()
        return None if found is None else str(found)


class SharedRows:
    """See :class:`emulator.ledger.Rows`."""

    def __init__(self, connection: Connection, session: Session, *, grace: float, turn: int | None) -> None:
        self._connection = connection
        self._session = session
        self._grace = grace
        self._turn = turn

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
        if values["outcome"] in _SERVING:
            self._check_turn()
        self.add("outcomes", values)
        return True

    def hold(self, deployment: int) -> None:
        """Before others see the row: they find the lock with it. Only whoever's turn it is begins one."""
        self._check_turn()
        self._session.hold(Lock(DEPLOYMENT, deployment))

    def _check_turn(self) -> None:
        """Part of the transaction: nobody begins a turn before its end."""
        if self._turn is None:
            return
        last = self.select("SELECT number, who FROM turns WHERE scope = current_scope() FOR SHARE")
        if not last or last[0]["number"] != self._turn:  # no row: a database of earlier was put back
            raise _over(last[0]["who"] if last else None)

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
_EXPECTED = """
SELECT who FROM turns
WHERE scope = :scope AND NOT is_over AND at < pg_postmaster_start_time()
    AND extract(epoch FROM now() - pg_postmaster_start_time()) < :grace
"""
_IS_RECENT = """
SELECT extract(epoch FROM now() - pg_postmaster_start_time()) < :grace
    AND (SELECT recorded < pg_postmaster_start_time() FROM all_deployments WHERE id = :number)
"""


def _over(other: str | None) -> NotReady:
    return NotReady(
        f"another command began while this one was cut off from the store: {other or 'multistack'}; this one ends here",
        hint="look at what is deployed now (`multistack status`), then run the same command again",
    )


def _after(patience: float) -> str:
    """What to do when somebody else still changes the project."""
    if not patience:
        return "leave --no-wait out to wait for it"
    return f"it still did after {patience:g} s: let it end, or end it there, and run the same command again"


def _who() -> str:
    """Who runs this, for others who wait."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # in a container
        return f"uid {os.getuid()}@{socket.gethostname()}"
