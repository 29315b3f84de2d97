"""
Gap: airspeed 0.7 writes values of templates as Python does, and lacks methods that Velocity has of Java's types.

Source:
    https://velocity.apache.org/engine/1.7/user-guide.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, KeysView, Mapping
from typing import Any

Method = Callable[..., Any]


def evaluated(template: str, names: Mapping[str, Any]) -> str:
    """*template* where *names* are known."""
    return str(_engine().Template(template).merge(names))


def written(value: Any) -> str:
    """As a template writes it: an object as Java's maps are, a list as the JSON that JSONPath makes of one."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, KeysView):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool | int | float | list | tuple):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    return str(value)


@functools.cache
def _engine() -> Any:
    import airspeed

    for kind, methods in _METHODS.items():
        airspeed.__additional_methods__[kind] = {**airspeed.__additional_methods__.get(kind, {}), **methods}
    airspeed.FormalReference.evaluate_raw = _write
    return airspeed


def _write(reference: Any, stream: Any, namespace: Any, loader: Any) -> None:
    """
    Write what a reference comes to.

    What an object lacks is an empty text; what is no name here, or no method, stays as it is written.
    """
    expression = reference.expression
    value = None if expression is None else expression.calculate(namespace, loader)
    if value is None and reference.alternate is not None:
        value = reference.alternate.calculate(namespace, loader)
    if value is None:
        is_silent = expression is not None and (reference.silent or _is_lacking(expression, namespace))
        value = "" if is_silent else reference.my_text()
    stream.write(written(value))


def _is_lacking(expression: Any, namespace: Any) -> bool:
    try:
        namespace[expression.part.name]
    except KeyError:
        return False
    last = expression
    while getattr(last, "subexpression", None):
        last = getattr(last.subexpression, "expression", last.subexpression)
    return getattr(getattr(last, "part", None), "parameters", None) is None


def _add(items: list[Any], item: Any) -> bool:
    items.append(item)
    return True


def _substring(text: str, start: int, end: int | None = None) -> str:
    return text[start:end]


def _entries(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        {"key": key, "value": value, "getKey": functools.partial(str, key), "getValue": functools.partial(_same, value)}
        for key, value in values.items()
    ]


def _same(value: Any) -> Any:
    return value


_OF_ALL: Mapping[str, Method] = {"equals": lambda self, other: bool(self == other), "toString": written}
_METHODS: Mapping[type, Mapping[str, Method]] = {
    bool: _OF_ALL,
    int: _OF_ALL,
    float: _OF_ALL,
    str: {
        **_OF_ALL,
        "concat": lambda self, other: self + other,
        "endsWith": lambda self, end: self.endswith(end),
        "equalsIgnoreCase": lambda self, other: self.lower() == str(other).lower(),
        "indexOf": lambda self, part: self.find(part),
        "isEmpty": lambda self: not self,
        "lastIndexOf": lambda self, part: self.rfind(part),
        "matches": lambda self, pattern: re.fullmatch(pattern, self) is not None,
        "substring": _substring,
        "toLowerCase": lambda self: self.lower(),
        "toUpperCase": lambda self: self.upper(),
        "trim": lambda self: self.strip(),
    },
    list: {**_OF_ALL, "add": _add, "isEmpty": lambda self: not self},
    dict: {
        **_OF_ALL,
        "containsKey": lambda self, key: key in self,
        "entrySet": _entries,
        "size": len,
    },
}
