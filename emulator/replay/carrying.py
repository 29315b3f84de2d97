"""Ids and cookies that an environment chooses itself, carried from its earlier answers into later requests."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from emulator.errors import MultistackError
from emulator.inspector.redaction import MARK
from emulator.model import CarryRule, HttpAnswer, HttpRequest
from emulator.replay.corpus import Entry

# Shorter values are too common to be known again wherever they stand.
_LEAST = 4
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
# Source: RFC 6265, 5.2. http.cookies drops a cookie for an attribute or a value that it doesn't know.
_COOKIE = re.compile(
    r"""[ \t]*(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?P<value>[^;\x00-\x1f\x7f]*?)[ \t]*(?:;|$)"""
)
_GONE = re.compile(r"(?:^|;)[ \t]*max-age[ \t]*=[ \t]*(?:0+|-[0-9]+)[ \t]*(?:;|$)", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

# The first value that a JSON path finds in a document, or None.
Find = Callable[[str, Any], Any]


class UnsetVariableError(MultistackError):
    """A request needs a variable that no answer has given a value yet."""


class Carried:
    """
    What was carried over so far in one environment, over the whole replay.

    A value that a rule's path finds in a recorded answer stands for the one found in the environment's own answer:
    wherever the first turns up in a later request, the second is sent, and the other way round in answers, so that
    they can be compared. Requests written by hand use ``${variable}``.
    """

    def __init__(self, rules: Sequence[CarryRule], *, find: Find) -> None:
        self._rules = rules
        self._find = find
        self._declared = frozenset(rule.variable for rule in rules)
        self._variables: dict[str, str] = {}
        self._cookies: dict[str, str] = {}
        self._sent_for = _Substitution()
        self._in_target = _Substitution()
        self._plain_for = _Substitution()

    def is_source(self, entry: Entry) -> bool:
        """Whether its answer may give a value to later requests, which therefore wait for it."""
        return any(_is_about(rule, entry.request) for rule in self._rules)

    def fill(self, request: HttpRequest) -> HttpRequest:
        """
        The request as this environment must get it.

        Raises:
            UnsetVariableError: A variable in it has no value.
        """
        has_cookies = any(name.lower() == "cookie" for name, _ in request.headers)
        if not self._declared and not has_cookies:
            return request
        body = self._fill_body(request.body) if request.body else b""
        headers = [(name, self._fill_text(value)) for name, value in request.headers if name.lower() != "cookie"]
        if has_cookies and (cookies := self._cookies_for(request)):
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        target = self._in_target.apply(self._named(request.target, in_target=True))
        return replace(request, target=target, headers=headers, body=body, body_length=len(body))

    def _fill_text(self, text: str) -> str:
        return self._sent_for.apply(self._named(text))

    def _named(self, text: str, *, in_target: bool = False) -> str:
        """With the values of variables that are named in it."""
        if "${" not in text:
            return text
        return _VARIABLE.sub(lambda match: self._value(match, in_target=in_target), text)

    def _fill_body(self, body: bytes) -> bytes:
        # latin-1 keeps every byte of whatever it is.
        return self._fill_text(body.decode("latin-1")).encode("latin-1", "replace")

    def _value(self, match: re.Match[str], *, in_target: bool) -> str:
        name = match[1]
        if name not in self._declared:
            return match[0]
        if name not in self._variables:
            raise UnsetVariableError(f"variable {name} has no value: no answer before held it")
        value = self._variables[name]
        return _quoted(value) if in_target else _as_bytes(value)

    def _cookies_for(self, request: HttpRequest) -> Mapping[str, str]:
        """Those that the environment set; of the recorded ones those that it did not."""
        recorded = "; ".join(value for name, value in request.headers if name.lower() == "cookie")
        pairs = (part.strip().partition("=") for part in recorded.split(";"))
        return {name: value for name, _, value in pairs if name and MARK not in value} | self._cookies

    def learn(self, entry: Entry, answer: HttpAnswer) -> None:
        """Take from an answer what later requests need."""
        self._learn_cookies(answer)
        rules = [rule for rule in self._rules if _is_about(rule, entry.request)]
        if not rules:
            return
        recorded, actual = (_document(one.body) if one else None for one in (entry.answer, answer))
        for rule in rules:
            value = _text(self._find(rule.json_path, actual))
            if value is None:
                continue
            self._variables[rule.variable] = value
            before = _text(self._find(rule.json_path, recorded)) if entry.answer else f"${{{rule.variable}}}"
            if before is not None and before != value and MARK not in before:
                self._sent_for.add(_as_bytes(before), _as_bytes(value))
                self._plain_for.add(_as_bytes(value), _as_bytes(before))
                self._in_target.add(_quoted(before), _quoted(value))

    def _learn_cookies(self, answer: HttpAnswer) -> None:
        for name, value in answer.headers:
            match = _COOKIE.match(value) if name.lower() == "set-cookie" else None
            if match is None:
                continue
            if match["value"] and not _GONE.search(value, match.end("value")):
                self._cookies[match["name"]] = match["value"]
            else:
                self._cookies.pop(match["name"], None)

    def plain(self, answer: HttpAnswer) -> HttpAnswer:
        """The answer as it would be if the environment had chosen the recorded values."""
        if self._plain_for.is_empty:
            return answer
        body = self._plain_for.apply(answer.body.decode("latin-1")).encode("latin-1", "replace")
        return replace(
            answer,
            headers=[(name, self._plain_for.apply(value)) for name, value in answer.headers],
            body=body,
            body_length=answer.body_length + len(body) - len(answer.body),
        )


class _Substitution:
    """Whole words for others, however many there are."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._others: dict[str, str] = {}

    @property
    def is_empty(self) -> bool:
        return not self._words and not self._others

    def add(self, old: str, new: str) -> None:
        if len(old) < _LEAST:
            return
        (self._words if _TOKEN.fullmatch(old) else self._others)[old] = new

    def apply(self, text: str) -> str:
        if self._words:
            text = _TOKEN.sub(lambda match: self._words.get(match[0], match[0]), text)
        for old, new in self._others.items():
            text = text.replace(old, new)
        return text


def _is_about(rule: CarryRule, request: HttpRequest) -> bool:
    path = request.target.partition("?")[0]
    return not rule.request or fnmatch.fnmatchcase(f"{request.method} {path}", rule.request)


def _as_bytes(value: str) -> str:
    """As it stands in headers and bodies, whose bytes are kept as latin-1."""
    return value.encode("utf-8", "replace").decode("latin-1")


def _quoted(value: str) -> str:
    """As it stands in a target, of which it must not become more than one part."""
    return quote(value.encode("utf-8", "replace"), safe="")


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str | None:
    """What is carried: strings and numbers, but none that could end a line."""
    if isinstance(value, str):
        return value if value and value.isprintable() else None
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
