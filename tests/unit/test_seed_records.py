"""Seed files become records that know their line; what is wrong is told with file and line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ConfigError
from emulator.seeds.records import read_records


def read(tmp_path: Path, name: str, content: str | bytes) -> list[tuple[Any, str]]:
    """Each record of a file with its place."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(record.value, record.where) for record in read_records(path, shown=name)]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.json", "[]", [], id="json, nothing"),
        pytest.param(
            "a.json",
            '[\n {"a": 1.10,\n  "b": [1, true, null]},\n\n "x" , 3]',
            [({"a": Decimal("1.10"), "b": [1, True, None]}, "a.json:2"), ("x", "a.json:5"), (3, "a.json:5")],
            id="json, a line for each record",
        ),
        pytest.param("a.json", b"\xef\xbb\xbf[1]", [(1, "a.json:1")], id="json behind a byte order mark"),
        pytest.param(
            "a.yaml",
            "# orders\n- a: 1.10\n  b: [1, true, ~]\n- x\n- 3\n",
            [({"a": Decimal("1.10"), "b": [1, True, None]}, "a.yaml:2"), ("x", "a.yaml:4"), (3, "a.yaml:5")],
            id="yaml",
        ),
        pytest.param(
            "a.yml",
            "- [no, on, 12:30, 2026-11-26, 0x1f, 1e3, 1_000]\n",
            [(["no", "on", "12:30", "2026-11-26", "0x1f", Decimal("1e3"), "1_000"], "a.yml:1")],
            id="yaml, nothing is more than it looks like",
        ),
        pytest.param(
            "a.csv",
            'id,qty:number,paid:boolean,tags:json\r\na,1.50,TRUE,"[1, 2.5]"\r\n\r\n"b\nb",,false,\r\nc\r\n',
            [
                ({"id": "a", "qty": Decimal("1.50"), "paid": True, "tags": [1, Decimal("2.5")]}, "a.csv:2"),
                ({"id": "b\nb", "paid": False}, "a.csv:4"),
                ({"id": "c"}, "a.csv:6"),
            ],
            id="csv, types in the heading, empty cells left out",
        ),
        pytest.param("a.csv", "a:b:string\n1\n", [({"a:b": "1"}, "a.csv:2")], id="csv, a colon in a name"),
    ],
)
def test_records_know_their_line(tmp_path: Path, name: str, content: str | bytes, expected: list[Any]) -> None:
    """Numbers keep every digit; text stays text."""
    found = read(tmp_path, name, content)
    assert found == expected
    assert repr(found) == repr(expected)  # 1 is neither True nor Decimal("1.0")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("a.json", "", "a.json:1: not valid JSON: Expecting value (column 1)", id="empty json"),
        pytest.param("a.json", '[\n {"a": }]', "a.json:2: not valid JSON: Expecting value", id="json"),
        pytest.param("a.json", "{}", "a.json:1: must be an array of records", id="no array"),
        pytest.param("a.json", '[1,\n {"a": 1, "a": 2}]', "a.json:2: a stands twice", id="key twice"),
        pytest.param("a.json", "[1,\n NaN]", "a.json:2: NaN is no number of JSON", id="not a number"),
        pytest.param("a.json", '["\\ud800"]', "a.json:1: ", id="half a character"),
        pytest.param("a.json", "[" * 100_000, "a.json: nested too deeply", id="nested"),
        pytest.param("a.json", b"[\n\n'\xff']", "a.json:3: not text in UTF-8 (byte 0xff)", id="bytes"),
        pytest.param("a.yaml", "a: 1\n", "a.yaml:1: must be a list of records", id="no list"),
        pytest.param("a.yaml", "", "a.yaml:1: must be a list of records", id="empty yaml"),
        pytest.param("a.yaml", "- a\n- {b: [}\n", "a.yaml:2: not valid YAML: ", id="yaml"),
        pytest.param("a.yaml", "- a: 1\n  a: 2\n", "a.yaml:2: not valid YAML: a stands twice", id="yaml key twice"),
        pytest.param("a.yaml", "- x\n- 1: a\n", "a.yaml:2: not valid YAML: a key that is no text", id="number as key"),
        pytest.param("a.yaml", "- &a [*a]\n", "a.yaml:1: not valid YAML: an alias", id="a record without an end"),
        pytest.param("a.yaml", "- x\n- !!python/name:os.system\n", "a.yaml:2: not valid YAML: ", id="python in yaml"),
        pytest.param("a.yaml", "- .nan\n- \x00\n", "a.yaml:1: not valid YAML: ", id="control character"),
        pytest.param("a.csv", "id,qty:number\na,1\nb,x\n", "a.csv:3: qty is no number: 'x'", id="no number"),
        pytest.param("a.csv", "id,paid:boolean\na,1\n", "a.csv:2: paid is no boolean: '1'", id="no boolean"),
        pytest.param("a.csv", "id,x:json\na,{\n", "a.csv:2: x is no json: '{'", id="no json"),
        pytest.param("a.csv", "id:text\n", "a.csv:1: column id:text has no type that is known", id="unknown type"),
        pytest.param("a.csv", "id,id\n", "a.csv:1: two columns are called id", id="column twice"),
        pytest.param("a.csv", "id\na\nb,c\n", "a.csv:3: 2 cells, but 1 columns", id="too many cells"),
        pytest.param("a.csv", 'id\na\n"b\n', "a.csv:3: not valid CSV: ", id="open quote"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    """In one line, whatever the file holds."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, name, content)
    assert raised.value.message.startswith(said), raised.value.message
    assert "\n" not in raised.value.message
