"""What a store is like, looked at without changing anything in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from emulator.store.store import Store
from emulator.store.tables import FORMAT, KEYS, SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    A store that can be reached.

    Attributes:
        server: PostgreSQL's version, as it says it.
        user: As whom it is used.
        is_standby: It only follows another server: nobody can write there.
        denied: What the user may not do, e.g. ``write owners``.
        format: Of the tables; 0 where there are none yet, None where they can't be read.
        ahead: Seconds that its clock is before this machine's; a negative number where it is behind.
    """

    server: str
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
        server, user, is_standby = _row(connection, _SERVER)
        before = datetime.now(UTC)
        (at,) = _row(connection, "SELECT clock_timestamp()")
        ahead = (at - before - (datetime.now(UTC) - before) / 2).total_seconds()
        version, denied = _look_at_tables(connection)
        if not is_standby and _row(connection, _IS_READ_ONLY)[0]:
            denied.insert(0, "change anything (default_transaction_read_only is on)")
        return Look(
            server=str(server),
            user=str(user),
            is_standby=bool(is_standby),
            denied=denied,
            format=version,
            ahead=ahead,
        )


def _look_at_tables(connection: psycopg.Connection[Any]) -> tuple[int | None, list[str]]:
    """Their format, and what may not be done; see :class:`Look`."""
    has_schema, may_use, may_fill, may_make = _row(connection, _SCHEMA)
    if not has_schema:
        return 0, [] if may_make else [f"make the schema {SCHEMA}"]
    if not may_use:
        return None, [f"use the schema {SCHEMA}"]
    if not _row(connection, "SELECT to_regclass('multistack.format') IS NOT NULL")[0]:
        return 0, [] if may_fill else [f"make tables in the schema {SCHEMA}"]
    closed = {(name, right) for name, right in connection.execute(_CLOSED.encode())}
    denied = [
        f"{verb} {name}"
        for name, rights in _NEEDED.items()
        for verb, of_verb in _VERBS.items()
        if any((name, right) in closed for right in rights.split() if right in of_verb)
    ]
    if ("format", "SELECT") in closed:
        return None, denied
    version = int(_row(connection, "SELECT version FROM format")[0])
    if version < FORMAT and not (may_fill and _row(connection, _OWNS_ALL)[0]):
        denied.append(f"bring the schema {SCHEMA} to format {FORMAT}")
    return version, denied


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(query.encode()).fetchone()
    if row is None:
        raise AssertionError("these queries always have an answer")
    return row


_SERVER = """
SELECT current_setting('server_version'), current_user, pg_is_in_recovery()
"""
_IS_READ_ONLY = "SELECT current_setting('default_transaction_read_only') = 'on'"
_SCHEMA = """
SELECT count(*) > 0, coalesce(bool_and(has_schema_privilege(oid, 'USAGE')), false),
    coalesce(bool_and(has_schema_privilege(oid, 'CREATE')), false),
    has_database_privilege(current_database(), 'CREATE')
FROM pg_namespace WHERE nspname = 'multistack'
"""
# Only whoever owns a table may change what it is like.
_OWNS_ALL = """
SELECT bool_and(pg_has_role(c.relowner, 'USAGE'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'multistack' AND c.relkind IN ('r', 'v', 'S')
"""
# What is asked for of each: of a ledger its views, whose tables their owner may use.
_NEEDED = {
    "format": "SELECT",
    "scopes": "SELECT INSERT",
    **dict.fromkeys(KEYS, "SELECT INSERT"),
    "all_deployments": "SELECT",
    "turns": "SELECT INSERT UPDATE",
    "turn_number": "USAGE",
    "owners": "SELECT INSERT UPDATE",
    "spaces": "SELECT INSERT UPDATE DELETE",
    "joins": "SELECT INSERT DELETE",
    "routes": "SELECT INSERT UPDATE DELETE",
    "requests": "SELECT INSERT DELETE",
}
_VERBS = {"read": ("SELECT",), "write": ("INSERT", "UPDATE", "DELETE"), "take numbers from": ("USAGE",)}
_CLOSED = """
SELECT c.relname, a.asked
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
    unnest(CASE c.relkind WHEN 'S' THEN ARRAY['USAGE'] ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) a (asked)
WHERE n.nspname = 'multistack' AND c.relkind IN ('r', 'v', 'S') AND NOT CASE c.relkind
    WHEN 'S' THEN has_sequence_privilege(c.oid, a.asked) ELSE has_table_privilege(c.oid, a.asked) END
"""
