"""What is taken out of an exchange before anyone keeps it."""

from __future__ import annotations

import gzip
import json
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.inspector.redaction import MARK, Redaction
from emulator.model import Exchange
from tests.unit.exchanges import make_exchange

SECRET = "s3cr3t-v4lue"
JSON = (("Content-Type", "application/json"),)


def redact(exchange: Exchange, *further: str) -> Exchange:
    return Redaction.of(further).redact(exchange)


def redacted_body(body: str, kind: str = "application/json", *further: str) -> str:
    found = redact(make_exchange(body=body.encode(), headers=[("Content-Type", kind)]), *further)
    return found.request.body.decode()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", f"Bearer {SECRET}", f"Bearer {MARK}"),
        ("authorization", SECRET, MARK),
        ("Proxy-Authorization", f"Basic {SECRET}", f"Basic {MARK}"),
        ("X-Api-Key", SECRET, MARK),
        ("x_api_key", SECRET, MARK),
        ("X-Amz-Security-Token", SECRET, MARK),
        ("X-Multistack-Password", SECRET, MARK),
        ("Cookie", f"a={SECRET}; b={SECRET}", f"a={MARK}; b={MARK}"),
        ("Set-Cookie", f"sid={SECRET}; Path=/; HttpOnly", f"sid={MARK}; Path=/; HttpOnly"),
        ("Location", f"/next?page=2&token={SECRET}", "/next?page=2&token=redacted"),
        ("X-Trace", "eyJhbGciOi.eyJzdWIiOi.c2ln", MARK),
        ("Accept", "text/html", "text/html"),
    ],
)
def test_headers(name: str, value: str, expected: str) -> None:
    """Names of cookies and schemes stay, so that one can still see what was sent."""
    found = redact(make_exchange(headers=[(name, value)], answer_headers=[(name, value)]))
    assert list(found.request.headers) == list(found.answer.headers) == [(name, expected)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('{"password": "x", "user": "ann"}', f'{{"password": "{MARK}", "user": "ann"}}', id="string"),
        pytest.param('{"a":[{"accessToken":12}]}', f'{{"a":[{{"accessToken":"{MARK}"}}]}}', id="nested number"),
        pytest.param('{"credentials":{"k":["v"]},"n":1}', f'{{"credentials":"{MARK}","n":1}}', id="object"),
        pytest.param('{"pass\\u0077ord": "x"}', f'{{"pass\\u0077ord": "{MARK}"}}', id="escaped name"),
        pytest.param('{"client_secret": "abc', f'{{"client_secret": "{MARK}"', id="cut"),
        pytest.param('{"secret": {"a": [1, 2', f'{{"secret": "{MARK}"', id="cut in an object"),
        pytest.param('{"secret": x, "b": 1}', f'{{"secret": "{MARK}"', id="invalid"),
        pytest.param('{"secret": "a\nb", "c": 1}', f'{{"secret": "{MARK}", "c": 1}}', id="a raw line break"),
        pytest.param('{"n": 1.50,  "tokens_used": 3}', '{"n": 1.50,  "tokens_used": 3}', id="nothing secret"),
        pytest.param('{"nextToken": "abc"}', '{"nextToken": "abc"}', id="where a list goes on"),
        pytest.param('{"key": "password: x"}', '{"key": "password: x"}', id="only a value"),
        pytest.param('{"url": "/a?token=x&b=1"}', '{"url": "/a?token=redacted&b=1"}', id="a link"),
    ],
)
def test_json(body: str, expected: str) -> None:
    """Whatever else stands in the body stays as it was written."""
    assert redacted_body(body) == expected


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/x-www-form-urlencoded", "user=ann&pass%77ord=x&b=1", "user=ann&pass%77ord=redacted&b=1"),
        ("application/xml", "<a><Password x='1'>x</Password></a>", f"<a><Password x='1'>{MARK}</Password></a>"),
        ("text/plain", "AKIAIOSFODNN7EXAMPLE is it", f"{MARK} is it"),
        (
            "multipart/form-data; boundary=b",
            '--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nx\r\n--b--\r\n',
            f'--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n{MARK}\r\n--b--\r\n',
        ),
    ],
)
def test_other_bodies(kind: str, body: str, expected: str) -> None:
    """A field is a field, in whichever form it is sent."""
    assert redacted_body(body, kind) == expected


def test_names_of_the_project() -> None:
    """A project's own names count in headers, bodies and queries, however they are written."""
    exchange = make_exchange("/a?iban=1", headers=[("I-Ban", "2"), *JSON], body=b'{"IBAN": "3"}')
    found = redact(exchange, "iban").request
    assert found.target == "/a?iban=redacted"
    assert found.headers[0] == ("I-Ban", MARK)
    assert found.body == f'{{"IBAN": "{MARK}"}}'.encode()


@pytest.mark.parametrize("encode", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_compressed_bodies_are_read(encode: object) -> None:
    """What is compressed is kept as it reads, so that nothing secret hides in it."""
    name = "gzip" if encode is gzip.compress else "deflate"
    body = encode(b'{"secret": "x"}')  # type: ignore[operator]
    found = redact(make_exchange(answer=body, answer_headers=[*JSON, ("Content-Encoding", name)])).answer
    assert found.body == f'{{"secret": "{MARK}"}}'.encode()
    assert found.body_length == len(found.body)


def test_a_body_that_nobody_can_read_is_not_kept() -> None:
    """Better nothing than what may be a secret; its length says that there was something."""
    found = redact(make_exchange(answer=b"\x0b\x02\x80", answer_headers=[("Content-Encoding", "br")])).answer
    assert (found.body, found.body_length) == (b"", 3)


def test_a_cut_body_stays_cut() -> None:
    """Whoever reads it must not take it for the whole."""
    found = redact(make_exchange(answer=b'{"secret": "x', answer_length=100_000, answer_headers=JSON)).answer
    assert found.body_length == 100_000


def test_binary_bodies_stay() -> None:
    """Pictures have no fields."""
    picture = bytes(range(256)) * 4
    found = redact(make_exchange(answer=picture, answer_headers=[("Content-Type", "image/png")])).answer
    assert found.body == picture


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_secret_survives_in_any_json(value: object) -> None:
    """Wherever a secret stands, and whatever surrounds it."""
    document = {"before": value, "apiKey": SECRET, "nested": [{"password": {"x": [SECRET, value]}}], "after": value}
    shown = redacted_body(json.dumps(document))
    assert SECRET not in shown
    assert json.loads(shown)["after"] == value or "token" in shown.lower() or MARK in shown


@pytest.mark.parametrize(
    "body",
    [
        "eyJ-" * 16_000,
        "<" + "a" * 60_000,
        "<a" + " " * 60_000,
        '"a"' + " " * 60_000,
        '"' * 60_000,
        '"a":' * 16_000,
        "<a" * 30_000,
        "&" * 60_000,
        '\\"' * 30_000,
        '{"secret":' * 6_000,
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/xml", "application/x-www-form-urlencoded"])
def test_bodies_made_to_be_slow_are_not(body: str, kind: str) -> None:
    """A body can't hold up those after it."""
    started = time.perf_counter()
    redacted_body(body, kind)
    assert time.perf_counter() - started < 2
