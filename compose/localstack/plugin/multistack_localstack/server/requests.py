"""One HTTP request, read from bytes as they come."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import unquote_to_bytes, urlsplit

import httptools

MAX_HEAD = 1024 * 1024
_IN_MEMORY = 4 * 1024 * 1024


class BadRequest(Exception):
    """What came is not HTTP."""


@dataclass(slots=True)
class Request:
    """
    A request whose head, and later body, is complete.

    Attributes:
        target: As it stands in the request line.
        headers: Names as they were written.
    """

    method: str = ""
    target: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: IO[bytes] = field(default_factory=lambda: tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
    keeps_alive: bool = True
    version: str = "1.1"

    def header(self, name: bytes) -> bytes | None:
        """The first value of the header *name*, which is in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Reader:
    """Feeds a connection's bytes to the parser; a new request begins where the last one ended."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._head_size = 0
        self._target = b""
        self.wants_continue = False
        self.has_head = False
        self.is_complete = False

    @property
    def has_begun(self) -> bool:
        """Whether a part of a request has come."""
        return self._head_size > 0

    def feed(self, data: bytes) -> Request | None:
        """
        Take *data*; returns the request that it completes.

        Raises:
            BadRequest: It isn't HTTP.
        """
        if not self.has_head:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                raise BadRequest("the head of the request is too long")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.is_complete = True  # an upgrade that nobody offers: a plain request
        except httptools.HttpParserError as error:
            raise BadRequest(str(error)) from error
        if not self.is_complete:
            return None
        request = self._request
        request.body.seek(0)
        self._start()
        return request

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if self.is_complete:
            raise BadRequest("a request was sent before the one before it was answered")

    def on_url(self, url: bytes) -> None:
        """Called by the parser, maybe several times."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._request.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        request = self._request
        request.method = self._parser.get_method().decode("latin-1")
        request.target = self._target.decode("latin-1")
        request.version = self._parser.get_http_version()
        request.keeps_alive = self._parser.should_keep_alive()
        self.has_head = True
        self.wants_continue = (request.header(b"expect") or b"").lower() == b"100-continue"

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._request.body.write(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.is_complete = True


def path_and_query(target: str) -> tuple[str, str]:
    """
    A request's decoded path as WSGI wants it, bytes as Latin-1, and its query as it is.

    A proxy's request names the host as well.
    """
    if not target.startswith("/"):
        parts = urlsplit(target)
        path, query = parts.path or "/", parts.query
    else:
        path, _, query = target.partition("?")
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1"), query
