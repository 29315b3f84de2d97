"""HAR files of browsers: what is taken, and what is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from emulator.errors import ConfigError
from emulator.replay.har import Imported, local_target, read_har, target_below


def entry(url: str, *, request: Any = None, response: Any = None, **further: Any) -> Any:
    """One exchange as Chromium writes it."""
    return {
        "request": {"method": "GET", "url": url, "headers": [], "queryString": [], "cookies": [], **(request or {})},
        "response": {"status": 200, "headers": [], "content": {"size": 2, "text": "ok"}, **(response or {})},
        "time": 12.5,
        **further,
    }


def read(*entries: Any) -> Imported:
    """From a file with these entries."""
    content = json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()
    return read_har(content, shown="a.har", target_of=local_target(["test", "prod"]))


@pytest.mark.parametrize(
    ("url", "target"),
    [
        pytest.param("http://127.0.0.1:8080/test/orders?a=1#x", "/orders?a=1", id="by path"),
        pytest.param("http://localhost:8080/prod", "/", id="an environment's root"),
        pytest.param("http://test.localhost:8080/orders", "/orders", id="by name"),
        pytest.param("http://127.0.0.1:8080/test/a%2Fb|c", "/a%2Fb%7Cc", id="what a target can't hold"),
        pytest.param("http://127.0.0.1:8080/_multistack/requests", None, id="the dashboard"),
        pytest.param("https://example.com/test/orders", None, id="elsewhere"),
        pytest.param("data:image/png;base64,AAAA", None, id="no request at all"),
    ],
)
def test_requests_to_environments_are_taken(url: str, target: str | None) -> None:
    """Whichever way they named the environment; all else is not."""
    assert local_target(["test", "prod"])(url) == target


@pytest.mark.parametrize(
    ("url", "target"),
    [
        pytest.param("https://api.example.com/v1/orders?a=1#x", "/orders?a=1", id="below"),
        pytest.param("https://api.example.com/v1", "/", id="itself"),
        pytest.param("https://api.example.com/v1?a=1", "/?a=1", id="itself with a query"),
        pytest.param("https://api.example.com/v12", None, id="another path"),
        pytest.param("https://example.com/v1/orders", None, id="another origin"),
    ],
)
def test_requests_below_an_origin_are_taken(url: str, target: str | None) -> None:
    """As `--origin` says."""
    assert target_below("https://api.example.com/v1/")(url) == target


def test_an_exchange_is_read_whole() -> None:
    """Bodies decoded, joined headers apart, without what belonged to the connection."""
    posted = {
        "method": "POST",
        "headers": [
            {"name": ":authority", "value": "x"},
            {"name": "Host", "value": "x"},
            {"name": "Accept-Encoding", "value": "br"},
            {"name": "Content-Type", "value": "application/json"},
        ],
        "postData": {"mimeType": "application/json", "text": '{"a":1}'},
    }
    answered = {
        "status": 201,
        "headers": [{"name": "set-cookie", "value": "a=1\nb=2"}, {"name": "content-encoding", "value": "gzip"}],
        "content": {"size": 2, "text": base64.b64encode(b"\xff\x00").decode(), "encoding": "base64"},
    }
    ((request, answer),) = read(entry("http://localhost/test/a", request=posted, response=answered)).exchanges
    assert (request.method, request.target, request.body) == ("POST", "/a", b'{"a":1}')
    assert list(request.headers) == [("Content-Type", "application/json")]
    assert answer is not None
    assert (answer.status, answer.body, answer.seconds) == (201, b"\xff\x00", 0.0125)
    assert list(answer.headers) == [("set-cookie", "a=1"), ("set-cookie", "b=2")]


def test_a_form_is_read_from_its_parameters() -> None:
    """Some browsers write no text beside them."""
    form = {"method": "POST", "postData": {"params": [{"name": "a b", "value": "c&d"}, {"name": "e"}]}}
    ((request, _),) = read(entry("http://localhost/test/a", request=form)).exchanges
    assert request.body == b"a+b=c%26d&e="


def test_what_cannot_be_used_is_counted() -> None:
    """Blocked requests, other origins, and entries that are none."""
    found = read(
        entry("http://localhost/test/a"),
        entry("http://localhost/test/b", response={"status": 0}),
        entry("https://example.com/"),
        {"request": {"url": 5}},
        [],
    )
    assert (len(found.exchanges), found.elsewhere, found.unusable) == (1, 1, 3)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"log": {"entries": 5}}', b"[" * 100_000])
def test_a_file_that_is_no_har_is_refused(content: bytes) -> None:
    """By its name, with how to get one."""
    with pytest.raises(ConfigError, match=r"a\.har is no HAR file"):
        read_har(content, shown="a.har", target_of=lambda url: url)


def test_a_byte_order_mark_is_no_harm() -> None:
    """Some tools write one."""
    content = "\ufeff" + json.dumps({"log": {"entries": []}})
    assert read_har(content.encode(), shown="a.har", target_of=lambda url: url).exchanges == []
