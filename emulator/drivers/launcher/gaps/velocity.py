"""
Gap: airspeed 0.7 knows Python's values where templates have Java's: how they read, their methods, what is true of them.

In Velocity anything but null and ``false`` is true, an empty text too; what an object of a body lacks is an empty text
in API Gateway. Names may have hyphens.

Source:
    https://velocity.apache.org/engine/1.7/user-guide.html
    https://github.com/dherault/serverless-offline/issues/50 (what is lacking counts as true in a condition)
"""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, KeysView, Mapping, ValuesView
from typing import Any

Method = Callable[..., Any]
# A name, and what `#set` sets: Velocity's names may have hyphens.
_NAME = r"[a-z_][a-z0-9_-]*"
# `$1` and `${name}` of Java's replacements, and what is escaped there.
_GROUP = re.compile(r"\\(.)|\$(\d|\{\w+\})", re.DOTALL)


class Listed(list[Any]):
    """A list that a template makes, which is none of JSON."""


def evaluated(template: str, names: Mapping[str, Any]) -> str:
    """*template* where *names* are known."""
    return str(_engine().Template(template).merge(names))


def written(value: Any) -> str:
    """As a template writes it: objects and its own lists as Java does, a list of a body as the JSON that it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, Listed | KeysView | ValuesView | range):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool | int | float | list | tuple):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    return str(value)


@functools.cache
def _engine() -> Any:
    import airspeed

    airspeed.FormalReference.evaluate_raw = _write
    airspeed.NameOrCall.NAME = re.compile(f"({_NAME})", re.IGNORECASE)
    airspeed.ForeachDirective.LOOP_VAR_NAME = re.compile(rf"\$({_NAME})", re.IGNORECASE)
    airspeed.SetDirective.PLACE = re.compile(rf"\s*\$({_NAME}(?:\.{_NAME})*)", re.IGNORECASE)
    airspeed.NameOrCall.calculate = _with_methods(airspeed.NameOrCall.calculate)
    airspeed.ValueList.calculate = _listing(airspeed.ValueList.calculate)
    airspeed.Condition.parse = _deciding(airspeed.Condition.parse)
    binary = airspeed.BinaryOperator.OPERATORS
    binary |= dict.fromkeys(("==", "eq"), _are_equal) | dict.fromkeys(("!=", "ne"), lambda a, b: not _are_equal(a, b))
    binary |= dict.fromkeys(("&&", "and"), lambda a, b: _is_true(a) and _is_true(b))
    binary |= dict.fromkeys(("||", "or"), lambda a, b: _is_true(a) or _is_true(b))
    for names, compare in _COMPARISONS.items():
        binary |= dict.fromkeys(names, functools.partial(_compared, compare))
    airspeed.UnaryOperatorValue.OPERATORS |= dict.fromkeys(("!", "not"), lambda value: not _is_true(value))
    return airspeed


def _is_true(value: Any) -> bool:
    return value is not None and value is not False


def _are_equal(one: Any, other: Any) -> bool:
    """Of different kinds are equal what reads the same; nothing equals null but itself."""
    if one is None or other is None or type(one) is type(other):
        return bool(one == other)
    both_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return bool(one == other) if both_numbers else written(one) == written(other)


def _compared(compare: Method, one: Any, other: Any) -> bool:
    """What can't be compared is neither more nor less."""
    try:
        return bool(compare(one, other))
    except TypeError:
        return False


_COMPARISONS: Mapping[tuple[str, str], Method] = {
    ("<", "lt"): operator.lt,
    ("<=", "le"): operator.le,
    (">", "gt"): operator.gt,
    (">=", "ge"): operator.ge,
}


def _deciding(parse: Any) -> Any:
    def parse_condition(condition: Any) -> None:
        parse(condition)
        calculate = condition.calculate
        condition.calculate = lambda *known: _is_true(calculate(*known))

    return parse_condition


def _listing(calculate: Any) -> Any:
    return lambda values, *known: Listed(calculate(values, *known))


def _with_methods(calculate: Any) -> Any:
    """A call is one of Java's methods where the value's type has it; a name that an object lacks is an empty text."""

    def calculate_part(part: Any, value: Any, loader: Any, namespace: Any) -> Any:
        if part.parameters is not None:
            kinds = (_METHODS[kind] for kind in type(value).__mro__ if kind in _METHODS)
            method = next((methods[part.name] for methods in kinds if part.name in methods), None)
            if method is not None:
                return method(value, *part.parameters.calculate(namespace, loader))
        found = calculate(part, value, loader, namespace)
        is_lacking = found is None and type(value) is dict and part.parameters is None and part.name not in value
        return "" if is_lacking else found

    return calculate_part


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


def _replaced(count: int, text: str, pattern: str, replacement: str) -> str:
    """As Java's ``replaceAll`` and ``replaceFirst`` do, whose replacements name groups as ``$1``."""

    def put(found: re.Match[str]) -> str:
        return _GROUP.sub(lambda part: part[1] or found[_group(part[2])] or "", replacement)

    return re.sub(pattern, put, text, count=count)


def _group(name: str) -> int | str:
    return int(name) if name.isdigit() else name.strip("{}")


def _split(text: str, pattern: str) -> Listed:
    """As Java's ``split`` does, which leaves out what is empty at the end."""
    parts = re.split(pattern, text)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return Listed(parts)


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
        "replaceAll": functools.partial(_replaced, 0),
        "replaceFirst": functools.partial(_replaced, 1),
        "split": _split,
        "substring": _substring,
        "toLowerCase": lambda self: self.lower(),
        "toUpperCase": lambda self: self.upper(),
        "trim": lambda self: self.strip(),
    },
    list: {
        **_OF_ALL,
        "add": _add,
        "contains": lambda self, item: item in self,
        "get": lambda self, index: self[index],
        "isEmpty": lambda self: not self,
        "size": len,
    },
    dict: {
        **_OF_ALL,
        "containsKey": lambda self, key: key in self,
        "entrySet": _entries,
        "isEmpty": lambda self: not self,
        "keySet": lambda self: self.keys(),
        "size": len,
    },
}
