"""Fills the values of stage variables into texts, and takes aliases out of what names a function. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.explain.joined import Piece, pieces, text_of
from emulator.explain.stage_variables import REFERENCE, qualifies
from emulator.explain.survey import FUNCTIONS
from emulator.explain.unifying import Unifier
from emulator.explain.words import Words
from emulator.references import names_in

_QUALIFIER = re.compile(r":(\w+)(?=/|$)")


def with_values(
    resources: dict[str, Any], variables: Mapping[str, Any], unifier: Unifier, words: Words
) -> dict[str, Any]:
    """Resources whose texts have the values of stage variables, and name functions without an alias."""
    functions = {name for name, one in resources.items() if one["Type"] in FUNCTIONS}

    def walk(node: Any) -> Any:
        parts = pieces(node)
        if parts is not None:
            filled = list(_filled(_unqualified(parts, functions, words), variables, functions, unifier))
            return node if filled == parts else text_of(filled)
        if isinstance(node, dict):
            return {key: walk(value) for key, value in node.items()}
        return [walk(one) for one in node] if isinstance(node, list) else node

    return {
        name: {key: walk(value) if key == "Properties" else value for key, value in resource.items()}
        for name, resource in resources.items()
    }


def _unqualified(parts: list[Piece], functions: set[str], words: Words) -> list[Piece]:
    """*parts* without ``:prod`` after a function's name or ARN."""
    result: list[Piece] = []
    for part in parts:
        match = _QUALIFIER.match(part) if isinstance(part, str) else None
        follows = bool(result) and isinstance(result[-1], dict) and bool(functions & set(names_in(result[-1])))
        is_environment = match is not None and words.environment(match[1]) is not None
        result.append(part[match.end() :] if match and follows and is_environment and isinstance(part, str) else part)
    return result


def _filled(parts: list[Piece], variables: Mapping[str, Any], functions: set[str], unifier: Unifier) -> Iterator[Piece]:
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            yield part
            continue
        end = 0
        for match in REFERENCE.finditer(part):
            before = part[end : match.start()]
            if qualifies(parts, index, part[: match.start()], functions):
                yield before.removesuffix(":")
            else:
                yield before
                yield from pieces(_value(match[1], variables, unifier)) or [match[0]]
            end = match.end()
        yield part[end:]


def _value(name: str, variables: Mapping[str, Any], unifier: Unifier) -> Any:
    if name in variables:
        return variables[name]
    unifier.notes.append(f"no stage of the template has the variable {name}: give its new parameter a value")
    return {"Ref": unifier.parameter((name,), {}, "String")}
