"""Who may reach an emulator: this machine's own tools and pages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from emulator.drivers.launcher.loopback_guard import guard, refusal

HOST, ORIGIN, PAGE = "the Host header", "the Origin header", "another site's page"
API = "/_aws/execute-api/0123abcd/prod/orders"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:4600", None),
        ("127.0.0.1", None),
        ("127.1.2.3:4600", None),
        ("localhost:4600", None),
        ("LocalHost:4600", None),
        ("[::1]:4600", None),
        ("my.bucket.localhost:4600", None),
        ("my.bucket.127.0.0.1:4600", None),
        ("0123abcd.execute-api.127.0.0.1:4600", None),
        ("evil.example", HOST),
        ("evil.example:4600", HOST),
        ("localhost.evil.example", HOST),
        ("127.0.0.1.evil.example", HOST),
        ("127.0.0.1.nip.io", HOST),
        ("notlocalhost", HOST),
        ("192.168.0.1:4600", HOST),
        ("127.0.0.1.5", HOST),
        ("0.0.0.0:4600", HOST),
        ("[::2]", HOST),
        ("localhost@evil.example", HOST),
        ("localhost:4600:1", HOST),
        ("localhost, evil.example", HOST),
        ("", HOST),
        ("\xff", HOST),
    ],
)
@pytest.mark.parametrize("path", ["/", API])
def test_a_host_is_loopback(path: str, host: str, expected: str | None) -> None:
    """A page whose name was made to resolve to 127.0.0.1 sends its own name, for whatever path."""
    assert said(path, host=host) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:3000", None),
        ("https://localhost", None),
        ("http://127.0.0.1:8080", None),
        ("http://test.localhost:8080", None),
        ("http://[::1]:3000", None),
        ("https://evil.example", ORIGIN),
        ("http://localhost.evil.example", ORIGIN),
        ("http://127.0.0.1.evil.example:4600", ORIGIN),
        ("http://localhost@evil.example", ORIGIN),
        ("http://evil.example/http://localhost", ORIGIN),
        ("chrome-extension://localhost", ORIGIN),
        ("null", ORIGIN),
        ("", ORIGIN),
    ],
)
def test_an_origin_is_loopback(origin: str, expected: str | None) -> None:
    """A page of this machine may call, any other may not; a call of a deployed API is the service's own business."""
    assert said("/", origin=origin) == expected
    assert said(API, origin=origin) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"sec-fetch-site": "none"}, None, id="address bar"),
        pytest.param({"sec-fetch-site": "same-origin"}, None, id="own page"),
        pytest.param({"sec-fetch-site": "cross-site"}, PAGE, id="foreign image"),
        pytest.param({"sec-fetch-site": "cross-site", "referer": "https://evil.example/"}, PAGE, id="foreign link"),
        pytest.param({"sec-fetch-site": "cross-site", "referer": "http://localhost:3000/a?b"}, None, id="local image"),
        pytest.param({"sec-fetch-site": "cross-site", "origin": "http://localhost:3000"}, None, id="local fetch"),
    ],
)
def test_a_request_without_origin_tells_its_site(headers: dict[str, str], expected: str | None) -> None:
    """``<img src=…/?Action=DeleteQueue>`` has no Origin; browsers still say that it crosses sites."""
    assert said("/", **headers) == expected
    assert said(API, **headers) is None


@pytest.mark.parametrize(
    "path",
    [
        "/_aws/execute-api/",
        "/_aws/execute-api//prod/",
        "/_aws/execute-api/0123abcd",
        "/_aws/execute-api/0123abcd/prod/@connections/1",
        "/_aws/execute-apis/a/b",
        "/x/_aws/execute-api/a/b",
    ],
)
def test_only_calls_of_apis_are_open_to_pages(path: str) -> None:
    """Whatever MiniStack does not take for such a call may mean an AWS service to it."""
    assert said(path, origin="https://evil.example") == ORIGIN


def test_every_header_counts() -> None:
    """A good one beside a bad one opens nothing, and none at all is no browser's and no AWS tool's."""
    assert said("/", (b"host", b"evil.example")) == HOST
    assert said("/", (b"origin", b"https://evil.example"), origin="http://localhost") == ORIGIN
    assert refusal("/", []) is not None


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        pytest.param({"type": "lifespan"}, "passed", id="lifespan"),
        pytest.param({"type": "http", "host": b"localhost"}, "passed", id="http"),
        pytest.param({"type": "websocket", "host": b"localhost"}, "passed", id="websocket"),
        pytest.param({"type": "http", "host": b"evil.example"}, 403, id="http refused"),
        pytest.param({"type": "websocket", "host": b"evil.example"}, "websocket.close", id="websocket refused"),
    ],
)
def test_the_guard_stands_in_front(scope: dict[str, Any], expected: object) -> None:
    """What is refused never reaches the application."""
    sent: list[Any] = []

    async def application(*_: object) -> None:
        sent.append({"type": "passed"})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    if "host" in scope:
        scope = {"type": scope["type"], "path": "/", "headers": [(b"host", scope["host"])]}
    asyncio.run(guard(application)(scope, receive, send))
    assert expected in (sent[0]["type"], sent[0].get("status"))
    if expected == 403:
        assert list(json.loads(sent[1]["body"])) == ["message"]


def said(path: str, *further: tuple[bytes, bytes], **headers: str) -> str | None:
    """The beginning of the reason to refuse a request with *headers*, to loopback unless they say otherwise."""
    given = [(name.encode(), value.encode("latin-1")) for name, value in ({"host": "localhost"} | headers).items()]
    reason = refusal(path, [*given, *further])
    return reason and next(known for known in (HOST, ORIGIN, PAGE) if reason.startswith(known))
