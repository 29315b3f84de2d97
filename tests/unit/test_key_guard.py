"""Who may reach an emulator that listens beyond this machine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from emulator.drivers.launcher.key_guard import guard

KEY, PAGE = "k3y", "https://evil.example"
FUNCTION, STRANGER = "127.0.0.1", "10.77.0.3"
HEALTH = "/_localstack/health"


def ask(*headers: tuple[str, str], key: str = KEY, client: str = STRANGER, path: str = "/", kind: str = "http") -> Any:
    """What is sent for a request; the headers that the application saw, where it was let in."""
    seen: list[Any] = []

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        seen.extend((name.decode(), value.decode()) for name, value in scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def run() -> Any:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": kind,
            "method": "GET",
            "path": path,
            "client": (client, 4711),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        }
        await guard(application, key=key, account="100000000001", port=4566)(scope, None, send)
        return sent[0]

    first = asyncio.run(run())
    return dict(seen) if first.get("status") == 200 else first.get("status", first["type"])


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param([("X-Multistack-Key", "")], id="empty"),
        pytest.param([("X-Multistack-Key", "k3y ")], id="longer"),
        pytest.param([("X-Multistack-Key", "k3")], id="shorter"),
        pytest.param([("X-Multistack-Key", KEY), ("X-Multistack-Key", KEY)], id="twice"),
        pytest.param([("X-Multistack-Key", "\xff")], id="no ASCII"),
        pytest.param([("X-Multistack-Token", KEY)], id="another header"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/_localstack/health/", "/_multistack/state", "/_aws/execute-api/a/b/c"])
def test_who_has_not_the_key_stays_outside(headers: list[tuple[str, str]], path: str) -> None:
    """By whatever path: an open port of a host must not lead past the proxy."""
    assert ask(("Host", "127.0.0.1:4566"), *headers, path=path) == 403


def test_a_websocket_without_the_key_is_closed() -> None:
    """Before it was accepted."""
    assert ask(("Host", "10.77.0.2:20001"), kind="websocket") == "websocket.close"


def test_the_health_is_everybodys() -> None:
    """Engines and clusters ask for it, and know no key."""
    assert ask(("Host", "10.77.0.2:20001"), path=HEALTH) == {"host": "127.0.0.1:4566"}


def test_with_the_key_nobody_inside_sees_key_or_address() -> None:
    """A function's event must not carry the key; what is named after the host leads functions to their emulator."""
    seen = ask(("Host", "node-1.example:20001"), ("X-Multistack-Key", KEY), ("X-Other", "1"), ("Origin", PAGE))
    assert seen == {"host": "127.0.0.1:4566", "x-other": "1", "origin": PAGE}


SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261127/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=ab"


def test_the_key_may_be_the_access_key_id() -> None:
    """AWS's tools send no other header; the emulator then sees the account's, which tells it whose the call is."""
    host = ("Host", "10.77.0.2:20001")
    seen = ask(host, ("Authorization", SIGNED.format(KEY)))
    assert seen["authorization"] == SIGNED.format("100000000001")
    for other in ("100000000001", "", "k3", "k3y2"):
        assert ask(host, ("Authorization", SIGNED.format(other))) == 403
    assert ask(host, ("Authorization", f"Bearer {KEY}/")) == 403


def test_functions_need_no_key() -> None:
    """They come from the container itself; a foreign page there is refused as on any machine."""
    assert ask(("Host", "127.0.0.1:4566"), client=FUNCTION) == {"host": "127.0.0.1:4566"}
    assert ask(("Host", "127.0.0.1:4566"), ("Origin", PAGE), client=FUNCTION) == 403


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("172.17.0.2:4566", True),
        ("[fd00::2]:4566", True),
        ("emulator:4566", True),
        ("127.0.0.1:4600", True),
        ("bucket.localhost:4566", True),
        ("evil.example", False),
        ("evil.example:4566", False),
        ("", False),
    ],
)
def test_without_a_key_addresses_and_containers_names_come_in(host: str, expected: bool) -> None:
    """A page whose name was made to resolve to the container (DNS rebinding) sends a name with a dot."""
    assert (ask(("Host", host), key="") != 403) is expected


def test_without_a_key_no_foreign_page_asks() -> None:
    """As on this machine."""
    assert ask(("Host", "172.17.0.2:4566"), ("Origin", PAGE), key="") == 403
