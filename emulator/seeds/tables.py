"""Items of a table, from records and to records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.endpoint import client
from emulator.errors import ConfigError, NotReady
from emulator.model import Endpoint
from emulator.seeds.notation import from_attributes, to_attributes
from emulator.seeds.records import Record

# Source: BatchGetItem takes 100 keys, BatchWriteItem 25 items.
_MOST_KEYS, _MOST_ITEMS = 100, 25
_TRIES = 20
_WORDS = {"S": "a string", "N": "a number", "B": "binary"}

_Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """An item as the API takes it, and the record that it is of."""

    attributes: _Attributes
    record: Record


@dataclass(frozen=True, slots=True)
class Keys:
    """The key of a table: attribute name to its type, ``S``, ``N`` or ``B``; the partition key first."""

    types: Mapping[str, str]

    def of(self, attributes: Mapping[str, Any]) -> _Attributes:
        """The key of one item."""
        return {name: attributes[name] for name in self.types}


def keys_of(endpoint: Endpoint, table: str) -> Keys:
    """The key of *table*."""
    found = client(endpoint, "dynamodb").describe_table(TableName=table)["Table"]
    types = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    schema = sorted(found["KeySchema"], key=lambda one: one["KeyType"] != "HASH")
    return Keys({one["AttributeName"]: types[one["AttributeName"]] for one in schema})


def read_items(records: Sequence[Record], keys: Keys) -> Sequence[Item]:
    """
    The items of *records*, of several with one key the last.

    Raises:
        ConfigError: One is no item of such a table.
    """
    items: dict[str, Item] = {}
    for record in records:
        if not isinstance(record.value, dict):
            record.refuse("an item must be an object")
        try:
            attributes = to_attributes(record.value)
        except ValueError as error:
            record.refuse(str(error))
        for name, kind in keys.types.items():
            if name not in attributes:
                record.refuse(f"an item needs its key {name}")
            if kind not in attributes[name]:
                record.refuse(f"its key {name} must be {_WORDS[kind]}")
        items[_identity(keys.of(attributes))] = Item(attributes, record)
    return list(items.values())


def put_items(endpoint: Endpoint, table: str, items: Sequence[Item], keys: Keys) -> int:
    """
    Put *items* that are not there yet as they are; returns how many.

    Raises:
        ConfigError: The table refuses one.
    """
    there = {_identity(keys.of(one)): from_attributes(one) for one in _get(endpoint, table, items, keys)}
    missing = [
        item for item in items if there.get(_identity(keys.of(item.attributes))) != from_attributes(item.attributes)
    ]
    for start in range(0, len(missing), _MOST_ITEMS):
        _put(endpoint, table, missing[start : start + _MOST_ITEMS])
    return len(missing)


def _identity(key: Mapping[str, Any]) -> str:
    return repr(sorted(from_attributes(key).items()))


def _get(endpoint: Endpoint, table: str, items: Sequence[Item], keys: Keys) -> Iterator[_Attributes]:
    dynamodb = client(endpoint, "dynamodb")
    for start in range(0, len(items), _MOST_KEYS):
        wanted = [keys.of(item.attributes) for item in items[start : start + _MOST_KEYS]]
        asked: Any = {table: {"Keys": wanted, "ConsistentRead": True}}
        for _ in range(_TRIES):
            answer = dynamodb.batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(table, [])
            asked = answer.get("UnprocessedKeys")
            if not asked:
                break
        else:
            raise _throttled(endpoint, table)


def _put(endpoint: Endpoint, table: str, items: Sequence[Item]) -> None:
    from botocore.exceptions import ClientError

    dynamodb = client(endpoint, "dynamodb")
    asked: Any = {table: [{"PutRequest": {"Item": item.attributes}} for item in items]}
    try:
        for _ in range(_TRIES):
            asked = dynamodb.batch_write_item(RequestItems=asked).get("UnprocessedItems")
            if not asked:
                return
    except ClientError:
        _put_one_by_one(endpoint, table, items)  # a batch doesn't say which one is wrong
    else:
        raise _throttled(endpoint, table)


def _put_one_by_one(endpoint: Endpoint, table: str, items: Sequence[Item]) -> None:
    from botocore.exceptions import ClientError

    for item in items:
        try:
            client(endpoint, "dynamodb").put_item(TableName=table, Item=item.attributes)
        except ClientError as error:
            raise ConfigError(f"{item.record.where}: {error.response['Error']['Message']}") from error


def _throttled(endpoint: Endpoint, table: str) -> NotReady:
    return NotReady(f"environment {endpoint.environment}: table {table} takes no more items now")


def dump_items(endpoint: Endpoint, table: str) -> Sequence[Any]:
    """Every item of *table* by its key; the key's attributes first, the others by name."""
    keys = keys_of(endpoint, table)
    pages = client(endpoint, "dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [from_attributes(one) for page in pages for one in page["Items"]]

    def sort_key(item: Mapping[str, Any]) -> list[Any]:
        return [item[name] if kind != "B" else str(item[name]) for name, kind in keys.types.items()]

    names = list(keys.types)
    return [
        {name: item[name] for name in [*names, *sorted(item.keys() - keys.types.keys())]}
        for item in sorted(items, key=sort_key)
    ]
