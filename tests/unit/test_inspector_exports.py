"""Kept requests as HAR, as curl commands and as pytest tests, and the log lines that belong to them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from emulator.inspector.har import write_har
from emulator.inspector.log_lines import events_of_call
from emulator.inspector.redaction import MARK
from emulator.inspector.scripts import curl_command, pytest_module
from emulator.inspector.shown import text_of, timing_of, to_dict
from emulator.model import Exchange, Invocation
from tests.unit.exchanges import make_exchange

BASE = "http://127.0.0.1:8080/test/"
JSON = (("Content-Type", "application/json"),)


def har_entry(exchange: Exchange) -> dict[str, Any]:
    file = io.StringIO()
    write_har([exchange], file, base_of=lambda _name: BASE)
    content = json.loads(file.getvalue())["log"]
    assert (content["version"], content["creator"]["name"]) == ("1.2", "multistack")
    (entry,) = content["entries"]
    return dict(entry)


def test_har_has_what_the_format_asks_for() -> None:
    """Every member that HAR 1.2 requires, with times in milliseconds that add up."""
    entry = har_entry(
        make_exchange("/a?b=1&b=&c=%20", headers=[("Cookie", "x=1; y=2")], answer=b"{}", answer_headers=JSON)
    )
    assert entry["startedDateTime"] == "2026-11-26T12:00:00+00:00"
    request, response, timings = entry["request"], entry["response"], entry["timings"]
    assert request["url"] == "http://127.0.0.1:8080/test/a?b=1&b=&c=%20"
    assert [tuple(one.values()) for one in request["queryString"]] == [("b", "1"), ("b", ""), ("c", " ")]
    assert [tuple(one.values()) for one in request["cookies"]] == [("x", "1"), ("y", "2")]
    assert {"method", "httpVersion", "headers", "headersSize", "bodySize"} <= set(request)
    assert (response["status"], response["statusText"], response["content"]["text"]) == (200, "OK", "{}")
    assert {"cookies", "headers", "redirectURL", "headersSize", "bodySize"} <= set(response)
    assert timings["send"] + timings["wait"] + timings["receive"] == pytest.approx(entry["time"])
    assert entry["cache"] == {}


def test_har_of_bytes_and_of_cut_bodies() -> None:
    """Bytes are base64, and what was cut says so."""
    entry = har_entry(make_exchange(method="POST", body=b"\xff\x00", answer=b"\xff", answer_length=100))
    assert entry["response"]["content"] == {
        "size": 100,
        "mimeType": "",
        "text": "/w==",
        "encoding": "base64",
        "comment": "only the first part was kept",
    }
    assert entry["request"]["postData"]["text"] == "\xff\x00"


def test_har_of_nothing_is_valid() -> None:
    """A filter that finds nothing still writes an archive."""
    file = io.StringIO()
    write_har([], file, base_of=lambda _name: BASE)
    assert json.loads(file.getvalue())["log"]["entries"] == []


def test_curl_says_what_it_can_not() -> None:
    """What was redacted or cut stands in comments before the command."""
    command = curl_command(
        make_exchange(method="POST", headers=[("Authorization", f"Bearer {MARK}")], body=b"abc", body_length=10),
        base=BASE,
    )
    assert command.startswith(
        "# redacted, to be filled in: Authorization\n# the body is cut: 3 of 10 bytes were kept\n"
    )


def test_exports_name_the_environment_once() -> None:
    """In the path: a header of the proxy's beside it would make the path one of the service's."""
    exchange = make_exchange("/a", headers=[("x-multistack-ENVIRONMENT", "test"), ("X-A", "1")])
    har = json.dumps(har_entry(exchange)["request"])
    for export in (har, curl_command(exchange, base=BASE), pytest_module([exchange], base_of=lambda _name: BASE)):
        assert "x-multistack" not in export.lower()
        assert "X-A" in export


def test_a_note_can_not_leave_its_comment() -> None:
    """A header's name comes from outside."""
    command = curl_command(make_exchange(headers=[("X\nrm -rf /", MARK)]), base=BASE)
    assert "\nrm -rf" not in command.partition("curl")[0]


def test_pytest_checks_only_the_status_of_what_is_not_whole() -> None:
    """A redacted or cut body can't be expected to come back."""
    for changes in ({"answer": f'{{"token": "{MARK}"}}'.encode()}, {"answer": b"ab", "answer_length": 10}):
        source = pytest_module([make_exchange(id=1, **changes)], base_of=lambda _name: BASE)  # type: ignore[arg-type]
        compile(source, "test_kept.py", "exec")
        assert "assert status == 200" in source
        assert "assert body" not in source


def test_timing_adds_up() -> None:
    """Proxy, emulator and function together are the whole time."""
    calls = (
        Invocation(function="A", request_id="1", seconds=0.001),
        Invocation(function="B", request_id="2", seconds=None),
    )
    timing = timing_of(make_exchange(seconds=0.004, upstream_seconds=0.003, invocations=calls))
    assert (timing.proxy, timing.emulator, timing.function) == pytest.approx((0.001, 0.002, 0.001))


def test_timing_of_what_never_reached_an_emulator() -> None:
    """All of it was the proxy's."""
    timing = timing_of(make_exchange(seconds=0.004, upstream_seconds=None))
    assert (timing.proxy, timing.emulator, timing.function) == (0.004, None, None)


@pytest.mark.parametrize(
    ("body", "is_cut", "expected"),
    [
        (b"a\xc3\xbc", False, "aü"),
        (b"a\xc3", True, "a"),
        (b"a\xc3", False, None),
        (b"\x00", False, None),
        (b"\xff", True, None),
    ],
)
def test_text_of_bodies(body: bytes, is_cut: bool, expected: str | None) -> None:
    """A character that was cut is left out; bytes are no text."""
    assert text_of(body, is_cut=is_cut) == expected


def test_json_of_an_exchange_is_json() -> None:
    """Bytes and times included."""
    shown = to_dict(make_exchange(answer=b"\xff", faults=("latency",), id=7))
    assert json.loads(json.dumps(shown)) == shown
    assert shown["answer"]["body_encoding"] == "base64"


def test_events_of_one_call() -> None:
    """What stands between its START and its REPORT in its own stream, whatever others write meanwhile."""
    events = [
        {"logStreamName": stream, "message": message, "timestamp": number}
        for number, (stream, message) in enumerate(
            [
                ("s1", "left over"),
                ("s1", "START RequestId: r-1 Version: 1"),
                ("s2", "START RequestId: r-2 Version: 1"),
                ("s1", "mine"),
                ("s2", "another's"),
                ("s1", "REPORT RequestId: r-1\tDuration: 1 ms"),
                ("s1", "START RequestId: r-3 Version: 1"),
            ]
        )
    ]
    assert [event["message"] for event in events_of_call(events, "r-1")] == [
        "START RequestId: r-1 Version: 1",
        "mine",
        "REPORT RequestId: r-1\tDuration: 1 ms",
    ]


def test_an_exchange_of_long_ago_has_its_time() -> None:
    """Times are aware, and in UTC."""
    exchange = replace(make_exchange(), at=datetime(1999, 12, 31, 23, 59, tzinfo=UTC))
    assert to_dict(exchange)["at"] == "1999-12-31T23:59:00.000+00:00"
