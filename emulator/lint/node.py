"""
Checks one JavaScript or TypeScript file by its tokens.

There is no JavaScript parser that is small, kept up and pure Python. What is searched for has few shapes; what has
another shape is not found.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from emulator.lint.finding import BRANCH, CONFIG_ADVICE, Finding, Source, Words, branch_message, tells_environment
from emulator.lint.names import names_in
from emulator.lint.tokens import Token, tokens

_EQUALS = frozenset({"===", "==", "!==", "!="})
_COMPARED_BY = frozenset({"startsWith", "endsWith", "includes"})
# What a build or a test runner puts into NODE_ENV: the mode of Node's own libraries, not our environments.
_NODE_MODES = frozenset({"production", "development", "test"})
_UNCHANGED_BY = frozenset({"toLowerCase", "toUpperCase", "trim"})
_CLOSED_BY = {")": "(", "]": "[", "}": "{"}


def check_node(source: Source, words: Words) -> Iterator[Finding]:
    """Findings in the file's order."""
    all_tokens = list(tokens(source.text))
    for index, token in enumerate(all_tokens):
        if token.kind == "text":
            yield from names_in(source, words, token.value, token.line, called=_called(all_tokens, index))
        for subject, names in _branches(all_tokens, index):
            named = words.named(name for name in names if not (subject.endswith("NODE_ENV") and name in _NODE_MODES))
            if named:
                yield source.finding(token.line, BRANCH, branch_message(subject, named), CONFIG_ADVICE)


def _branches(all_tokens: Sequence[Token], index: int) -> Iterator[tuple[str, list[str]]]:
    """What a token decides: the subject and the texts that it is held against; most tokens decide nothing."""
    token = all_tokens[index]
    if token.value in _EQUALS and token.kind == "sign":
        left, right = _before(all_tokens, index), _after(all_tokens, index + 1)
        for subject, other in ((left, _text(all_tokens, index + 1)), (right, _text(all_tokens, index - 1))):
            if _holds(subject) and other is not None:
                yield subject, [other]
    elif token.value == "switch" and token.kind == "name":
        subject = _after(all_tokens, index + 2)
        if _holds(subject):
            yield subject, _cases(all_tokens, index)
    elif token.value in _COMPARED_BY and index > 1 and all_tokens[index - 1].value in {".", "?."}:
        yield from _method(all_tokens, index)
    elif token.value == "[" and token.kind == "sign" and index and all_tokens[index - 1].value == "}":
        subject = _after(all_tokens, index + 1)
        if _holds(subject):
            opened = _opening(all_tokens, index - 1)
            inside = all_tokens[opened:index]
            keys = [one.value for one, after in itertools.pairwise(inside) if after.value == ":"]
            yield subject, keys


def _method(all_tokens: Sequence[Token], index: int) -> Iterator[tuple[str, list[str]]]:
    """``stage.startsWith('prod')`` and ``['prod', 'staging'].includes(stage)``."""
    subject, text = _before(all_tokens, index - 1), _text(all_tokens, index + 2)
    if text is not None and _holds(subject):
        yield subject, [text]
    argument = _after(all_tokens, index + 2)
    if all_tokens[index - 2].value == "]" and _holds(argument):
        opened = _opening(all_tokens, index - 2)
        yield argument, [one.value for one in all_tokens[opened:index] if one.kind == "text"]


def _cases(all_tokens: Sequence[Token], index: int) -> list[str]:
    """The texts of a ``switch``'s cases."""
    found: list[str] = []
    depth = 0
    for position in range(index, len(all_tokens)):
        token = all_tokens[position]
        if token.kind == "sign":
            depth += (token.value == "{") - (token.value == "}")
            if token.value == "}" and depth == 0:
                break
        if token.kind == "name" and token.value == "case" and depth == 1:
            text = _text(all_tokens, position + 1)
            found += [] if text is None else [text]
    return found


def _text(all_tokens: Sequence[Token], index: int) -> str | None:
    if 0 <= index < len(all_tokens) and all_tokens[index].kind == "text":
        return all_tokens[index].value
    return None


def _holds(subject: str) -> bool:
    """Whether a chain of names such as ``process.env.STAGE`` holds the environment's name."""
    return subject.startswith("process.env.") or tells_environment(subject.rpartition(".")[2])


def _after(all_tokens: Sequence[Token], index: int) -> str:
    """The chain of names that starts at *index*: ``process.env['STAGE']`` is ``process.env.STAGE``."""
    parts: list[str] = []
    while index < len(all_tokens) and all_tokens[index].kind == "name":
        parts.append(all_tokens[index].value)
        index += 1
        while _text(all_tokens, index + 1) and all_tokens[index].value == "[":
            parts.append(all_tokens[index + 1].value)
            index += 3
        if index < len(all_tokens) and all_tokens[index].value in {".", "?."}:
            index += 1
        else:
            break
    return ".".join(part for part in parts if part not in _UNCHANGED_BY)


def _before(all_tokens: Sequence[Token], index: int) -> str:
    """The chain of names that ends before *index*, without calls that only change the spelling."""
    position = index - 1
    while position >= 0:
        token = all_tokens[position]
        if token.value in _CLOSED_BY and token.kind == "sign":
            position = _opening(all_tokens, position) - 1
        elif token.kind == "name" or token.value in {".", "?."}:
            if token.kind == "name" and position + 1 < index and all_tokens[position + 1].kind == "name":
                break
            position -= 1
        else:
            break
    return _after(all_tokens, position + 1) if position + 1 < index else ""


def _opening(all_tokens: Sequence[Token], index: int) -> int:
    """Where the bracket that closes at *index* was opened."""
    depth = 0
    for position in range(index, -1, -1):
        token = all_tokens[position]
        if token.kind != "sign":
            continue
        depth += (token.value in _CLOSED_BY) - (token.value in _CLOSED_BY.values())
        if depth == 0:
            return position
    return 0


def _called(all_tokens: Sequence[Token], index: int) -> str:
    """What a text is for: ``TableName: 'x'``, or ``Table('x')``."""
    if index >= 2 and all_tokens[index - 1].value in {":", "("} and all_tokens[index - 2].kind in {"name", "text"}:
        return all_tokens[index - 2].value
    return ""
