"""Records that are no items, messages or parameters are refused by file and line."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.errors import ConfigError
from emulator.seeds.parameters import read_parameters
from emulator.seeds.queues import read_messages
from emulator.seeds.records import Record
from emulator.seeds.tables import Keys, read_items
from emulator.sending import Message

KEYS = Keys({"id": "S", "at": "N"})


def record(value: Any, line: int = 3) -> Record:
    """A record of a file."""
    return Record(value=value, where=f"a.json:{line}")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(["a"], "an item must be an object", id="list"),
        pytest.param({"id": "a"}, "an item needs its key at", id="no sort key"),
        pytest.param({"id": 1, "at": 1}, "its key id must be a string", id="number for a string"),
        pytest.param({"id": "a", "at": "1"}, "its key at must be a number", id="string for a number"),
        pytest.param({"id": "a", "at": 1, "x": {"$numbers": []}}, "x: $numbers takes a list", id="empty set"),
    ],
)
def test_an_item_fits_its_table(value: Any, said: str) -> None:
    """Before anything is asked of the table."""
    with pytest.raises(ConfigError) as raised:
        read_items([record({"id": "a", "at": 1}), record(value)], KEYS)
    assert raised.value.message.startswith(f"a.json:3: {said}")


def test_of_several_items_with_one_key_the_last_counts() -> None:
    """A number is the same key however it is written."""
    items = read_items([record({"id": "a", "at": 1, "x": 1}), record({"id": "a", "at": 1, "x": 2}, 4)], KEYS)
    assert [(item.attributes["x"], item.record.where) for item in items] == [({"N": "2"}, "a.json:4")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("text", Message(body="text"), id="text"),
        pytest.param({"a": [1, None]}, Message(body='{"a": [1, null]}'), id="JSON"),
        pytest.param({"$message": {"body": {"a": 1}}}, Message(body='{"a": 1}'), id="marked"),
        pytest.param(
            {"$message": {"body": "x", "attributes": {"A": "b"}, "group": "g"}},
            Message(body="x", attributes={"A": "b"}, group="g"),
            id="all of it",
        ),
    ],
)
def test_a_record_is_a_message(value: Any, message: Message) -> None:
    """Text as it is, everything else as JSON."""
    assert read_messages([record(value)]) == [message]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param({"$message": {"text": "a"}}, "$message takes an object with body", id="no body"),
        pytest.param({"$message": {"body": "a", "delay": 1}}, "$message takes an object with body", id="unknown"),
        pytest.param({"$message": {"body": "a", "attributes": {"n": 1}}}, "attributes takes an object", id="number"),
        pytest.param({"$message": {"body": "a", "group": 1}}, "group takes a string", id="group"),
    ],
)
def test_a_wrong_message_is_refused(value: Any, said: str) -> None:
    """With its line."""
    with pytest.raises(ConfigError) as raised:
        read_messages([record(value)])
    assert raised.value.message.startswith(f"a.json:3: {said}")


def test_parameters_are_text_or_lists() -> None:
    """Numbers and booleans as their text."""
    values = {"/a": "x", "/b": 5, "/c": True, "/d": ["x", "y"]}
    found = read_parameters([record({"name": name, "value": value}) for name, value in values.items()])
    assert found == {
        "/a": ("String", "x"),
        "/b": ("String", "5"),
        "/c": ("String", "true"),
        "/d": ("StringList", "x,y"),
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param({"name": "a"}, "a parameter is an object with name and value", id="no value"),
        pytest.param({"name": "", "value": "a"}, "the name of a parameter must be text", id="no name"),
        pytest.param({"name": "a", "value": ""}, "the value of a parameter must be text", id="empty"),
        pytest.param({"name": "a", "value": {}}, "the value of a parameter must be text", id="object"),
        pytest.param({"name": "a", "value": ["a,b"]}, "a list must hold strings without commas", id="comma"),
    ],
)
def test_a_wrong_parameter_is_refused(value: Any, said: str) -> None:
    """With its line."""
    with pytest.raises(ConfigError) as raised:
        read_parameters([record(value)])
    assert raised.value.message.startswith(f"a.json:3: {said}")
