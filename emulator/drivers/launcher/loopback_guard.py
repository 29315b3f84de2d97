"""
Gap: MiniStack 1.5.33 asks nobody for a password and allows every web page to read its answers.

It answers each preflight with 200 and ``Access-Control-Allow-Origin: *``, so a page in the developer's browser could
read secrets, or create and invoke a function, which runs as the developer. Behind the guard each request names loopback
as its host, which a page whose name was made to resolve to 127.0.0.1 (DNS rebinding) can't, and no foreign page asks.

Source:
    https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

# Scope, receive and send, whose types differ between servers.
Application = Callable[[Any, Any, Any], Awaitable[None]]

_HOST = re.compile(r"(\[::1\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_PAGE = re.compile(r"https?://([^/?#@\s]+)(?:[/?#].*)?", re.IGNORECASE)
# Exactly what MiniStack takes for a call of a deployed API; any other path may still mean an AWS service to it.
_API = re.compile(r"/_aws/(?:execute-api/[^/]+/(?!(?:[^/]*/)?@connections/)|lambda-url/[^/]+/)")
_IPV4_LABELS = 4


def guard(application: Application) -> Application:
    """*application*, which then sees only what may reach it; everything else is answered with 403 and the reason."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        kind = scope["type"]
        reason = refusal(scope["path"], scope["headers"]) if kind in ("http", "websocket") else None
        if reason is None:
            await application(scope, receive, send)
        elif kind == "http":
            await _answer(reason, send)
        else:
            await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the server answers 403

    return guarded


def refusal(path: str, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """
    Why a request may not reach the emulator, or None.

    Below ``/_aws/execute-api/`` and ``/_aws/lambda-url/`` any page may call: whom an API under development answers is
    its own business.

    Args:
        headers: Names in lower case, as ASGI has them.
    """
    hosts, origins, referers, is_cross_site = [], [], [], False
    for name, value in headers:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name == b"referer":
            referers.append(value)
        elif name == b"sec-fetch-site":
            is_cross_site = value == b"cross-site"
    if not hosts or not all(map(is_loopback_host, hosts)):
        return "the Host header is not loopback: this emulator serves this machine only"
    if _API.match(path):
        return None
    if not all(map(is_loopback_page, origins)):
        return "the Origin header is not loopback: a web page may not call this emulator"
    # A plain link or image has no Origin; a page can hide its Referer, but not that it is another site.
    if is_cross_site and not origins and not (referers and all(map(is_loopback_page, referers))):
        return "another site's page asks: a web page may not call this emulator"
    return None


@functools.lru_cache(maxsize=256)
def is_loopback_host(host: bytes) -> bool:
    """
    Whether ``Host: <host>`` names this machine, or something below it such as ``bucket.localhost``.

    ``<bucket>.127.0.0.1`` counts: MiniStack hands out such names, no resolver knows them, and no browser asks for one.
    """
    match = _HOST.fullmatch(host.decode("latin-1"))
    if match is None:
        return False
    name = match[1].lower()
    if name in ("[::1]", "localhost") or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.IPv4Address(".".join(name.split(".")[-_IPV4_LABELS:])).is_loopback
    except ValueError:
        return False


@functools.lru_cache(maxsize=256)
def is_loopback_page(url: bytes) -> bool:
    """Whether an ``Origin`` or ``Referer`` is a page of this machine; ``null`` is nobody's."""
    match = _PAGE.fullmatch(url.decode("latin-1"))
    return match is not None and is_loopback_host(match[1].encode("latin-1"))


async def _answer(reason: str, send: Any) -> None:
    content = json.dumps({"message": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": content})
