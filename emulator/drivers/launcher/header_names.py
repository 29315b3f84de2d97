"""
The names of headers as they were written, in a request and in its answer.

ASGI and uvicorn have them in lower case; a REST API hands a function what the caller wrote, and the caller what the
function wrote.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_KEY = "multistack.header_names"
# uvicorn must recognise them.
_FRAMING = {b"content-length", b"transfer-encoding", b"connection"}

_written: ContextVar[Mapping[str, str]] = ContextVar("multistack_header_names")


class _Kept(bytes):
    """A name that stays as it is written when uvicorn asks for it in lower case."""

    def lower(self) -> bytes:
        """The name itself."""
        return self


@functools.lru_cache(maxsize=1024)
def _kept(name: bytes) -> bytes:
    return name if name.lower() in _FRAMING else _Kept(name)


class Protocol(HttpToolsProtocol):
    """uvicorn's, and leaves names as they are written."""

    scope: Any

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        super().on_header(name, value)
        lower = self.headers[-1][0]
        if lower != name:
            self.scope.setdefault(_KEY, {})[lower.decode("latin-1")] = name.decode("latin-1")

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        _written.set(cycle.scope.get(_KEY) or {})
        cycle.send = _keeping_names(cycle.send)
        super()._start_asgi_task(cycle, app)


def _keeping_names(send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    def keeping(message: Any) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [(_kept(name), value) for name, value in message.get("headers", ())]}
        return send(message)

    return keeping


def as_written(headers: Mapping[str, Any]) -> dict[str, Any]:
    """*headers* of the running request under the names that its caller wrote."""
    written = _written.get({})
    if not written:
        return dict(headers)
    return {written.get(name, name): value for name, value in headers.items()}
