"""Stage variables: where a template puts them into texts, and which values stages give them. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.explain.joined import Piece, pieces
from emulator.explain.survey import FUNCTIONS, STAGE_TYPES, Survey
from emulator.references import names_in
from emulator.template import Template

REFERENCE = re.compile(r"\$\{stageVariables\.(\w+)\}")
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """
    A text that a stage variable is part of.

    Attributes:
        qualifies: Whether it chooses the version of a function, and not what is called.
    """

    path: Path
    variable: str
    qualifies: bool


def uses(template: Template) -> list[Use]:
    """Every use in the template's resources, in its order."""
    functions = {name for name, one in template["Resources"].items() if one["Type"] in FUNCTIONS}
    return [
        Use(path, match[1], qualifies(parts, index, part[: match.start()], functions))
        for name, resource in template["Resources"].items()
        for path, parts in _texts(resource.get("Properties", {}), ("Resources", name, "Properties"))
        for index, part in enumerate(parts)
        if isinstance(part, str)
        for match in REFERENCE.finditer(part)
    ]


def qualifies(parts: list[Piece], index: int, before: str, functions: set[str]) -> bool:
    """
    Whether what comes next in a text chooses a function's version or alias.

    Args:
        before: The literal in front of it, which is the beginning of piece *index*.
        functions: Logical ids of functions; references to aliases must lead to functions by now.
    """
    if before == ":" and index:
        previous, above = parts[index - 1], parts[index - 2] if index > 1 else ""
        is_name = isinstance(above, str) and above.endswith(":function:")
        return isinstance(previous, dict) and (is_name or bool(functions & set(names_in(previous))))
    return re.search(r":function:[^:/]+:$", before) is not None


def values(found: Survey) -> Mapping[str, Mapping[str, Any]]:
    """Variable to environment to value, as the stages of environments have them."""
    result: dict[str, dict[str, Any]] = {}
    for stage in found.stages:
        for name, value in variables_of(found.template["Resources"][stage.logical_id]).items():
            result.setdefault(name, {}).setdefault(stage.environment, value)
    return result


def variables_of(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables of one stage."""
    _, key = STAGE_TYPES[resource["Type"]]
    content = resource.get("Properties", {}).get(key) or {}
    if key == "StageDescription" and isinstance(content, dict):
        content = content.get("Variables") or {}
    return content if isinstance(content, dict) else {}


def _texts(node: Any, path: Path) -> Iterator[tuple[Path, list[Piece]]]:
    """Every text under *node*, whole as far as it is put together."""
    parts = pieces(node)
    if parts is not None:
        if any(isinstance(part, str) and REFERENCE.search(part) for part in parts):
            yield path, parts
    elif isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _texts(value, (*path, key))
