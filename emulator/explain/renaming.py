"""A template in which references lead elsewhere. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SUB = re.compile(r"\$\{([^!}.][^}.]*)((?:\.[^}]*)?)\}")


def renamed(node: Any, names: Mapping[str, str]) -> Any:
    """
    A copy of *node* whose ``Ref``, ``Fn::GetAtt``, ``Fn::Sub`` and ``DependsOn`` lead elsewhere.

    Args:
        names: Logical id to another one, or to one attribute, e.g. ``Function.Arn``, that is meant by whatever
            attribute was asked for.
    """
    if isinstance(node, list):
        return [renamed(one, names) for one in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((key, value),) = node.items()
        if key == "Ref" and isinstance(value, str):
            return _reference(names.get(value, value))
        if key == "Fn::GetAtt":
            return _attribute(value, names)
        if key == "Fn::Sub":
            return {key: _sub(value, names)}
    return {
        key: _depends_on(value, names) if key == "DependsOn" else renamed(value, names) for key, value in node.items()
    }


def _reference(name: str) -> Any:
    logical_id, dot, attribute = name.partition(".")
    return {"Fn::GetAtt": [logical_id, attribute]} if dot else {"Ref": name}


def _depends_on(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value).partition(".")[0]
    return [_depends_on(one, names) for one in value] if isinstance(value, list) else value


def _attribute(value: Any, names: Mapping[str, str]) -> Any:
    parts = value.split(".", 1) if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], str) or parts[0] not in names:
        return {"Fn::GetAtt": value}
    target = names[parts[0]]
    if "." in target:
        return _reference(target)
    return {"Fn::GetAtt": ".".join([target, *parts[1:]]) if isinstance(value, str) else [target, *parts[1:]]}


def _sub(value: Any, names: Mapping[str, str]) -> Any:
    text, variables = value if isinstance(value, list) and len(value) == 2 else (value, {})
    if not isinstance(text, str) or not isinstance(variables, dict):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name in variables or name not in names:
            return match[0]
        target = names[name]
        return f"${{{target}}}" if "." in target else f"${{{target}{match[2]}}}"

    new = _SUB.sub(replace, text)
    return [new, renamed(variables, names)] if isinstance(value, list) else new
