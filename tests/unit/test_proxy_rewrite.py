"""Headers on their way through the proxy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emulator.model import Api, Route
from emulator.proxy.request import Request
from emulator.proxy.resolve import Destination
from emulator.proxy.rewrite import request_headers, response_headers, rewrite_cookie, rewrite_location

API = Api(logical_id="Api", path="/_aws/execute-api/00bea1dc/live", stage="live")
ADMIN = Api(logical_id="Admin", path="/_aws/execute-api/11aa22bb/live", stage="live")
URL = "http://127.0.0.1:4566"
BASE = API.path


def make_destination(mount: str, *, prefix: str | None = None, release: str | None = "ce9d3706731f") -> Destination:
    route = Route(
        environment="test",
        account_id="000000000001",
        region="eu-central-1",
        driver="embedded",
        url=URL,
        process=None,
        release=release,
        digest="ab" * 32,
        apis=(API, ADMIN),
        default_api="Api",
    )
    chosen = mount if prefix is None else prefix
    return Destination(route=route, url=URL, api=API, prefix=chosen, mount=mount, target="/a")


def make_request(*headers: tuple[str, str]) -> Request:
    return Request(
        method="GET", target="/test/a", host="localhost:8080", headers=headers, body=None, length=0, client="127.0.0.9"
    )


BY_PATH = make_destination("/test")
KEYED = replace(BY_PATH, url="http://10.77.0.2:20001", route=replace(BY_PATH.route, key="k3y"))
BY_HOST = make_destination("")
NAMED = make_destination("/test/_api/Api", prefix="/test")


@pytest.mark.parametrize(
    ("given", "by_path", "by_host"),
    [
        pytest.param(f"{URL}{BASE}/a?b=1#c", "/test/a?b=1#c", "/a?b=1#c", id="full-url-with-base"),
        pytest.param(f"{URL}{BASE}", "/test/", "/", id="full-url-base-only"),
        pytest.param(f"{URL}{BASE}?a", "/test/?a", "/?a", id="full-url-base-query"),
        pytest.param(f"{URL}/live/a", "/test/a", "/a", id="full-url-with-stage"),
        pytest.param(f"{URL}/a", "/test/a", "/a", id="full-url-without-base"),
        pytest.param(URL, "/test/", "/", id="origin-only"),
        pytest.param("http://LOCALHOST:4566/a", "/test/a", "/a", id="other-name-of-the-origin"),
        pytest.param("//127.0.0.1:4566/a", "/test/a", "/a", id="scheme-relative"),
        pytest.param(f"{BASE}/a", "/test/a", "/a", id="path-with-base"),
        pytest.param("/live/a", "/test/a", "/live/a", id="path-with-stage"),
        pytest.param("/live", "/test/", "/live", id="stage-only"),
        pytest.param("/lively", "/test/lively", "/lively", id="not-the-stage"),
        pytest.param("/a//b/../%2F?x=%20", "/test/a//b/../%2F?x=%20", "/a//b/../%2F?x=%20", id="path"),
        pytest.param("/", "/test/", "/", id="root"),
        pytest.param(f"{ADMIN.path}/a", "/test/_api/Admin/a", "/_api/Admin/a", id="another-api"),
        pytest.param("a/b", "a/b", "a/b", id="relative"),
        pytest.param("?a", "?a", "?a", id="query-only"),
        pytest.param("", "", "", id="empty"),
        pytest.param("https://example.com/a", "https://example.com/a", "https://example.com/a", id="other-origin"),
        pytest.param("//example.com/a", "//example.com/a", "//example.com/a", id="other-scheme-relative"),
        pytest.param("http://127.0.0.1:99/a", "http://127.0.0.1:99/a", "http://127.0.0.1:99/a", id="other-port"),
        pytest.param("mailto:a@b", "mailto:a@b", "mailto:a@b", id="other-scheme"),
        pytest.param(f"{BASE}//evil.com/", "/test//evil.com/", "/.//evil.com/", id="no-new-origin"),
    ],
)
def test_location_is_the_client_s(given, by_path, by_host):
    """A redirect leads back through the proxy, and others stay untouched."""
    assert rewrite_location(given, BY_PATH) == by_path
    assert rewrite_location(given, BY_HOST) == by_host


@pytest.mark.parametrize(
    ("url", "given", "expected"),
    [
        pytest.param("http://[::1]:4566", "http://[::1]:4566/a", "/test/a", id="ipv6"),
        pytest.param("http://[::1]:4566", "http://localhost:4566/a", "/test/a", id="another-name-of-loopback"),
        pytest.param("http://box", "http://box:80/a", "/test/a", id="default-port-named"),
        pytest.param("https://box:443", "https://box/a", "/test/a", id="default-port-left-out"),
        pytest.param("https://box", "https://box:80/a", "https://box:80/a", id="default-port-of-the-other-scheme"),
        pytest.param("http://box:4566", "http://localhost:4566/a", "http://localhost:4566/a", id="not-this-machine"),
    ],
)
def test_location_of_an_emulator_elsewhere(url, given, expected):
    """Every way to write its origin, and no other."""
    assert rewrite_location(given, replace(BY_PATH, url=url)) == expected


def test_location_of_a_named_api_stays_with_it():
    """What was asked for by the API's name goes on under that name."""
    assert rewrite_location("/a", NAMED) == "/test/_api/Api/a"
    assert rewrite_location(f"{BASE}/a", NAMED) == "/test/_api/Api/a"


