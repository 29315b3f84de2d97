"""Finds kept exchanges: read from the file directly, whether the proxy runs or not."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from emulator.inspector import rows
from emulator.model import Exchange, Source

_BUSY = 5.0
_STATUS = re.compile(r"([1-5]xx|[0-9]{1,3})(?:-([0-9]{3}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """
    Which exchanges are meant; what is None or empty leaves none out.

    Attributes:
        path: Text in the target; ``*`` for anything, and then it is the whole path without query.
        statuses: Lowest and highest status.
        text: Anywhere in target, headers or bodies, in any case.
        since: Of the request.
        after: Only exchanges with a greater id.
        before: Only exchanges with a smaller id.
    """

    environments: Sequence[str] = ()
    methods: Sequence[str] = ()
    path: str | None = None
    statuses: tuple[int, int] | None = None
    text: str | None = None
    source: Source | None = None
    since: datetime | None = None
    after: int | None = None
    before: int | None = None


def read_statuses(text: str) -> tuple[int, int]:
    """
    ``404``, ``5xx`` or ``400-499`` as the lowest and the highest status; ``0`` for requests without any answer.

    Raises:
        ValueError: It is none of these.
    """
    match = _STATUS.fullmatch(text)
    if match is None or (match[2] and not match[1].isdigit()):
        raise ValueError(f"{text!r} is no status; use for example 404, 5xx or 400-499")
    if not match[1].isdigit():
        lowest = int(match[1][0]) * 100
        return lowest, lowest + 99
    return int(match[1]), int(match[2] or match[1])


class Requests:
    """
    The kept exchanges of a project.

    Args:
        path: The file; nothing was kept while there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, wanted: Filter, *, limit: int | None = None) -> Sequence[Exchange]:
        """
        The newest exchanges that are wanted, newest first; without headers and with empty bodies.

        Raises:
            sqlite3.Error: The file is damaged.
        """
        condition, values = _condition(wanted)
        sql = f"SELECT * FROM exchanges WHERE {condition} ORDER BY id DESC LIMIT ?"  # noqa: S608 - made of constants
        return self._read(sql, (*values, -1 if limit is None else limit))

    def find_whole(self, wanted: Filter, *, limit: int | None = None) -> Sequence[Exchange]:
        """As :func:`find`, with headers and bodies."""
        condition, values = _condition(wanted)
        sql = f"SELECT * FROM exchanges JOIN contents USING (id) WHERE {condition} ORDER BY id DESC LIMIT ?"  # noqa: S608
        return self._read(sql, (*values, -1 if limit is None else limit))

    def get(self, number: int) -> Exchange | None:
        """One whole exchange; None when it was never kept, or is no more."""
        found = self._read("SELECT * FROM exchanges JOIN contents USING (id) WHERE id = ?", (number,))
        return found[0] if found else None

    def newest(self) -> int:
        """The id of the last exchange; 0 when nothing is kept."""
        with self._opened() as connection:
            if connection is None:
                return 0
            return int(connection.execute("SELECT coalesce(max(id), 0) FROM exchanges").fetchone()[0])

    def extent(self) -> tuple[int, int]:
        """How many are kept, and the id of the last: something was kept or cleared when it changes."""
        with self._opened() as connection:
            if connection is None:
                return 0, 0
            count, last = connection.execute("SELECT count(*), coalesce(max(id), 0) FROM exchanges").fetchone()
            return int(count), int(last)

    def clear(self, wanted: Filter) -> int:
        """Forget the wanted ones, and give their room back; returns how many they were."""
        if not self._path.exists():
            return 0
        condition, values = _condition(wanted)
        with contextlib.closing(rows.open_file(self._path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"CREATE TEMP TABLE gone AS SELECT id FROM exchanges WHERE {condition}", values)  # noqa: S608
            connection.execute("DELETE FROM contents WHERE id IN gone")
            count = connection.execute("DELETE FROM exchanges WHERE id IN gone").rowcount
            connection.execute("COMMIT")
            rows.shrink(connection)
            return count

    def _read(self, sql: str, values: Sequence[object]) -> Sequence[Exchange]:
        with self._opened() as connection:
            if connection is None:
                return []
            connection.row_factory = sqlite3.Row
            return [rows.exchange_of(row) for row in connection.execute(sql, values).fetchall()]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection | None]:
        """The file for reading; None while there is none, or none that this version has begun."""
        if not self._path.exists():
            yield None
            return
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_BUSY)) as connection:
            is_ours = connection.execute("PRAGMA user_version").fetchone()[0] == rows.FORMAT
            yield connection if is_ours else None


def _condition(wanted: Filter) -> tuple[str, list[object]]:
    parts: list[tuple[str, list[object]]] = []
    if wanted.environments:
        parts.append((f"environment IN ({_marks(wanted.environments)})", list(wanted.environments)))
    if wanted.methods:
        parts.append((f"method IN ({_marks(wanted.methods)})", [method.upper() for method in wanted.methods]))
    if wanted.path:
        parts.append(_path_condition(wanted.path))
    if wanted.statuses:
        parts.append(("status BETWEEN ? AND ?", list(wanted.statuses)))
    if wanted.source:
        parts.append(("source = ?", [wanted.source.value]))
    if wanted.since:
        parts.append(("at >= ?", [wanted.since.timestamp()]))
    if wanted.after is not None:
        parts.append(("exchanges.id > ?", [wanted.after]))
    if wanted.before is not None:
        parts.append(("exchanges.id < ?", [wanted.before]))
    if wanted.text:
        parts.append(_text_condition(wanted.text))
    return " AND ".join(sql for sql, _ in parts) or "1", [value for _, values in parts for value in values]


def _path_condition(path: str) -> tuple[str, list[object]]:
    if "*" not in path:
        return "instr(target, ?)", [path]
    pattern = path.replace("[", "[[]").replace("?", "[?]")
    return "substr(target, 1, instr(target || '?', '?') - 1) GLOB ?", [pattern]


def _text_condition(text: str) -> tuple[str, list[object]]:
    pattern = "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"
    places = ("request_headers", "answer_headers", "CAST(request_body AS TEXT)", "CAST(answer_body AS TEXT)")
    likes = " OR ".join(f"{place} LIKE ? ESCAPE '\\'" for place in places)
    inner = f"exchanges.id IN (SELECT id FROM contents WHERE {likes})"  # noqa: S608 - made of constants
    return f"(target LIKE ? ESCAPE '\\' OR {inner})", [pattern] * (len(places) + 1)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
