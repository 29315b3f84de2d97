"""
What this process holds in a store: locks of one connection, which end with the process, wherever it runs.

The connection is watched. Should it break, the locks are taken again as soon as the store is back; the server itself
lets others wait for that, see :meth:`emulator.store.ledger.SharedRows.is_running`.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

import psycopg

from emulator.store.store import Store

# Seconds between two looks at the connection.
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Lock:
    """
    Something that one process at a time may hold.

    Attributes:
        kind: One of those below.
        number: Of whatever it is about.
    """

    kind: int
    number: int


_TAKE_TURN = """
INSERT INTO turns (scope, number, who) VALUES (%s, nextval('turn_number'), %s)
ON CONFLICT (scope)
    DO UPDATE SET number = EXCLUDED.number, who = EXCLUDED.who, at = EXCLUDED.at, is_over = EXCLUDED.is_over
RETURNING number
"""
_END_TURN = "UPDATE turns SET is_over = true WHERE scope = %s AND number = %s"
_GET_TURN = "SELECT number, who FROM turns WHERE scope = %s"
# The first of the two numbers of an advisory lock. Others' locks in the same database are told apart by it.
DEPLOYMENT = 0x6D73_0001
CHANGING = 0x6D73_0002


class Session:
    """
    The locks of this process; safe to use from several threads.

    Raises:
        StoreAway: By every use: the store can't be reached.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[Any] | None = None
        self._held: set[Lock] = set()
        # Of those, what this connection has not: another process was faster when the store came back, or the server has
        # not noticed yet that the connection before is gone.
        self._lost: set[Lock] = set()
        self._name = "multistack"
        self._watched: threading.Event | None = None

    def hold(self, lock: Lock, *, name: str | None = None) -> bool:
        """
        Take *lock*; False when another process has it.

        Args:
            name: What those who wait for it are told.
        """
        with self._lock, self._store.translated():
            try:
                did = self._take(lock, name or self._name)
            except psycopg.Error:
                self._drop()  # once more, with a connection that works
                did = self._take(lock, name or self._name)
            if did:
                self._held.add(lock)
                self._name = name or self._name
                if self._watched is None:
                    self._watched = threading.Event()
                    threading.Thread(target=self._watch, args=(self._watched,), daemon=True).start()
            return did

    def take_turn(self, lock: Lock, *, name: str) -> int | None:
        """
        Take *lock*, which is about a scope, and begin a turn there by the same connection.

        Returns:
            Its number, above that of all before; None when another process has the lock.
        """
        with self._lock, self._store.translated():
            if not self.hold(lock, name=name):
                return None
            taken = self._one(_TAKE_TURN, (lock.number, name))
            if taken is None:
                raise AssertionError("this statement always returns a row")
            return int(taken[0])

    def end_turn(self, lock: Lock, number: int) -> None:
        """Let others begin at once, also after a restart of the server."""
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(psycopg.Error):  # then they wait until nobody is expected back
                    self._connection.execute(_END_TURN.encode(), (lock.number, number))
            self.let_go(lock)

    def turn(self, lock: Lock) -> tuple[int, str, bool]:
        """
        The number of the last turn in the scope of *lock*, whose it is, and whether this process has the lock.

        The number is 0, and nobody's, where a database was put back that knows of none.

        It is asked by the connection that holds the lock, which is taken again where that broke: nobody else can begin
        between this answer and what is done next, unless it breaks once more.
        """
        with self._lock, self._store.translated():
            try:
                # First: whoever took the lock meanwhile and let it go again has left another number.
                self._take_lost()
                found = self._one(_GET_TURN, (lock.number,))
            except psycopg.Error:
                self._drop()
                self._connect(self._name)
                found = self._one(_GET_TURN, (lock.number,))
            number, who = (int(found[0]), str(found[1])) if found else (0, "")
            return number, who, lock not in self._lost

    def _one(self, query: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        return self._used().execute(query.encode(), values).fetchone()

    def let_go(self, lock: Lock) -> None:
        """Let others have *lock*, should it be held. With the last one the connection ends."""
        with self._lock:
            was_held = lock in self._held
            self._held.discard(lock)
            if not self._held:
                self._drop()
                if self._watched is not None:
                    self._watched.set()
                    self._watched = None
            elif was_held and self._connection is not None:
                with contextlib.suppress(psycopg.Error):  # broken: then it is free already
                    self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", (lock.kind, lock.number))

    def _take(self, lock: Lock, name: str) -> bool:
        if self._connection is None:
            self._connect(name)
        elif name != self._name:
            self._used().execute("SELECT set_config('application_name', %s, false)", (name[:63],))
        return _try(self._used(), lock)

    def _used(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            raise psycopg.OperationalError("the connection is closed")
        return self._connection

    def _connect(self, name: str) -> None:
        self._connection = self._store.open_connection(name=name)
        self._connection.autocommit = True
        self._lost = set(self._held)
        self._take_lost()

    def _take_lost(self) -> None:
        self._lost = {lock for lock in self._lost & self._held if not _try(self._used(), lock)}

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _watch(self, over: threading.Event) -> None:
        """Notice at once when the connection broke, and take what was held again."""
        while not over.wait(_LOOK):
            with self._lock:
                if over.is_set():
                    return
                try:
                    if self._connection is None:
                        self._connect(self._name)
                    else:
                        self._connection.execute("SELECT 1")
                    self._take_lost()
                except psycopg.Error:
                    self._drop()


def _try(connection: psycopg.Connection[Any], lock: Lock) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (lock.kind, lock.number)).fetchone()
    return bool(row and row[0])