@pytest.mark.parametrize(
    ("given", "by_path", "by_host"),
    [
        pytest.param("a=b", "a=b", "a=b", id="no-path"),
        pytest.param("a=b; Path=/; HttpOnly", "a=b; Path=/test/; HttpOnly", "a=b; Path=/; HttpOnly", id="root"),
        pytest.param("a=b;path=/x", "a=b; path=/test/x", "a=b; path=/x", id="lower-case"),
        pytest.param("a=b; Path=/live/x", "a=b; Path=/test/x", "a=b; Path=/live/x", id="stage"),
        pytest.param(f"a=b; Path={BASE}/", "a=b; Path=/test/", "a=b; Path=/", id="base"),
        pytest.param("a=b; Domain=127.0.0.1; Secure", "a=b; Secure", "a=b; Secure", id="upstream-domain"),
        pytest.param("a=b; Domain=x.org", "a=b; Domain=x.org", "a=b; Domain=x.org", id="other-domain"),
        pytest.param("a=p=/; Expires=Wed, 1 Jan", "a=p=/; Expires=Wed, 1 Jan", "a=p=/; Expires=Wed, 1 Jan", id="value"),
        pytest.param(
            "__Host-a=b; Secure; Path=/", "__Host-a=b; Secure; Path=/", "__Host-a=b; Secure; Path=/", id="host"
        ),
    ],
)
def test_cookie_lies_under_the_prefix(given, by_path, by_host):
    """Environments on one host keep their cookies apart by path."""
    assert rewrite_cookie(given, BY_PATH) == by_path
    assert rewrite_cookie(given, BY_HOST) == by_host


def test_request_drops_what_speaks_of_the_connection():
    """Hop-by-hop headers, and those named in Connection, end at the proxy; order and repeats stay."""
    sent = request_headers(
        make_request(
            ("Host", "localhost:8080"),
            ("Accept", "a"),
            ("Connection", "close, X-Private"),
            ("x-private", "1"),
            ("Keep-Alive", "5"),
            ("TE", "trailers"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Proxy-Authorization", "Basic eA=="),
            ("Expect", "100-continue"),
            ("X-Multistack-Environment", "test"),
            ("Authorization", "Bearer abc"),
            ("Accept-Encoding", "br"),
            ("X_Under", "1"),
            ("ACCEPT", "b"),
        ),
        BY_PATH,
    )

    assert sent == [
        ("Host", "127.0.0.1:4566"),
        ("Accept", "a"),
        ("Authorization", "Bearer abc"),
        ("Accept-Encoding", "br"),
        ("X_Under", "1"),
        ("ACCEPT", "b"),
        ("X-Forwarded-For", "127.0.0.9"),
        ("X-Forwarded-Host", "localhost:8080"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Prefix", "/test"),
    ]


def test_forwarded_claims_are_not_believed():
    """Of a client's X-Forwarded-* only For goes on, with the client's address behind it."""
    sent = request_headers(
        make_request(
            ("X-Forwarded-For", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("X-Forwarded-Host", "evil"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Prefix", "/evil"),
            ("X-Forwarded-Port", "1"),
        ),
        BY_HOST,
    )

    assert sent == [
        ("Host", "127.0.0.1:4566"),
        ("X-Forwarded-For", "10.0.0.1, 10.0.0.2, 127.0.0.9"),
        ("X-Forwarded-Host", "localhost:8080"),
        ("X-Forwarded-Proto", "http"),
    ]


def test_response_says_who_answered():
    """Hop-by-hop headers go, repeats stay, and the proxy's own replace same-named ones."""
    sent = response_headers(
        [
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "b=2"),
            ("Connection", "keep-alive, X-Private"),
            ("X-Private", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Location", "/a"),
            ("content-location", "/b"),
            ("x-multistack-environment", "prod"),
            ("X-Multistack-Release", "other"),
            ("Date", "Wed, 25 Nov 2026 14:00:00 GMT"),
            ("Server", "up"),
        ],
        BY_PATH,
    )

    assert sent == [
        ("Set-Cookie", "a=1; Path=/test/"),
        ("Set-Cookie", "b=2"),
        ("Location", "/test/a"),
        ("content-location", "/test/b"),
        ("Date", "Wed, 25 Nov 2026 14:00:00 GMT"),
        ("Server", "up"),
        ("X-Multistack-Environment", "test"),
        ("X-Multistack-Release", "ce9d3706731f"),
    ]


def test_response_without_release_names_none():
    """An environment whose release is unknown claims none."""
    assert response_headers([], make_destination("/test", release=None)) == [("X-Multistack-Environment", "test")]


def test_the_key_of_an_emulator_goes_along_and_a_clients_own_does_not() -> None:
    """Only the proxy knows it; whoever sends one by himself must not get further than without."""
    given = make_request(("X-Multistack-Key", "guessed"))
    assert dict(request_headers(given, KEYED))["X-Multistack-Key"] == "k3y"
    assert "X-Multistack-Key" not in dict(request_headers(given, BY_PATH))
    assert "k3y" not in repr(KEYED)


@pytest.mark.parametrize("origin", ["http://10.77.0.2:20001", "http://127.0.0.1:4566", "http://localhost:4566"])
def test_an_emulator_elsewhere_is_called_by_either_address(origin: str) -> None:
    """Its own functions know it by loopback, the proxy by its host."""
    (_, location), *_ = response_headers([("Location", f"{origin}/a")], KEYED)
    assert location == "/test/a"
