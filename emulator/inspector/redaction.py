"""
Takes secrets out of an exchange before anyone keeps it.

What is secret is told by name: of a header, a cookie, a query parameter, a field of a body. Some values give
themselves away whatever they are called: AWS access keys, JSON Web Tokens. A body that can't be read, because it is
compressed in a way unknown here, is not kept at all.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import unquote_plus

from emulator.encodings import MAX_DECODED, decoded
from emulator.model import Exchange, HttpAnswer, HttpRequest
from emulator.model.exchanges import Headers

MARK = "[redacted]"
_URL_MARK = "redacted"

# Compared without case and punctuation: `X-Api-Key`, `api_key` and `apiKey` are one name.
_NAMES = frozenset({"authorization", "cookie", "setcookie", "jwt", "pwd", "passwd", "credentials", "xamzcredential"})
_ENDINGS = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "accesskeyid", "secretkey"),
    *("privatekey", "credential", "authorization", "signature"),
)
# Where a list goes on says nothing about who asks for it.
_HARMLESS = frozenset({"nexttoken", "pagetoken", "nextpagetoken", "continuationtoken", "synctoken"})
# Signs of a name or a header beyond which nothing is remembered of it.
_LONG = 300
_COOKIES = frozenset({"cookie", "setcookie"})
_URL_HEADERS = frozenset({"referer", "location", "contentlocation", "link"})

_PUNCTUATION = re.compile(r"[^a-z0-9]+")
# Every pattern reads a text once: none may be made to begin again and again by what a client sends.
_TELLING = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|(?<![\w-])eyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9-]*) +\S")
_PARAMETER = re.compile(r"(^|[?&;])([^=&;?#]+)=([^&;#]*)")
# A link in the middle of a text.
_LINKED = re.compile(r"([?&]|&amp;)([\w.%-]+)=([^&;#\s\"'<>\\]+)")
_JSON_KEY = re.compile(r'"((?:[^"\\]|\\.){1,200})"\s*:\s*', re.DOTALL)
_ELEMENT = re.compile(r"<([\w:.-]+)(\s[^<>]*|)>([^<]+)")
_PART_NAME = re.compile(r'^content-disposition:[^\r\n]*[; ]name="?([^"\r\n;]*)"?', re.IGNORECASE | re.MULTILINE)
_BINARY = re.compile(r"\s*(?:image|audio|video|font)/(?!svg)|\s*application/(?:zip|gzip|pdf|wasm)", re.IGNORECASE)

_Message = TypeVar("_Message", HttpRequest, HttpAnswer)


@dataclass(frozen=True, slots=True, eq=False)
class Redaction:
    """
    The rules of one project.

    Attributes:
        further: Names that are secret besides those that always are.
    """

    further: frozenset[str] = frozenset()

    @classmethod
    def of(cls, names: Collection[str]) -> Redaction:
        """With the names that a project adds, however they are written."""
        return cls(frozenset(_plain(name) for name in names))

    def is_secret(self, name: str) -> bool:
        """Whether what is called *name* is a secret."""
        return self._is_secret(name[-_LONG:])

    # Requests to one service have the same few headers and fields: looked at once, a request costs a third.
    @functools.lru_cache(maxsize=4096)  # noqa: B019 - there is one of these per project
    def _is_secret(self, name: str) -> bool:
        plain = _plain(name)
        if plain in self.further or plain in _NAMES:
            return True
        return plain.endswith(_ENDINGS) and plain not in _HARMLESS

    def redact(self, exchange: Exchange) -> Exchange:
        """*exchange* without its secrets, and its bodies as they read: decompressed."""
        request, answer = self._message(exchange.request), self._message(exchange.answer)
        target = self._url(request.target)
        if target != request.target:
            request = replace(request, target=target)
        if request is exchange.request and answer is exchange.answer:
            return exchange
        return replace(exchange, request=request, answer=answer)

    def _message(self, message: _Message) -> _Message:
        headers = [(name, self._known(name, value)) for name, value in message.headers]
        read = self._body(message.body, message.headers) if message.body else message.body
        if read == message.body and headers == list(message.headers):
            return message
        body = b"" if read is None else read
        is_whole = message.body_length <= len(message.body) and read is not None and len(body) < MAX_DECODED
        length = len(body) if is_whole else max(message.body_length, len(body) + 1)
        return replace(message, headers=tuple(headers), body=body, body_length=length)

    def _known(self, name: str, value: str) -> str:
        return self._header(name, value) if len(name) + len(value) > _LONG else self._short_header(name, value)

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - as above
    def _short_header(self, name: str, value: str) -> str:
        return self._header(name, value)

    def _header(self, name: str, value: str) -> str:
        plain = _plain(name)
        if plain in _COOKIES:
            return _cookies(value, is_set="set" in plain)
        if self.is_secret(name):
            scheme = _SCHEME.match(value)
            return f"{scheme[1]} {MARK}" if scheme and plain.endswith("authorization") else MARK
        return self._url(value) if plain in _URL_HEADERS else _TELLING.sub(MARK, value)

    def _url(self, url: str) -> str:
        if "?" not in url and ";" not in url:
            return _TELLING.sub(_URL_MARK, url)
        path, separator, query = url.partition("?")
        return _TELLING.sub(_URL_MARK, path) + separator + self._parameters(query)

    def _parameters(self, text: str) -> str:
        return _TELLING.sub(_URL_MARK, _PARAMETER.sub(self._parameter, text))

    def _parameter(self, match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}={_URL_MARK}" if self.is_secret(unquote_plus(match[2])) else match[0]

    def _body(self, body: bytes, headers: Headers) -> bytes | None:
        """What may be kept of a body; None when nobody can tell what is in it."""
        plain = decoded(body, headers)
        if plain is None:
            return None
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        if _BINARY.match(kind):
            return plain
        text = plain.decode("latin-1")  # byte for byte, whatever the charset: names and marks are ASCII
        shown = _LINKED.sub(self._parameter, self._reader_of(kind)(text))
        return _TELLING.sub(MARK, shown).encode("latin-1")

    def _reader_of(self, kind: str) -> Callable[[str], str]:
        lower = kind.lower()
        if "urlencoded" in lower:
            return self._parameters
        if lower.lstrip().startswith("multipart/"):
            return self._multipart
        if "xml" in lower:
            return self._xml
        return self._json

    def _json(self, text: str) -> str:
        """Values of secret names, found by position: the rest stays as it was written, and may be cut or invalid."""
        kept, position = [], 0
        for match in _JSON_KEY.finditer(text):
            if match.start() < position or not self.is_secret(_unescaped(match[1])):
                continue
            kept += [text[position : match.end()], f'"{MARK}"']
            position = _end_of_value(text, match.end())
        return "".join([*kept, text[position:]])

    def _xml(self, text: str) -> str:
        def shown(match: re.Match[str]) -> str:
            is_secret = self.is_secret(match[1].rpartition(":")[2])
            return f"<{match[1]}{match[2]}>{MARK}" if is_secret and match[3].strip() else match[0]

        return _ELEMENT.sub(shown, text)

    def _multipart(self, text: str) -> str:
        boundary = text.partition("\r\n")[0]
        parts = text.split(boundary) if boundary.startswith("--") else [text]
        return boundary.join(self._part(part) for part in parts)

    def _part(self, part: str) -> str:
        head, separator, _ = part.partition("\r\n\r\n")
        name = _PART_NAME.search(head)
        if separator and name and self.is_secret(name[1]):
            return f"{head}{separator}{MARK}\r\n"
        return self._json(part)


def _plain(name: str) -> str:
    return _PUNCTUATION.sub("", name.lower())


def _cookies(value: str, *, is_set: bool) -> str:
    """Names stay, and so do the attributes of a cookie that is set."""
    first, *others = value.split(";")
    shown = [_cookie(first), *(others if is_set else map(_cookie, others))]
    return ";".join(shown)


def _cookie(pair: str) -> str:
    name, separator, _ = pair.partition("=")
    return f"{name}={MARK}" if separator else MARK


def _unescaped(name: str) -> str:
    if "\\" not in name:
        return name
    try:
        return str(json.loads(f'"{name}"', strict=False))
    except ValueError:
        return name


def _end_of_value(text: str, start: int) -> int:
    """Where the JSON value at *start* ends; the end of the text when it is cut or no value."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)
