"""What a client asked for, read out of a WSGI environ without losing what WSGI usually loses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from emulator.model import Source

# Set by our own server: names as sent, repeats kept. WSGI alone folds `X-A` and `X_A` into one.
HEADERS_KEY = "multistack.headers"
# The peer, where it passed the request on for somebody else; see :mod:`emulator.proxy.forwarded`.
VIA_KEY = "multistack.via"

Headers = Sequence[tuple[str, str]]


class Readable(Protocol):
    """A request body."""

    def read(self, size: int, /) -> bytes:
        """Up to *size* bytes, at best as soon as some are there; nothing at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    Attributes:
        target: Raw path and query, never decoded.
        host: The ``Host`` header, or the authority of a target in absolute form; None when there is neither.
        headers: Name and value as sent, bytes as latin-1.
        body: None when the request has none.
        length: Bytes of the body, or None when it is chunked.
        client: The client's address.
        via: The reverse proxy that it came through, trusted or not; empty for none.
        scheme: What the client speaks, ``http`` or ``https``.
        source: On whose behalf it is made.
        is_traced: Whether the emulator is to tell which functions it calls.
    """

    method: str
    target: str
    host: str | None
    headers: Headers
    body: Readable | None
    length: int | None
    client: str
    via: str = ""
    scheme: str = "http"
    source: Source = Source.CLIENT
    is_traced: bool = False

    @property
    def caller(self) -> str:
        """As whom it is known or not: one that came through a reverse proxy is none of this machine's own."""
        return f"{_household(self.client)} via {self.via}" if self.via else self.client

    def values(self, name: str) -> list[str]:
        """Every value of a header; *name* in lower case."""
        return [value for key, value in self.headers if key.lower() == name]


def read_request(environ: dict[str, Any]) -> Request:
    """The request behind a WSGI environ, with the raw target where the server keeps it."""
    target: str = environ.get("REQUEST_URI") or _encode_target(environ)
    host: str | None = environ.get("HTTP_HOST")
    scheme, separator, rest = target.partition("://")
    if separator and scheme.lower() in {"http", "https"}:
        authority, slash, path = rest.partition("/")
        # RFC 9112, 3.2.2: a target in absolute form overrides the Host header.
        host, target = authority, slash + path or "/"
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return Request(
        method=environ["REQUEST_METHOD"],
        target=target,
        host=host,
        headers=environ.get(HEADERS_KEY) or _headers(environ),
        body=environ["wsgi.input"] if chunked or length else None,
        length=None if chunked else length,
        client=environ.get("REMOTE_ADDR", ""),
        via=environ.get(VIA_KEY, ""),
        scheme=environ.get("wsgi.url_scheme", "http"),
    )


def _household(client: str) -> str:
    """Of an IPv6 address its network: whoever has one has 2**64 addresses."""
    return str(ipaddress.ip_network((client, 64), strict=False)) if ":" in client else client


def _encode_target(environ: dict[str, Any]) -> str:
    path = quote(environ.get("PATH_INFO", "").encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _headers(environ: dict[str, Any]) -> Headers:
    names = {key: key[5:] for key in environ if key.startswith("HTTP_")}
    names |= {key: key for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)}
    return [(name.replace("_", "-").title(), environ[key]) for key, name in names.items()]
