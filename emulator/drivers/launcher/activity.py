"""
Which requests may change state, and a gate that holds them back while a copy of one moment is taken.

What is taken for reading and writes nevertheless is found a little later: see ``checkpoints``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from emulator.drivers.launcher.loopback_guard import Application

_APIS = ("/_aws/execute-api/", "/_aws/lambda-url/")
_INVOCATIONS = "/invocations"
_WAITING = b"ReceiveMessage"
_HEALTH = frozenset({"/_ministack/health", "/_localstack/health", "/health", "/_ministack/ready"})
_READING = (b"Get", b"List", b"Describe", b"BatchGet", b"Query", b"Scan", b"Search", b"Lookup", b"Filter", b"Select")
# Named as if they read: they hand out a task, or make an identity.
_WRITING = frozenset({b"GetActivityTask", b"GetId", b"GetOpenIdToken", b"GetCredentialsForIdentity"})
# Seconds that requests which have begun may take to end. A long poll takes longer, and changes nothing while it waits.
_DRAINING = 0.5


class Gate:
    """Requests pass while it is open, and wait while it is closed."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._opened.set()
        self._closing = asyncio.Lock()
        self.in_flight = 0

    async def wait(self) -> None:
        """Until it is open."""
        while not self._opened.is_set():  # it may have been closed again before the turn of this request came
            await self._opened.wait()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """
        For as long as nothing may change.

        Requests that may run functions are not waited for: what their functions write comes as requests of its own,
        which wait outside, so waiting for them would be for ever.
        """
        async with self._closing:
            self._opened.clear()
            try:
                deadline = time.monotonic() + _DRAINING
                while self.in_flight and time.monotonic() < deadline:
                    await asyncio.sleep(0.002)
                yield
            finally:
                self._opened.set()


def watch(application: Application, *, mark: Callable[[], None], gate: Gate) -> Application:
    """*application*, which then calls *mark* after each request that may have written; all pass the *gate*."""

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await application(scope, receive, send)
            return
        await gate.wait()
        action = action_of(scope["headers"])
        is_socket = scope["type"] == "websocket"
        if not is_socket and not may_write(scope["method"], scope["path"], action, scope["headers"]):
            await application(scope, receive, send)
            return
        drains = not is_socket and not may_run_functions(scope["path"], action)
        gate.in_flight += drains
        try:
            await application(scope, _marking(receive, mark) if is_socket else receive, send)
        finally:
            gate.in_flight -= drains
            mark()

    return watched


def _marking(receive: Any, mark: Callable[[], None]) -> Any:
    """A socket stays open: each message on it may write."""

    async def received() -> Any:
        message = await receive()
        mark()
        return message

    return received


def action_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The action of ``X-Amz-Target: DynamoDB_20120810.PutItem``; empty where there is none."""
    for name, value in headers:
        if name == b"x-amz-target":
            return value.rpartition(b".")[2]
    return b""


def may_write(method: str, path: str, action: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request may change state; a call of a deployed API always may: its function logs."""
    if path in _HEALTH:
        return False
    if action:
        return not action.startswith(_READING) or action in _WRITING
    if method not in ("GET", "HEAD", "OPTIONS") or path.startswith(_APIS):
        return True
    # A signed read is one of AWS's own; unsigned ones may be for a function, by its host.
    return not any(name == b"authorization" and value.startswith(b"AWS4-") for name, value in headers)


def may_run_functions(path: str, action: bytes) -> bool:
    """Whether the answer may have to wait for a function, or for a message."""
    return path.startswith(_APIS) or path.endswith(_INVOCATIONS) or action == _WAITING
