"""
The names of a request's headers as the caller wrote them.

ASGI has them in lower case; a REST API hands a function what the caller wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_KEY = "multistack.header_names"

_written: ContextVar[Mapping[str, str]] = ContextVar("multistack_header_names")


class Protocol(HttpToolsProtocol):
    """uvicorn's, and remembers names that are not in lower case."""

    scope: Any

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one header."""
        super().on_header(name, value)
        lower = self.headers[-1][0]
        if lower != name:
            self.scope.setdefault(_KEY, {})[lower.decode("latin-1")] = name.decode("latin-1")

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        _written.set(cycle.scope.get(_KEY) or {})
        super()._start_asgi_task(cycle, app)


def as_written(headers: Mapping[str, Any]) -> dict[str, Any]:
    """*headers* of the running request under the names that its caller wrote."""
    written = _written.get({})
    return {written.get(name, name): value for name, value in headers.items()}
