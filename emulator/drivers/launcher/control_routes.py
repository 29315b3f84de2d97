"""
Routes that only this project's commands may use: they need the token from the environment's folder.

MiniStack's own routes that change anything need it as well; calls that its functions must be able to make do not.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from emulator.drivers.control import CONDITION, HEADER, PREFIX
from emulator.drivers.launcher.loopback_guard import Application
from emulator.errors import MultistackError

# What a route does with the JSON object that it was sent.
Action = Callable[[Mapping[str, Any]], Awaitable[None]]

_MINISTACK = "/_ministack/"
# Custom resources and databases answer there; each such path holds a secret of its own.
_ANSWERS = ("cfn-response/", "cfn-signal/", "rds/iam-auth", "eks-auth/")
_HEADER = HEADER.lower().encode()
_MOST_BYTES = 64 * 1024


def guard(
    application: Application, *, token: str, actions: Mapping[str, Action], condition: Callable[[], Mapping[str, str]]
) -> Application:
    """
    *application* with the routes ``/_multistack/<action>``, and its own ones guarded.

    Args:
        condition: What everybody may know about the state; ``GET /_multistack/state``.
    """
    expected = token.encode()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith((PREFIX, _MINISTACK)):
            await application(scope, receive, send)
        elif scope["method"] == "GET" and path == CONDITION:
            await _answer(send, 200, condition())
        elif needs_token(scope["method"], path) and not _has_token(scope["headers"], expected):
            await _answer(send, 403, {"message": f"{path} needs the header {HEADER}"})
        elif not path.startswith(PREFIX):
            await application(scope, receive, send)
        elif (action := actions.get(path.removeprefix(PREFIX))) is None:
            await _answer(send, 404, {"message": f"there is no {path}"})
        elif scope["method"] != "POST":
            await _answer(send, 405, {"message": f"{path} takes POST"})
        else:
            await _do(action, receive, send)

    return guarded


def needs_token(method: str, path: str) -> bool:
    """Whether *path*, which is ours or MiniStack's own, may change anything."""
    if path.startswith(PREFIX):
        return True
    return method not in ("GET", "HEAD", "OPTIONS") and not path.removeprefix(_MINISTACK).startswith(_ANSWERS)


def _has_token(headers: Iterable[tuple[bytes, bytes]], expected: bytes) -> bool:
    given = [value for name, value in headers if name == _HEADER]
    return len(given) == 1 and hmac.compare_digest(given[0], expected)


async def _do(action: Action, receive: Any, send: Any) -> None:
    try:
        content = json.loads(await _body(receive) or b"{}")
        if not isinstance(content, dict):
            raise ValueError
    except ValueError:
        await _answer(send, 400, {"message": "the body is no JSON object"})
        return
    try:
        await action(content)
    except MultistackError as error:
        await _answer(send, 409, {"message": error.message, "hint": error.hint or ""})
    else:
        await _answer(send, 200, {})


async def _body(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _MOST_BYTES:
            raise ValueError
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body)


async def _answer(send: Any, status: int, content: Mapping[str, str]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
