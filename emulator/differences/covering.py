"""Things that are about places of an answer, found for any place without a look at each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from emulator.differences.findings import Part, Place

T = TypeVar("T")

_HIDDEN = "<masked>"


class _Node(Generic[T]):
    """A place, with the first thing about it and its number."""

    __slots__ = ("below", "first")

    def __init__(self) -> None:
        self.below: dict[Any, _Node[T]] = {}
        self.first: tuple[int, T] | None = None


class Covering(Generic[T]):
    """
    Which of many things is about a place: about it, or about one that it lies in (:meth:`Place.covers`).

    Args:
        things: In order: of several about one place the first counts.
    """

    def __init__(self, things: Iterable[tuple[Place, T]]) -> None:
        self._parts: dict[Part, _Node[T]] = {}
        for number, (place, thing) in enumerate(things):
            node = self._parts.setdefault(place.part, _Node())
            for step in place.at:
                node = node.below.setdefault(step, _Node())
            node.first = node.first or (number, thing)

    def first(self, place: Place) -> T | None:
        """The first thing about *place*, or None."""
        found = min(self._about(place), default=None, key=lambda one: one[0])
        return None if found is None else found[1]

    def _about(self, place: Place) -> Iterator[tuple[int, T]]:
        nodes = [self._parts[place.part]] if place.part in self._parts else []
        if place.part in {Part.JSON, Part.LINE} and Part.BODY in self._parts:
            yield from _firsts([self._parts[Part.BODY]])
        yield from _firsts(nodes)
        for step in place.at:
            nodes = _next(nodes, step)
            if not nodes:
                return
            yield from _firsts(nodes)

    def hide(self, document: Any) -> tuple[Any, list[T]]:
        """
        A copy of a JSON document with one value for all that things are about, so that entries are told apart by the
        rest, and the things that there was something to hide for.
        """
        hidden: list[tuple[int, T]] = []
        root = self._parts.get(Part.JSON)
        copy = _hide(document, [root], hidden) if root else document
        return copy, [thing for _, thing in sorted(dict(hidden).items())]


def _hide(value: Any, nodes: list[_Node[T]], hidden: list[tuple[int, T]]) -> Any:
    if not nodes:
        return value
    if firsts := list(_firsts(nodes)):
        hidden += firsts
        return _HIDDEN
    if isinstance(value, dict):
        return {key: _hide(child, _next(nodes, key), hidden) for key, child in value.items()}
    if isinstance(value, list):
        return [_hide(child, _next(nodes, index), hidden) for index, child in enumerate(value)]
    return value


def _firsts(nodes: Iterable[_Node[T]]) -> Iterator[tuple[int, T]]:
    return (node.first for node in nodes if node.first is not None)


def _next(nodes: Iterable[_Node[T]], step: str | int | None) -> list[_Node[T]]:
    """One step further; an index also where any is meant."""
    steps = (step,) if isinstance(step, str) or step is None else (step, None)
    return [node.below[one] for node in nodes for one in steps if one in node.below]
