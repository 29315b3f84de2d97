"""
Takes secrets out of an exchange before anyone keeps it.

What is secret is told by name: of a header, a cookie, a query parameter, a field of a body. Some values give
themselves away whatever they are called: AWS access keys, JSON Web Tokens. A body that can't be read, because it is
compressed in a way unknown here, is not kept at all.
"""

from __future__ import annotations

import codecs
import functools
import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote_plus, unquote_plus

from emulator.encodings import MAX_DECODED, decoded
from emulator.inspector.redacted_text import MARK, redacted_json, redacted_multipart, redacted_xml
from emulator.inspector.shown import text_of
from emulator.model import Exchange, HttpAnswer, HttpRequest
from emulator.model.exchanges import Headers

__all__ = ["MARK", "Redaction"]

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
_PARAMETER = re.compile(r"(^|[?&;#])([^=&;?#]+)=([^&;#]*)")
# A link in the middle of a text, or a form that says it is one; a line of settings.
_LINKED = re.compile(r"(^|[?&#]|&amp;)([\w.%-]+)=([^&;#\s\"'<>\\]+)", re.MULTILINE)
_USER = re.compile(r"(?<=://)([^\s/?#@:\"'<>\\]{0,200}+):[^\s/?#@\"'<>\\]++@")
_QUERY = re.compile(r"[?#]")
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

    def redact(self, exchange: Exchange, *, most: int = MAX_DECODED) -> Exchange:
        """
        *exchange* without its secrets, and its bodies as they read: decompressed.

        Args:
            most: Bytes of a body beyond which nobody wants to read it.
        """
        request, answer = self._message(exchange.request, most), self._message(exchange.answer, most)
        target = self._url(request.target)
        if target != request.target:
            request = replace(request, target=target)
        if request is exchange.request and answer is exchange.answer:
            return exchange
        return replace(exchange, request=request, answer=answer)

    def _message(self, message: _Message, most: int) -> _Message:
        headers = [(name, self._known(name, value)) for name, value in message.headers]
        plain = decoded(message.body, message.headers, most=most) if message.body else b""
        body = self._body(plain, message.headers) if plain else b""
        if body == message.body and headers == list(message.headers):
            return message
        is_read = plain is not None and (len(plain) < most or plain == message.body)
        is_whole = is_read and message.body_length <= len(message.body)
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
        return self._url(value) if plain in _URL_HEADERS else _untold(value, MARK)

    def _url(self, url: str) -> str:
        query = _QUERY.search(url)
        start = query.end() if query else len(url)
        return _untold(url[:start], _URL_MARK) + self._parameters(url[start:])

    def _parameters(self, text: str) -> str:
        return _untold(_PARAMETER.sub(self._parameter, text), _URL_MARK)

    def _parameter(self, match: re.Match[str]) -> str:
        if self.is_secret(unquote_plus(match[2])):
            return f"{match[1]}{match[2]}={_URL_MARK}"
        if "%22" not in match[3] and '"' not in match[3]:
            return match[0]
        text = unquote_plus(match[3], encoding="latin-1")
        shown = redacted_json(text, self.is_secret)
        return match[0] if shown == text else f"{match[1]}{match[2]}={quote_plus(shown, encoding='latin-1')}"

    def _body(self, plain: bytes, headers: Headers) -> bytes:
        """What may be kept of a body."""
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        if _BINARY.match(kind) and text_of(plain, is_cut=True) is None:
            return plain
        # Byte for byte, whatever the charset: names and marks are ASCII, but where a sign has more bytes.
        shown = self._text(plain.decode("latin-1"), kind).encode("latin-1")
        if (wide := _wide_encoding(plain)) is None:
            return shown
        text = shown.decode(wide, "replace")
        redacted = self._text(text, kind)
        return shown if redacted == text else redacted.encode(wide, "replace")

    def _text(self, text: str, kind: str) -> str:
        return _untold(_LINKED.sub(self._parameter, self._read(text, kind.lower())), MARK)

    def _read(self, text: str, kind: str) -> str:
        if "urlencoded" in kind:
            return self._parameters(text)
        if kind.lstrip().startswith("multipart/"):
            return redacted_multipart(text, self.is_secret)
        if "xml" in kind:
            return redacted_xml(text, self.is_secret)
        return redacted_json(text, self.is_secret)


def _untold(text: str, mark: str) -> str:
    """Without what gives itself away."""
    return _TELLING.sub(mark, _USER.sub(rf"\1:{mark}@", text))


def _wide_encoding(body: bytes) -> str | None:
    """Which of UTF-16 and UTF-32 a text is in; None for neither. A byte order mark stays part of it."""
    found = json.detect_encoding(body)
    if found in {"utf-8", "utf-8-sig"}:
        return None
    little = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF32_LE))
    return found if found.endswith("e") else f"{found}-{'le' if little else 'be'}"


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
