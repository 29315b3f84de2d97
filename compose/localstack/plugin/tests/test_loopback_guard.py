"""Web pages must not reach the emulator."""

from __future__ import annotations

import pytest
from multistack_localstack.loopback_guard import VARIABLE, Hosts, refusal

HOSTS = Hosts.allowed({VARIABLE: "one.example, .all.example"}, "localhost.localstack.cloud", "4f3a2b")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4566",
        "localhost",
        "bucket.localhost:4566",
        "[::1]:4566",
        "test:4566",
        "multistack_test:4566",
        "172.18.0.2:4566",
        "10.0.0.1",
        "[fd00::1]:80",
        "sqs.eu-west-1.localhost.localstack.cloud:4566",
        "localhost.localstack.cloud:4566",
        "LOCALHOST.localstack.cloud.",
        "bucket.127.0.0.1:4566",
        "host.docker.internal:4566",
        "4f3a2b",
        "one.example",
        "all.example",
        "x.all.example:80",
    ],
)
def test_hosts_that_no_page_can_have(host: str) -> None:
    """This machine, its containers, their networks, and what was allowed."""
    assert refusal(HOSTS, "/", [("Host", host)]) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4566",
        "x.one.example",
        "notall.example",
        "8.8.8.8",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost.localstack.cloud.evil.example",
        "evil.example#localhost",
        "user@localhost",
        "0.0.0.0",
        "",
    ],
)
def test_hosts_that_a_page_may_have(host: str) -> None:
    """A public name may have been made to resolve to this machine."""
    assert refusal(HOSTS, "/", [("Host", host)]) is not None


def test_no_host_or_one_of_several() -> None:
    """Each Host that is named must be a good one, and there must be one."""
    assert refusal(HOSTS, "/", []) is not None
    assert refusal(HOSTS, "/", [("Host", "localhost"), ("host", "evil.example")]) is not None


@pytest.mark.parametrize(
    ("path", "headers", "is_refused"),
    [
        ("/", {"Origin": "http://localhost:8080"}, False),
        ("/", {"Origin": "https://evil.example"}, True),
        ("/", {"Origin": "null"}, True),
        ("/", {"Origin": "https://app.localstack.cloud"}, True),
        ("/_aws/execute-api/abc/live/x", {"Origin": "https://evil.example"}, False),
        ("/_aws/execute-api/abc/live", {"Origin": "https://evil.example"}, False),
        ("/_aws/execute-api/abc", {"Origin": "https://evil.example"}, True),
        ("/_aws/execute-api/abc/", {"Origin": "https://evil.example"}, True),
        ("/", {"Sec-Fetch-Site": "cross-site"}, True),
        ("/", {"Sec-Fetch-Site": "cross-site", "Referer": "http://localhost/x"}, False),
        ("/", {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/localhost"}, True),
        ("/", {"Sec-Fetch-Site": "same-origin"}, False),
    ],
)
def test_pages(path: str, headers: dict[str, str], is_refused: bool) -> None:
    """Only pages of this machine may call the emulator; any may call a deployed API."""
    reason = refusal(HOSTS, path, [("Host", "localhost:4566"), *headers.items()])
    assert (reason is not None) is is_refused
