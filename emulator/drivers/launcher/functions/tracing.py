"""
Tells the proxy which calls of functions an answer is made of.

A request that asks with ``X-Multistack-Trace`` is answered with an ``X-Multistack-Invocation`` per call: the function's
name, the request id that its log lines carry, and milliseconds. The API, the function and any other client see neither.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from emulator.drivers.launcher.loopback_guard import Application

_ASKS = b"x-multistack-trace"
_TELLS = b"x-multistack-invocation"

# Calls of the request that is being answered; None when nobody asked.
_calls: ContextVar[list[bytes] | None] = ContextVar("multistack_calls", default=None)


def traced(application: Application) -> Application:
    """*application*, which tells of calls whoever asks."""

    async def tracing(scope: Any, receive: Any, send: Any) -> None:
        headers = [] if scope["type"] != "http" else scope["headers"]
        if not any(name == _ASKS for name, _ in headers):
            await application(scope, receive, send)
            return
        calls: list[bytes] = []

        async def telling(message: Any) -> None:
            if message["type"] == "http.response.start":
                told = [(_TELLS, call) for call in calls]
                message = {**message, "headers": [*message.get("headers", ()), *told]}
            await send(message)

        token = _calls.set(calls)
        try:
            kept = [(name, value) for name, value in headers if name != _ASKS]
            await application({**scope, "headers": kept}, receive, telling)
        finally:
            _calls.reset(token)

    return tracing


def note(function: str, request_id: str, seconds: float) -> None:
    """A call has ended; it counts for the request that made it, if that one asked."""
    calls = _calls.get()
    if calls is not None:
        calls.append(f"{function};{request_id};{seconds * 1000:.3f}".encode("latin-1", "replace"))
