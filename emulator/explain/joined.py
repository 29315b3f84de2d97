"""
Texts that CloudFormation puts together, as pieces: literals and references.

``Fn::Sub``, ``Fn::Join`` and plain text can say the same; what is found and changed in one form is so in all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

Piece = str | dict[str, Any]
_SUB = re.compile(r"\$\{([^}]*)\}")


def pieces(value: Any) -> list[Piece] | None:
    """The pieces of a text, adjacent literals as one; None when *value* is no text, or not to be known."""
    found = _pieces(value)
    return None if found is None else _joined(found)


def text_of(parts: Sequence[Piece]) -> Any:
    """The shortest value that is these pieces: a text, a reference, or an ``Fn::Sub``."""
    parts = _joined(parts)
    if len(parts) <= 1:
        return parts[0] if parts else ""
    text = ""
    variables: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, str):
            text += part.replace("${", "${!")
        elif name := _name(part):
            text += f"${{{name}}}"
        else:
            variables[f"Part{len(variables) + 1}"] = part
            text += f"${{Part{len(variables)}}}"
    return {"Fn::Sub": [text, variables] if variables else text}


def _pieces(value: Any) -> list[Piece] | None:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((function, argument),) = value.items()
    if function == "Fn::Sub":
        return _of_sub(argument)
    if function == "Fn::Join":
        return _of_join(argument)
    return [value] if function == "Ref" or function.startswith("Fn::") else None


def _of_sub(argument: Any) -> list[Piece] | None:
    text, variables = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str) or not isinstance(variables, dict):
        return None
    found: list[Piece] = []
    end = 0
    for match in _SUB.finditer(text):
        name = match[1].strip()
        found.append(text[end : match.start()])
        if name.startswith("!"):
            found.append(f"${{{name[1:]}}}")
        elif name in variables:
            found.extend(_pieces(variables[name]) or [variables[name]])
        else:
            resource, _, attribute = name.partition(".")
            found.append({"Fn::GetAtt": [resource, attribute]} if attribute else {"Ref": name})
        end = match.end()
    return [*found, text[end:]]


def _of_join(argument: Any) -> list[Piece] | None:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[1], list):
        return None
    found: list[Piece] = []
    for index, item in enumerate(argument[1]):
        parts = _pieces(item)
        if parts is None:
            return None
        found.extend([str(argument[0]), *parts] if index else parts)
    return found


def _joined(parts: Iterable[Piece]) -> list[Piece]:
    result: list[Piece] = []
    for part in parts:
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] += part
        elif part != "":
            result.append(part)
    return result


def _name(part: dict[str, Any]) -> str | None:
    """What stands in the braces of ``Fn::Sub`` for a reference; None for what has no such form."""
    if isinstance(part.get("Ref"), str):
        return str(part["Ref"])
    attribute = part.get("Fn::GetAtt")
    if isinstance(attribute, str):
        return attribute
    if isinstance(attribute, list) and all(isinstance(one, str) for one in attribute):
        return ".".join(attribute)
    return None
