"""Loops of a template, ``Fn::ForEach``: what stands in them, and what of it is known before they are written out."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXTENSIONS = "AWS::LanguageExtensions"
LOOP = "Fn::ForEach"
_BEGINS = f"{LOOP}::"
# Source: CloudFormation, "Fn::ForEach": `&{Identifier}` leaves out what may not stand in a logical id.
_PLACEHOLDER = re.compile(r"([$&])\{([^!}]+)\}")
# Only this form stands for a value in texts; the other one does in keys.
_IN_TEXT = re.compile(r"\$\{([^!}]+)\}")


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop around something: its identifier, and the collection as it is written."""

    identifier: str
    collection: Any

    @property
    def items(self) -> Sequence[str] | None:
        """The values of the identifier; None when parameters decide on them."""
        listed = self.collection
        if isinstance(listed, list) and all(isinstance(one, str | int | float) for one in listed):
            return [str(one) for one in listed]
        return None


def is_loop(name: object) -> bool:
    """Whether it is the key of a loop."""
    return str(name).startswith(_BEGINS)


def members(section: Mapping[str, Any], around: tuple[Loop, ...] = ()) -> Iterator[tuple[str, Any, tuple[Loop, ...]]]:
    """Each entry of a section with the loops that it is in, outermost first."""
    for name, content in section.items():
        if is_loop(name):
            identifier, collection, fragment = content
            yield from members(fragment, (*around, Loop(identifier, collection)))
        else:
            yield name, content, around


def changed(
    section: Mapping[str, Any], change: Callable[[str, Any, tuple[Loop, ...]], Any], around: tuple[Loop, ...] = ()
) -> dict[str, Any]:
    """*section* with each entry as *change* makes it of its name, its content and the loops around it."""
    result = {}
    for name, content in section.items():
        if is_loop(name):
            identifier, collection, fragment = content
            within = changed(fragment, change, (*around, Loop(identifier, collection)))
            result[name] = [identifier, collection, within]
        else:
            result[name] = change(name, content, around)
    return result


def inserted(text: str, values: Mapping[str, str]) -> str:
    """*text* with the values of identifiers in the places that name them."""

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[2])
        if value is None:
            return match[0]
        return re.sub(r"[^0-9A-Za-z]", "", value) if match[1] == "&" else value

    return _PLACEHOLDER.sub(value_of, text)


def text_of(value: Any, loops: Sequence[Loop]) -> Any:
    """The text of a ``Fn::Sub`` in which nothing but identifiers of *loops* is named; any other value as it is."""
    text = value.get("Fn::Sub") if isinstance(value, dict) and len(value) == 1 else None
    if isinstance(text, str) and {*_IN_TEXT.findall(text)} <= {loop.identifier for loop in loops}:
        return text
    return value


def turns(path: str, loops: Sequence[Loop], folder: Path) -> Iterator[Mapping[str, str]]:
    """
    The values of the identifiers that *path* names, for each turn of *loops* that leads to another one.

    Where parameters decide on a loop, environments can differ: all are taken for which *folder* has something.
    """
    named = {loop.identifier: loop.items for loop in loops if f"${{{loop.identifier}}}" in path}
    known = {name: items for name, items in named.items() if items is not None}
    others = [name for name in named if name not in known]
    for combination in itertools.product(*known.values()):
        values = dict(zip(known, combination, strict=True))
        for found in _on_disk(inserted(path, values), others, folder):
            yield {**values, **found}


def _on_disk(path: str, identifiers: Sequence[str], folder: Path) -> Iterator[Mapping[str, str]]:
    if not identifiers:
        yield {}
        return
    parts = _IN_TEXT.split(path)  # what stands between names, and names, in turns
    pattern, group = "", {name: f"_{number}" for number, name in enumerate(identifiers)}
    for index, part in enumerate(parts):
        seen = part in parts[1:index:2]
        name = group.get(part) if index % 2 else None
        pattern += re.escape(part) if name is None else f"(?P={name})" if seen else f"(?P<{name}>[^/]+)"
    anything = "".join("*" if index % 2 else glob.escape(part) for index, part in enumerate(parts))
    for one in sorted(glob.glob(anything, root_dir=folder)):  # noqa: PTH207 (pathlib does not keep `./`)
        if match := re.fullmatch(pattern, one):
            yield {name: match[number] for name, number in group.items()}
