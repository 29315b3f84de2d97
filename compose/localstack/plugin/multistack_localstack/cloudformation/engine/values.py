"""What an expression of a template can come to besides plain JSON: nothing, or something not known yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


class NoValue:
    """What ``Ref: AWS::NoValue`` gives: the property, or the entry of a list, isn't there."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE: Final = NoValue()


@dataclass(frozen=True, slots=True)
class Cause:
    """A resource, or one attribute of it, that a value comes from."""

    logical_id: str
    attribute: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that exists only once the resources it comes from were made or replaced."""

    causes: tuple[Cause, ...]


def unknown_in(value: Any) -> Iterator[Unknown]:
    """Every unknown part of a value, however deep."""
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from unknown_in(part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for part in value:
            yield from unknown_in(part)


def merged(parts: Sequence[Unknown]) -> Unknown:
    """One unknown value that comes from all of *parts*."""
    return Unknown(tuple(dict.fromkeys(cause for part in parts for cause in part.causes)))


def text_of(value: Any) -> str:
    """A scalar as CloudFormation writes it into a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(text_of(part) for part in value)
    return str(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same; a number and its text do, as in CloudFormation."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (Mapping, list, Unknown)) or isinstance(other, (Mapping, list, Unknown)):
        return bool(one == other)
    return one is other or (one is not None and other is not None and text_of(one) == text_of(other))
