"""The connection to a store: made when first needed, waited for once it was there, its errors in our words."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from emulator.errors import MultistackError, StoreAway
from emulator.model import StoreSettings
from emulator.store.absence import Absence
from emulator.store.address import shown_url, without_password
from emulator.store.tables import FORMAT, MIGRATIONS, SCHEMA

# Seconds until a server that doesn't answer counts as away, and between two tries.
_CONNECT = 5
_AGAIN = 0.5
# A connection that leads nowhere any more is noticed within half a minute.
_ALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# The same at the server's end, which would hold the locks of a machine that vanished for hours. Not of a Unix socket.
_NOTICE = "".join(f"SET tcp_{name.removeprefix('tcp_')} = {value};" for name, value in _ALIVE.items())
# Classes of SQLSTATE: connection, too many of them, the server's end. Source: PostgreSQL, appendix A.
_AWAY = ("08", "53300", "57P0")
_FULL = "53100"
_DENIED = "42501"
# A parameter of the connection that PostgreSQL has since 12.
_UNKNOWN = "42704"
# Of transactions that prepare a schema, one at a time.
_PREPARING = 0x6D756C74


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """
    Whose rows of a ledger.

    Attributes:
        space: Empty for the project itself.
        since: When the space was made: a later one of its name has a ledger of its own.
    """

    project: str
    space: str = ""
    since: str = ""


class Store:
    """
    One store. Safe to use from several threads.

    Args:
        patience: Seconds to wait for one that was there before; default: what the settings say.
        now: The clock by which it counts as away for some seconds.

    Attributes:
        tell: Called with a line when it has to be waited for.
        gave_up: It was waited for, for nothing: nobody waits again until it is back.

    Raises:
        StoreAway: By every use: it can't be reached.
        MultistackError: By every use: it was made by a newer version, or can't be used.
    """

    def __init__(
        self,
        settings: StoreSettings,
        *,
        patience: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.shown = shown_url(settings.url)
        self._patience = settings.timeout if patience is None else patience
        self.tell: Callable[[str], None] = lambda _line: None
        self._engine = create_engine(
            "postgresql+psycopg://", creator=self.open_connection, pool_size=4, max_overflow=12, pool_pre_ping=True
        )
        self._absence = Absence(_is_away, now=now)
        self._prepared = threading.Event()
        self._lock = threading.Lock()
        self._scopes: dict[Scope, int] = {}
        self.gave_up = False

    def open_connection(self, *, name: str = "multistack") -> psycopg.Connection[Any]:
        """
        A further connection.

        Args:
            name: What others see of it.

        Raises:
            psycopg.Error: There is none.
        """
        with self._absence.trying():
            connection = psycopg.connect(
                self.settings.url, connect_timeout=_CONNECT, application_name=name[:63], autocommit=True, **_ALIVE
            )
        with contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.execute(f"SET search_path TO {SCHEMA};{_NOTICE}".encode())
            connection.autocommit = False
            stack.pop_all()
        return connection

    @contextlib.contextmanager
    def transaction(self, scope: Scope | None = None) -> Iterator[Connection]:
        """A connection whose changes are all made at the end, or none of them; of a ledger, that of *scope*."""
        with self.translated(), self._connected() as connection:
            with connection.begin():
                if scope is not None:
                    number = self._scopes.get(scope) or self._number(connection, scope)
                    _set_scope(connection, number)
                yield connection
            if scope is not None:
                self._scopes[scope] = number  # known to others only now

    def scope_number(self, scope: Scope) -> int:
        """The number that stands for *scope* in the store."""
        with self.transaction(scope):
            pass
        return self._scopes[scope]

    def close(self) -> None:
        """End all connections that nobody uses."""
        self._engine.dispose()

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """The driver's errors in our words."""
        try:
            yield
        except (psycopg.Error, SQLAlchemyError) as error:
            raise self._error(error) from error

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self._wait_for_connection() as connection:
            if not self._prepared.is_set():
                with self._lock:
                    if not self._prepared.is_set():
                        _prepare(connection, self.shown)
                self._prepared.set()
            yield connection

    def _wait_for_connection(self) -> Connection:
        """One that works: from the pool, or made; a store that was there before is waited for."""
        until, is_told = time.monotonic() + self._patience, False
        while True:
            try:
                connection = self._engine.connect()
            except SQLAlchemyError as error:
                if not self._prepared.is_set() or self.gave_up or not _is_away(error):
                    raise
                if time.monotonic() >= until:
                    self.gave_up = True
                    raise
                if not is_told:
                    self.tell(f"for the store {self.shown}, up to {self._patience:g} s: {self._reason(error)}")
                    is_told = True
            else:
                self.gave_up = False
                return connection
            time.sleep(_AGAIN)

    def _reason(self, error: Exception) -> str:
        """The one line of a driver's error that says it: others name what was tried, or give advice."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()] or [type(cause).__name__]
        said = next((line for line in reversed(lines) if "failed: " in line), lines[0])
        return without_password(said.rpartition("failed: ")[2], self.settings.url)

    def _error(self, error: Exception) -> MultistackError:
        if _is_away(error):
            waited = f" after {self._patience:g} s" if self._prepared.is_set() and self._patience else ""
            return StoreAway(
                f"the store {self.shown} can't be reached{waited}: {self._reason(error)}",
                hint="start it, or correct its address in `store` or MULTISTACK_STORE",
            )
        hint = "see the server's log"
        if _state(error) == _FULL:
            hint = "free some space there, then run the same command again"
        elif _state(error) == _DENIED:
            hint = "let the user own the database: ALTER DATABASE … OWNER TO …"
        elif _state(error) == _UNKNOWN:
            hint = "multistack needs PostgreSQL 12 or newer"
        return MultistackError(f"the store {self.shown} can't be used: {self._reason(error)}", hint=hint)

    def _number(self, connection: Connection, scope: Scope) -> int:
        values = {"project": scope.project, "space": scope.space, "since": scope.since}
        find = text("SELECT id FROM scopes WHERE project = :project AND space = :space AND since = :since")
        found = connection.execute(find, values).scalar()
        if found is None:
            add = "INSERT INTO scopes (project, space, since) VALUES (:project, :space, :since) ON CONFLICT DO NOTHING"
            connection.execute(text(add), values)
            found = connection.execute(find, values).scalar_one()
        return int(found)


def _set_scope(connection: Connection, number: int) -> None:
    connection.execute(text("SELECT set_config('multistack.scope', :number, true)"), {"number": str(number)})


def _prepare(connection: Connection, shown: str) -> None:
    """Make the schema, or bring it to the newest format: one process at a time."""
    with connection.begin():
        if _version(connection) == FORMAT:
            return
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _PREPARING})
    # Only a new transaction sees what whoever held the lock has made: names are looked up in a cache.
    try:
        with connection.begin():
            _migrate(connection, _version(connection), shown)
    finally:
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _PREPARING})


def _migrate(connection: Connection, version: int, shown: str) -> None:
    if version > FORMAT:
        raise MultistackError(
            f"the store {shown} has format {version}, newer than this multistack knows ({FORMAT})",
            hint="use the multistack that made it",
        )
    # An empty one may have been made for a user who may make none.
    if version == 0 and connection.execute(text(f"SELECT to_regnamespace('{SCHEMA}')")).scalar() is None:
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    for number in range(version + 1, FORMAT + 1):
        _run_script(connection, MIGRATIONS[number])
    if version != FORMAT:
        _run_script(connection, f"DELETE FROM format; INSERT INTO format VALUES ({FORMAT})")  # noqa: S608


def _run_script(connection: Connection, script: str) -> None:
    """Several statements, which have no parameters."""
    driver = connection.connection.driver_connection
    if driver is None:
        raise AssertionError("an open connection has one")
    driver.execute(script.encode())


def _version(connection: Connection) -> int:
    """0 for a store in which nothing was made yet."""
    if connection.execute(text(f"SELECT to_regclass('{SCHEMA}.format')")).scalar() is None:
        return 0
    return int(connection.execute(text(f"SELECT version FROM {SCHEMA}.format")).scalar_one())  # noqa: S608


def _state(error: BaseException) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def _is_away(error: BaseException) -> bool:
    """Whether the store, and not what was asked of it, is what failed."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = _state(error)
    return isinstance(cause, psycopg.OperationalError) and (not state or state.startswith(_AWAY))


def plain(value: object) -> Any:
    """A text as PostgreSQL takes it: without NUL, and without halves of characters."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
