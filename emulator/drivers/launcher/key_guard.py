"""
Who may come in where the emulator listens beyond this machine: whoever sends its key.

AWS's tools, which send no header of ours, have it as their access key id: no signature is over that id, so the
account's takes its place. What runs in the container itself, its functions above all, comes from loopback and needs no
key. To everybody else the emulator is known by the address that functions know it by, so that URLs which it hands out,
e.g. of queues, lead functions to it, too; and no function sees the key.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
from collections.abc import Iterable
from typing import Any

from emulator.drivers.launcher import loopback_guard
from emulator.drivers.launcher.loopback_guard import Application
from emulator.endpoint_key import HEADER

_HEALTH = "/_localstack/health"
_HEADER = HEADER.lower().encode()
# Source: AWS General Reference, "Signature Version 4", Authorization header.
_CREDENTIAL = re.compile(rb"(AWS4-HMAC-SHA256 +Credential=)([^/]*)(?=/)")
# A container's name in its network. Nobody can make one without a dot lead a browser elsewhere.
_LABEL = re.compile(r"[a-z0-9_-]+", re.IGNORECASE)


def guard(application: Application, *, key: str, account: str, port: int) -> Application:
    """
    *application*, which sees what may reach it as if it came from this machine.

    Args:
        account: Whose emulator it is.
        key: Empty for none: then whatever names an address or a container as its host comes in, but no foreign page.
        port: Where the emulator listens.
    """
    inner = loopback_guard.guard(application)
    own, expected, told = f"127.0.0.1:{port}".encode(), key.encode(), account.encode()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket") or _is_from_here(scope):
            await inner(scope, receive, send)
            return
        headers = _in_the_accounts_name(scope["headers"], expected, told) if key else None
        if key and headers is None and not _has_key(scope["headers"], expected) and not _asks_health(scope):
            await _refuse(scope, send)
        elif key or all(map(_is_safe, _values(scope["headers"], b"host"))):
            given = scope["headers"] if headers is None else headers
            rest = [(name, value) for name, value in given if name not in (b"host", _HEADER)]
            # With the key no page can have asked; without, the origin is looked at as ever.
            to = application if key else inner
            await to({**scope, "headers": [(b"host", own), *rest]}, receive, send)
        else:
            await inner(scope, receive, send)

    return guarded


def _is_from_here(scope: Any) -> bool:
    client = scope.get("client")
    return client is not None and ipaddress.ip_address(client[0]).is_loopback


def _asks_health(scope: Any) -> bool:
    return scope["type"] == "http" and (scope["method"], scope["path"]) == ("GET", _HEALTH)


def _has_key(headers: Iterable[tuple[bytes, bytes]], expected: bytes) -> bool:
    given = _values(headers, _HEADER)
    return len(given) == 1 and hmac.compare_digest(given[0], expected)


def _in_the_accounts_name(
    headers: Iterable[tuple[bytes, bytes]], key: bytes, account: bytes
) -> list[tuple[bytes, bytes]] | None:
    """*headers* of a request that is signed with the key as its access key id; None if it is not."""
    changed, is_signed = [], False
    for name, value in headers:
        match = _CREDENTIAL.match(value) if name == b"authorization" else None
        if match is not None and hmac.compare_digest(match[2], key):
            changed.append((name, match[1] + account + value[match.end(2) :]))
            is_signed = True
        else:
            changed.append((name, value))
    return changed if is_signed else None


def _values(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def _is_safe(host: bytes) -> bool:
    """Whether no name that somebody could give to this address (DNS rebinding) is in ``Host: <host>``."""
    name = host.decode("latin-1").rpartition(":")[0] or host.decode("latin-1")
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return _LABEL.fullmatch(name) is not None
    return True


async def _refuse(scope: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the server answers 403
        return
    content = json.dumps({"message": f"this emulator needs the header {HEADER}"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": content})
