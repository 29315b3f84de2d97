"""What a client asked for, read out of a WSGI environ."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from emulator.proxy.request import HEADERS_KEY, read_request


def make_environ(**changes: object) -> dict[str, object]:
    return {
        "REQUEST_METHOD": "GET",
        "REQUEST_URI": "/test/a%2Fb?c",
        "PATH_INFO": "/test/a/b",
        "QUERY_STRING": "c",
        "HTTP_HOST": "localhost:8080",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(b"abc"),
        **changes,
    }


def test_raw_target_and_headers_are_taken():
    """The server's raw forms win over WSGI's decoded ones."""
    request = read_request(make_environ(**{HEADERS_KEY: [("X-A", "1"), ("x-a", "2"), ("X_A", "3")]}))

    assert request.target == "/test/a%2Fb?c"
    assert request.values("x-a") == ["1", "2"]
    assert request.body is None


@pytest.mark.parametrize(
    ("changes", "length", "has_body"),
    [
        ({"CONTENT_LENGTH": "3"}, 3, True),
        ({"CONTENT_LENGTH": "0"}, 0, False),
        ({"CONTENT_LENGTH": ""}, 0, False),
        ({"HTTP_TRANSFER_ENCODING": "Chunked"}, None, True),
    ],
    ids=["length", "zero", "empty", "chunked"],
)
def test_body_is_there_when_it_is_framed(changes, length, has_body):
    """A length or chunks make a body; nothing else does."""
    request = read_request(make_environ(**changes))

    assert (request.length, request.body is not None) == (length, has_body)


@pytest.mark.parametrize(
    ("uri", "host", "target"),
    [
        ("http://test.localhost:1/a//b?c", "test.localhost:1", "/a//b?c"),
        ("HTTP://localhost", "localhost", "/"),
        ("/a?u=http://x/y", "localhost:8080", "/a?u=http://x/y"),
        ("/http://x/y", "localhost:8080", "/http://x/y"),
    ],
)
def test_absolute_target_names_the_host(uri, host, target):
    """RFC 9112: a target in absolute form overrides the Host header."""
    request = read_request(make_environ(REQUEST_URI=uri))

    assert (request.host, request.target) == (host, target)


def test_any_wsgi_server_will_do():
    """Without raw forms the target and headers are rebuilt from the environ."""
    environ = EnvironBuilder(
        "/test/ü b", query_string="a=1", headers={"X-A": "1"}, method="POST", data=b"x"
    ).get_environ()
    del environ["REQUEST_URI"]
    request = read_request(environ)

    assert request.target == "/test/%C3%BC%20b?a=1"
    assert ("X-A", "1") in request.headers
    assert ("Content-Length", "1") in request.headers


@given(st.text(alphabet="abc/%2F.?&=+", max_size=40))
def test_target_is_never_decoded(rest):
    """A raw target in origin form is kept to the byte."""
    assert read_request(make_environ(REQUEST_URI=f"/{rest}")).target == f"/{rest}"
