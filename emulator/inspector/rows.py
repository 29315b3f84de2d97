"""The file of kept exchanges: its format, and an exchange as rows of it."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emulator.model import Exchange, HttpAnswer, HttpRequest, Invocation, Source
from emulator.model.exchanges import Headers

REQUESTS_FILE = "requests.sqlite"
FORMAT = 1
# What is searched and listed stands apart from what only one exchange at a time needs.
_SCHEMA = """
CREATE TABLE exchanges (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, source TEXT NOT NULL, environment TEXT NOT NULL,
    client TEXT NOT NULL, release TEXT, digest TEXT, method TEXT NOT NULL, target TEXT NOT NULL,
    request_length INTEGER NOT NULL, status INTEGER NOT NULL, answer_length INTEGER NOT NULL, seconds REAL NOT NULL,
    is_complete INTEGER NOT NULL, problem TEXT, upstream_seconds REAL, invocations TEXT NOT NULL, faults TEXT NOT NULL
);
CREATE TABLE contents (
    id INTEGER PRIMARY KEY, request_headers TEXT NOT NULL, answer_headers TEXT NOT NULL,
    request_body BLOB NOT NULL, answer_body BLOB NOT NULL
);
CREATE INDEX exchanges_at ON exchanges (at);
"""
# The columns of both, without their ids.
EXCHANGE = (
    *("at", "source", "environment", "client", "release", "digest", "method", "target", "request_length", "status"),
    *("answer_length", "seconds", "is_complete", "problem", "upstream_seconds", "invocations", "faults"),
)
CONTENTS = ("request_headers", "answer_headers", "request_body", "answer_body")
_BUSY = 2.0
# Rows of one statement.
_MANY = 32
# What an exchange takes in the file besides its texts and bodies.
_OVERHEAD = 600


def open_file(path: Path) -> sqlite3.Connection:
    """
    The file at *path*, made when there is none, and for its owner only.

    Raises:
        OSError, sqlite3.Error: It can't be opened or made; `sqlite3.DatabaseError` also when it is no such file.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
    try:
        # What is lost with the machine's power is not worth waiting for the disk.
        for pragma in ("synchronous=OFF", "journal_mode=TRUNCATE", "auto_vacuum=INCREMENTAL", "secure_delete=OFF"):
            connection.execute(f"PRAGMA {pragma}")
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={FORMAT}; COMMIT")
        elif found != FORMAT:
            raise sqlite3.DatabaseError(f"its format is {found}")
    except BaseException:
        connection.close()
        raise
    return connection


def shrink(connection: sqlite3.Connection) -> None:
    """Give the pages that nothing needs back to the disk."""
    connection.executescript("PRAGMA incremental_vacuum")  # which gives back one page per step, and this takes all


@dataclass(frozen=True, slots=True)
class Row:
    """An exchange as the two tables hold it, without its id."""

    exchange: tuple[object, ...]
    contents: tuple[object, ...]
    size: int


def row_of(exchange: Exchange) -> Row:
    """*exchange* ready to be written, with about what it takes in the file."""
    request, answer = exchange.request, exchange.answer
    sent, received = _lines(request.headers), _lines(answer.headers)
    calls = [[one.function, one.request_id, one.seconds] for one in exchange.invocations]
    return Row(
        (
            *(exchange.at.timestamp(), exchange.source.value, exchange.environment, exchange.client),
            *(exchange.release, exchange.digest, request.method, request.target, request.body_length),
            *(answer.status, answer.body_length, answer.seconds, answer.is_complete, answer.problem),
            exchange.upstream_seconds,
            json.dumps(calls) if calls else "[]",
            json.dumps(list(exchange.faults)) if exchange.faults else "[]",
        ),
        (sent, received, request.body, answer.body),
        _OVERHEAD + 2 * (len(request.target) + len(sent) + len(received)) + len(request.body) + len(answer.body),
    )


def cut(exchange: Exchange, limit: int) -> Exchange:
    """*exchange* with *limit* bytes of each body: another sink may have wanted more."""
    request, answer = exchange.request, exchange.answer
    if len(request.body) > limit:
        exchange = replace(exchange, request=replace(request, body=request.body[:limit]))
    if len(answer.body) > limit:
        exchange = replace(exchange, answer=replace(answer, body=answer.body[:limit]))
    return exchange


def insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add exchanges, in the transaction that runs."""
    (before,) = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'exchanges'").fetchone() or (0,)
    position = 0
    # Many rows per statement: each statement lets go of the interpreter, and has to wait until it gets it back.
    for size in (_MANY, 1):
        while len(rows) - position >= size:
            part = list(enumerate(rows[position : position + size], before + position + 1))
            connection.execute(
                _inserting("exchanges", 18, size), [v for number, row in part for v in (number, *row.exchange)]
            )
            connection.execute(
                _inserting("contents", 5, size), [v for number, row in part for v in (number, *row.contents)]
            )
            position += size


def insert_numbered(connection: sqlite3.Connection, found: Sequence[tuple[object, ...]]) -> None:
    """Add exchanges that have ids, each with all columns of both tables behind it."""
    between = 1 + len(EXCHANGE)
    connection.executemany(_inserting("exchanges", between, 1), [one[:between] for one in found])
    connection.executemany(_inserting("contents", 1 + len(CONTENTS), 1), [(one[0], *one[between:]) for one in found])


@functools.cache
def _inserting(table: str, columns: int, rows: int) -> str:
    marks = f"({', '.join('?' * columns)})"
    return f"INSERT INTO {table} VALUES {', '.join([marks] * rows)}"  # noqa: S608 - names of this module


def exchange_of(row: Mapping[str, Any]) -> Exchange:
    """A row of ``exchanges``, joined with its contents or without: then it has no headers and empty bodies."""
    content = dict(row)
    return Exchange(
        id=content["id"],
        at=datetime.fromtimestamp(content["at"], UTC),
        source=Source(content["source"]),
        environment=content["environment"],
        client=content["client"],
        release=content["release"],
        digest=content["digest"],
        request=HttpRequest(
            method=content["method"],
            target=content["target"],
            headers=_headers(content.get("request_headers")),
            body=content.get("request_body", b""),
            body_length=content["request_length"],
        ),
        answer=HttpAnswer(
            status=content["status"],
            headers=_headers(content.get("answer_headers")),
            body=content.get("answer_body", b""),
            body_length=content["answer_length"],
            seconds=content["seconds"],
            is_complete=bool(content["is_complete"]),
            problem=content["problem"],
        ),
        upstream_seconds=content["upstream_seconds"],
        invocations=tuple(
            Invocation(function=function, request_id=request_id, seconds=seconds)
            for function, request_id, seconds in json.loads(content["invocations"])
        ),
        faults=tuple(json.loads(content["faults"])),
    )


def _lines(headers: Headers) -> str:
    """As HTTP writes them; no value has a line end."""
    return "".join([f"{name}: {value}\n" for name, value in headers])


def _headers(lines: str | None) -> Headers:
    pairs = (line.partition(": ") for line in (lines or "").split("\n") if line)
    return tuple((name, value) for name, _, value in pairs)
