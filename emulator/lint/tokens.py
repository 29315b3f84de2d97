"""JavaScript and TypeScript as tokens: no comments, strings whole. Enough to search, far from a parser."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass

# In this order: a comment before a slash, a string before anything that could stand in one. A slash begins a regular
# expression only where a value can begin; elsewhere it divides.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)
  | (?P<regex>/(?![/*])(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[a-z]*)
  | (?P<name>[A-Za-z_$][\w$]*)
  | (?P<number>\d[\w.]*)
  | (?P<sign>===|!==|==|!=|=>|\?\?|\?\.|&&|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)
_VALUE_ENDS = frozenset(")]}")


@dataclass(frozen=True, slots=True)
class Token:
    """
    One token.

    Attributes:
        kind: ``text``, ``name``, ``number``, ``regex`` or ``sign``.
        value: As written; of a text what is between its quotes.
    """

    kind: str
    value: str
    line: int


def tokens(source: str) -> Iterator[Token]:
    """The tokens of *source*, in its order."""
    breaks = [match.start() for match in re.finditer("\n", source)]
    position, before = 0, ""
    while match := _TOKEN.match(source, position):
        kind = match.lastgroup or ""
        if kind == "regex" and before:  # it divides
            match = re.compile("/").match(source, position) or match
            kind = "sign"
        position = match.end()
        if kind == "space":
            continue
        value = match[0][1:-1] if kind == "text" else match[0]
        yield Token(kind, value, bisect.bisect_left(breaks, match.start()) + 1)
        before = value if kind in {"text", "name", "number"} or value in _VALUE_ENDS else ""
        if kind == "name" and value in {"return", "typeof", "case", "in", "of"}:
            before = ""
