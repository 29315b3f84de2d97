"""
Values of DynamoDB in plain JSON: text, numbers, booleans, null, lists and maps as they are, the rest with a mark.

``{"$binary": "aGk="}``, ``{"$strings": [...]}``, ``{"$numbers": [...]}`` and ``{"$binaries": [...]}``; a map that only
looks like one of these is ``{"$map": {...}}``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any

BINARY, STRINGS, NUMBERS, BINARIES, MAP = "$binary", "$strings", "$numbers", "$binaries", "$map"
# Beyond so many digits a number is written with its exponent.
_DIGITS = 40


def to_attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """
    An item as the API takes it, e.g. ``{"id": {"S": "a"}}``.

    Raises:
        ValueError: DynamoDB has no such value; the message says which one.
    """
    from boto3.dynamodb.types import TypeSerializer

    serializer, found = TypeSerializer(), {}
    for name, value in item.items():
        try:
            found[name] = serializer.serialize(_unmarked(value))
        except (TypeError, ValueError, DecimalException) as error:
            reason = "a number of more digits than DynamoDB keeps" if isinstance(error, DecimalException) else error
            raise ValueError(f"{name}: {reason}") from error
    return found


def from_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The opposite: plain values, numbers as Decimal."""
    from boto3.dynamodb.types import TypeDeserializer

    deserializer = TypeDeserializer()
    return {name: _marked(deserializer.deserialize(value)) for name, value in attributes.items()}


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (mark := next(iter(value))) in _MARKS:
        return _MARKS[mark](value[mark])
    return {key: _unmarked(one) for key, one in value.items()}


def _map(content: Any) -> Any:
    if not isinstance(content, dict):
        raise ValueError(f"{MAP} takes a map")
    return {key: _unmarked(one) for key, one in content.items()}


def _bytes(content: Any) -> bytes:
    if not isinstance(content, str):
        raise ValueError(f"{BINARY} takes base64")
    return base64.b64decode(content, validate=True)


def _set_of(mark: str, read: Callable[[Any], Any], kinds: tuple[type, ...]) -> Callable[[Any], set[Any]]:
    def read_set(content: Any) -> set[Any]:
        if not isinstance(content, list) or not content:
            raise ValueError(f"{mark} takes a list that is not empty")
        if any(isinstance(one, bool) or not isinstance(one, kinds) for one in content):
            raise ValueError(f"{mark} holds something else")
        found = {read(one) for one in content}
        if len(found) != len(content):
            raise ValueError(f"{mark} holds something twice")
        return found

    return read_set


_MARKS: Mapping[str, Callable[[Any], Any]] = {
    BINARY: _bytes,
    STRINGS: _set_of(STRINGS, str, (str,)),
    NUMBERS: _set_of(NUMBERS, Decimal, (int, Decimal)),
    BINARIES: _set_of(BINARIES, _bytes, (str,)),
    MAP: _map,
}


def _marked(value: Any) -> Any:
    if isinstance(value, list):
        return [_marked(one) for one in value]
    if isinstance(value, dict):
        content = {key: _marked(one) for key, one in value.items()}
        return {MAP: content} if len(content) == 1 and next(iter(content)) in _MARKS else content
    if isinstance(value, set):
        return _marked_set(value)
    return {BINARY: _base64(value)} if _is_binary(value) else value


def _marked_set(values: set[Any]) -> dict[str, Any]:
    if all(isinstance(one, str) for one in values):
        return {STRINGS: sorted(values)}
    if all(isinstance(one, Decimal) for one in values):
        return {NUMBERS: sorted(values)}
    return {BINARIES: sorted(map(_base64, values))}


def _is_binary(value: Any) -> bool:
    from boto3.dynamodb.types import Binary

    return isinstance(value, Binary | bytes | bytearray)


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


def as_json(value: Any) -> str:
    """*value* on one line; a Decimal as the number that it is, which ``json`` can't write."""
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_json(str(key))}: {as_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _digits(value: Decimal) -> str:
    plain = f"{value:f}"
    return plain if len(plain) <= _DIGITS else str(value)
