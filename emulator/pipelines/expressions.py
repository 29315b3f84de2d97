"""
Conditions and ``${{ }}`` of CI files: the few forms they need, parsed whole before anything runs.

GitHub: ``github.ref_name == 'main' && !failure()``. GitLab: ``$CI_COMMIT_BRANCH == "main" || $X =~ /^v/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Lookup = Callable[[str], str | None]
"""The value of a name such as ``github.ref_name``, ``failure()`` or ``$CI_COMMIT_TAG``; None when it has none."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*'|"[^"]*")|(?P<regex>/(?:[^/\\]|\\.)+/i?)|(?P<sign>==|!=|=~|!~|&&|\|\||[!()])
    |(?P<name>\$\w+|[A-Za-z_][\w-]*(?:\.[\w-]+)*(?:\(\))?)|(?P<number>\d+))""",
    re.VERBOSE,
)
_FIELD = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_FALSE = {"", "false", "0", "null"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str


def is_true(expression: str, lookup: Lookup) -> bool:
    """Whether a condition holds. Raises ValueError when it isn't understood."""
    return _Parser(expression, lookup).whole() not in _FALSE


def names_in(expression: str) -> list[str]:
    """The names that a condition depends on. Raises ValueError when it isn't understood."""
    met: list[str] = []

    def remember(name: str) -> str | None:
        met.append(name)
        return None

    _Parser(expression, remember).whole()
    return met


def fields_in(text: str) -> Iterator[str]:
    """What stands between ``${{`` and ``}}``."""
    return (match[1].strip() for match in _FIELD.finditer(text))


def fill(text: str, lookup: Lookup) -> str:
    """*text* with each ``${{ }}`` replaced by its value; what has none is empty. Raises ValueError as above."""
    return _FIELD.sub(lambda match: _Parser(match[1].strip(), lookup).whole(), text)


class _Parser:
    """By precedence: or, and, not, comparison. Both sides are always evaluated, so that each name is met."""

    def __init__(self, expression: str, lookup: Lookup) -> None:
        self._lookup = lookup
        self._expression = expression
        self._tokens: list[_Token] = []
        position = 0
        while expression[position:].strip():
            match = _TOKEN.match(expression, position)
            if match is None:
                raise ValueError(f"{expression[position:].strip()!r} in a condition is not understood")
            self._tokens.append(_Token(match.lastgroup or "", match[match.lastgroup or 0]))
            position = match.end()
        self._at = 0

    def whole(self) -> str:
        """The value of all of it."""
        value = self._or()
        if self._at < len(self._tokens):
            raise ValueError(f"{self._tokens[self._at].value!r} in {self._expression!r} is not understood")
        return value

    def _next(self, *signs: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at].kind == "sign":
            sign = self._tokens[self._at].value
            if sign in signs:
                self._at += 1
                return sign
        return None

    def _or(self) -> str:
        value = self._and()
        while self._next("||"):
            other = self._and()
            value = value if value not in _FALSE else other
        return value

    def _and(self) -> str:
        value = self._comparison()
        while self._next("&&"):
            other = self._comparison()
            value = other if value not in _FALSE else value
        return value

    def _comparison(self) -> str:
        value = self._value()
        sign = self._next("==", "!=", "=~", "!~")
        if sign is None:
            return value
        if sign in {"==", "!="}:
            return _said((value == self._value()) == (sign == "=="))
        pattern = self._take("regex")
        flags = re.IGNORECASE if pattern.endswith("i") else re.NOFLAG
        try:
            is_found = re.search(pattern.removesuffix("i")[1:-1], value, flags) is not None
        except re.error as error:
            raise ValueError(f"{pattern} is no pattern: {error}") from error
        return _said(is_found == (sign == "=~"))

    def _take(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at].kind != kind:
            raise ValueError(f"{self._expression!r} is not understood")
        self._at += 1
        return self._tokens[self._at - 1].value

    def _value(self) -> str:
        if self._next("!"):
            return _said(self._value() in _FALSE)
        if self._next("("):
            value = self._or()
            if not self._next(")"):
                raise ValueError(f"a bracket is not closed in {self._expression!r}")
            return value
        token = self._tokens[self._at] if self._at < len(self._tokens) else _Token("", "")
        self._at += 1
        if token.kind == "text":
            return token.value[1:-1].replace("''", "'") if token.value[0] == "'" else token.value[1:-1]
        if token.kind == "number" or token.value in {"true", "false"}:
            return token.value
        if token.kind != "name":
            raise ValueError(f"{self._expression!r} is not understood")
        return "" if token.value == "null" else self._lookup(token.value) or ""


def _said(fact: bool) -> str:
    return "true" if fact else "false"
