"""What a store is like, looked at without changing anything in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from emulator.store.store import Store
from emulator.store.tables import SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    A store that can be reached.

    Attributes:
        server: PostgreSQL's version, as it says it.
        number: The same as a number, 150008 for 15.8.
        user: As whom it is used.
        is_standby: It only follows another server: nobody can write there.
        denied: What the user may not do, e.g. ``write owners``.
        format: Of the tables; 0 where there are none yet, None where they can't be read.
        ahead: Seconds that its clock is before this machine's; a negative number where it is behind.
    """

    server: str
    number: int
    user: str
    is_standby: bool
    denied: Sequence[str]
    format: int | None
    ahead: float


def look(store: Store) -> Look:
    """
    Look at *store*.

    Raises:
        MultistackError: It can't be reached, or can't be used.
    """
    with store.translated(), store.open_connection(name="multistack doctor") as connection:
        connection.autocommit = True
        server, number, user, is_standby = _row(connection, _SERVER)
        before = datetime.now(UTC)
        (at,) = _row(connection, "SELECT clock_timestamp()")
        ahead = (at - before - (datetime.now(UTC) - before) / 2).total_seconds()
        has_tables, may_use, may_make = _row(connection, _SCHEMA)
        denied: list[str] = []
        version: int | None = 0
        if has_tables and may_use:
            denied = [f"write {name}" for (name,) in connection.execute(_CLOSED.encode())]
            may_read = _row(connection, _MAY_READ)[0]
            version = int(_row(connection, "SELECT version FROM format")[0]) if may_read else None
        elif has_tables:
            denied, version = [f"use the schema {SCHEMA}"], None
        elif not may_make:
            denied = [f"make the schema {SCHEMA}"]
        return Look(
            server=str(server),
            number=int(number),
            user=str(user),
            is_standby=bool(is_standby),
            denied=denied,
            format=version,
            ahead=ahead,
        )


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query.encode()).fetchone()
    if row is None:
        raise AssertionError("these queries always have an answer")
    return row


_SERVER = """
SELECT current_setting('server_version'), current_setting('server_version_num')::integer,
    current_user, pg_is_in_recovery()
"""
_SCHEMA = """
SELECT count(*) > 0, coalesce(bool_and(has_schema_privilege(oid, 'USAGE')), false),
    has_database_privilege(current_database(), 'CREATE')
FROM pg_namespace WHERE nspname = 'multistack'
"""
_MAY_READ = "SELECT has_table_privilege('format', 'SELECT')"
_CLOSED = """
SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'multistack' AND c.relkind = 'r' AND NOT has_table_privilege(c.oid, 'INSERT') ORDER BY relname
"""
