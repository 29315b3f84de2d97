"""Seed files as records: JSON, YAML or CSV, each record with the line that it stands on."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from emulator.cfn_yaml import without_duplicates
from emulator.errors import ConfigError
from emulator.seeds.notation import as_json

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    One item, message or parameter.

    Attributes:
        value: As JSON has it; numbers with a fraction as Decimal, exactly as written.
        where: File and line, for messages.
    """

    value: Any
    where: str

    def refuse(self, problem: str) -> NoReturn:
        """
        Say what is wrong with it.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.where}: {problem}")


def read_records(path: Path, *, shown: str) -> Sequence[Record]:
    """
    The records of a file, in its order.

    Args:
        shown: How messages name it.

    Raises:
        ConfigError: It can't be read, or is no list of records; with its line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{shown} can't be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}:{line}: not text in UTF-8 (byte 0x{content[error.start]:02x})") from error
    try:
        return [Record(value=value, where=f"{shown}:{line}") for value, line in READERS[path.suffix](text)]
    except _WrongLine as error:
        raise ConfigError(f"{shown}:{error.line}: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{shown}: nested too deeply") from error


class _WrongLine(Exception):
    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def _json_records(text: str) -> Iterator[tuple[Any, int]]:
    """Parsed as a whole first, so that what is wrong is told with its line; then entry by entry, for their lines."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _WrongLine(error.lineno, f"not valid JSON: {error.msg} (column {error.colno})") from error
    if not isinstance(document, list):
        raise _WrongLine(1, "must be an array of records")
    decoder = json.JSONDecoder(
        object_pairs_hook=without_duplicates, parse_float=Decimal, parse_constant=_refuse_constant
    )
    at, line, counted = _skip(text, text.index("[") + 1), 1, 0
    for _ in document:
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
            as_json(value).encode()  # half a character, "\\ud800", is JSON and no text
        except ValueError as error:
            raise _WrongLine(line, str(error)) from error
        yield value, line
        at = _skip(text, _skip(text, at) + 1)  # past the comma


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _yaml_records(text: str) -> Iterator[tuple[Any, int]]:
    import yaml

    from emulator.seeds.plain_yaml import PlainLoader

    try:
        loader = PlainLoader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.SequenceNode):
            raise _WrongLine(1, "must be a list of records")
        for child in node.value:
            yield loader.construct_document(child), child.start_mark.line + 1
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _WrongLine(mark.line + 1 if mark else 1, f"not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise _WrongLine(1, f"not valid YAML: {str(error).splitlines()[0]}") from error


def _csv_records(text: str) -> Iterator[tuple[Any, int]]:
    """A record for each row, whose cells are of their column's type; an empty cell is nothing."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    try:
        columns = [_column(cell) for cell in next(rows, [])]
        names = [name for name, _ in columns]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise _WrongLine(1, f"two columns are called {min(repeated)}")
        begin = rows.line_num + 1
        for row in rows:
            if len(row) > len(columns):
                raise _WrongLine(begin, f"{len(row)} cells, but {len(columns)} columns")
            if row:
                pairs = zip(columns, row, strict=False)
                yield {name: _cell(read, name, cell, begin) for (name, read), cell in pairs if cell}, begin
            begin = rows.line_num + 1
    except csv.Error as error:
        raise _WrongLine(begin, f"not valid CSV: {error}") from error


_Read = Callable[[str], Any]


def _column(heading: str) -> tuple[str, _Read]:
    """``qty:number`` as a name with what reads its cells; a column without a type is of strings."""
    name, colon, kind = heading.rpartition(":")
    if not colon:
        return heading, str
    if kind not in TYPES:
        raise _WrongLine(1, f"column {heading} has no type that is known; known are {', '.join(TYPES)}")
    return name, TYPES[kind]


def _cell(read: _Read, name: str, cell: str, line: int) -> Any:
    try:
        return read(cell)
    except (ValueError, KeyError) as error:
        kind = next(kind for kind, other in TYPES.items() if other is read)
        raise _WrongLine(line, f"{name} is no {kind}: {cell[:60]!r}") from error


def _number(cell: str) -> Decimal:
    if not _NUMBER.fullmatch(cell.strip()):
        raise ValueError
    return Decimal(cell.strip())


def _json_cell(cell: str) -> Any:
    return json.loads(cell, object_pairs_hook=without_duplicates, parse_float=Decimal, parse_constant=_refuse_constant)


TYPES: Mapping[str, _Read] = {
    "string": str,
    "number": _number,
    "boolean": lambda cell: _BOOLEANS[cell.strip().lower()],
    "json": _json_cell,
}
READERS: Mapping[str, Callable[[str], Iterator[tuple[Any, int]]]] = {
    ".json": _json_records,
    ".yaml": _yaml_records,
    ".yml": _yaml_records,
    ".csv": _csv_records,
}
