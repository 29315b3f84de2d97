"""What is taken out of an exchange before anyone keeps it."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.encodings import MAX_DECODED
from emulator.inspector.redaction import MARK, Redaction
from emulator.model import Exchange
from tests.unit.exchanges import make_exchange

SECRET = "s3cr3t-v4lue"
JSON = (("Content-Type", "application/json"),)

_SLOW = (
    *("eyJ-", "<", "<a", " ", '"', '"a":', "&", '\\"', "\\", '{"secret":', "a", 'a="', "a='", "://", "://a:", "="),
    *('\\"a\\":', '\\\\\\"', "<a b=", "--b\n", "\n", "; name=", "%22", "<secret/>", "#"),
)


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
        ("Location", f"/next#access_token={SECRET}&state=1", "/next#access_token=redacted&state=1"),
        ("Location", f"https://ann:{SECRET}@host/a", "https://ann:redacted@host/a"),
        ("X-From", f"https://ann:{SECRET}@host/a", f"https://ann:{MARK}@host/a"),
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
        pytest.param(
            '{"body":"{\\"password\\": \\"x \\\\\\" y\\", \\"user\\": 1}"}',
            f'{{"body":"{{\\"password\\": \\"{MARK}\\", \\"user\\": 1}}"}}',
            id="JSON in a string",
        ),
        pytest.param(
            '{"a":"{\\"b\\":\\"{\\\\\\"token\\\\\\":\\\\\\"x\\\\\\"}\\"}", "c": 1}',
            f'{{"a":"{{\\"b\\":\\"{{\\\\\\"token\\\\\\":\\\\\\"{MARK}\\\\\\"}}\\"}}", "c": 1}}',
            id="JSON in a string in a string",
        ),
        pytest.param(
            '{"a":"{\\"pwd\\":12,\\"secret\\":{\\"k\\":\\"x\\"}}", "c": 1}',
            f'{{"a":"{{\\"pwd\\":\\"{MARK}\\",\\"secret\\":\\"{MARK}\\"", "c": 1}}',
            id="a number and an object in a string",
        ),
        pytest.param('{"a":"{\\"secret\\":\\"x', f'{{"a":"{{\\"secret\\":\\"{MARK}\\"', id="JSON in a string, cut"),
        pytest.param('{"db": "pg://ann:x@host/a"}', f'{{"db": "pg://ann:{MARK}@host/a"}}', id="a user's password"),
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
        (
            "application/x-www-form-urlencoded",
            "payload=%7B%22token%22%3A+%22x%22%7D&b=1",
            "payload=%7B%22token%22%3A+%22%5Bredacted%5D%22%7D&b=1",
        ),
        ("text/xml", "<a><pwd><![CDATA[x]]></pwd><b>1</b></a>", f"<a><pwd>{MARK}</pwd><b>1</b></a>"),
        ("text/xml", "<s:secret a='1'><v>x</v><v/></s:secret><b/>", f"<s:secret a='1'>{MARK}</s:secret><b/>"),
        ("text/xml", "<user password = 'x' name=\"ann\"/>", f"<user password = '{MARK}' name=\"ann\"/>"),
        ("text/xml", "<a><secret>x<v", f"<a><secret>{MARK}"),
        ("text/xml", "<a><secret> </secret></a>", "<a><secret> </secret></a>"),
        ("text/plain", "password=x&user=ann", "password=redacted&user=ann"),
        ("text/plain", "A=1\nDB_PASSWORD=x\nB=2", "A=1\nDB_PASSWORD=redacted\nB=2"),
        ("image/png", '{"password": "x"}', f'{{"password": "{MARK}"}}'),
        (
            "multipart/form-data; boundary=b",
            '--b\nContent-Disposition: form-data; name="api_key"\n\nx\n--b--\n',
            f'--b\nContent-Disposition: form-data; name="api_key"\n\n{MARK}\n--b--\n',
        ),
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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_signs_of_several_bytes_are_read(encoding: str) -> None:
    """A secret is one in any encoding that JSON may come in; the rest stays in it, to the byte."""
    body = '{"password": "x", "a": "\u00fc\U0001f600"}'.encode(encoding)
    found = redact(make_exchange(answer=body, answer_headers=JSON)).answer.body
    assert found.decode(encoding) == f'{{"password": "{MARK}", "a": "\u00fc\U0001f600"}}'
    harmless = '{"a": "\u00fc"}'.encode(encoding)
    assert redact(make_exchange(answer=harmless, answer_headers=JSON)).answer.body == harmless


def test_a_body_is_decompressed_as_far_as_somebody_wants_it() -> None:
    """What a few bytes may become holds nobody up; what is there tells that it isn't all."""
    headers = [*JSON, ("Content-Encoding", "gzip")]
    body = gzip.compress(b'{"secret": "' + bytes(4_000_000))
    found = Redaction().redact(make_exchange(answer=body, answer_headers=headers), most=100).answer
    assert found.body == f'{{"secret": "{MARK}"'.encode()
    assert found.body_length > len(found.body)
    whole = Redaction().redact(make_exchange(answer=b"{} " * 40, answer_headers=[("Pwd", "x")]), most=100).answer
    assert whole.body_length == len(whole.body) == 120


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


@pytest.mark.timeout(30)  # a second when each takes as long as its length; minutes when one takes its square
@pytest.mark.parametrize(
    "start", ["", '"', "<a", '"a"', "--b\ncontent-disposition:", "a=", "<secret>", '\\"pwd\\":\\"'], ids=repr
)
@pytest.mark.parametrize(
    "kind", ["application/json", "application/xml", "application/x-www-form-urlencoded", "multipart/"]
)
def test_bodies_made_to_be_slow_are_not(start: str, kind: str) -> None:
    """A body can't hold up those after it, whatever is said again and again in it."""
    for part in _SLOW:
        redacted_body(start + part * (100_000 // len(part)), kind)


@pytest.mark.timeout(30)
def test_a_small_request_that_becomes_a_large_one_is_not_slow() -> None:
    """As much as a body may become when it is decompressed costs a moment, not a minute."""
    body = gzip.compress(b'\\"' * (MAX_DECODED // 2))
    assert len(body) < 10_000
    redact(make_exchange(body=body, headers=[*JSON, ("Content-Encoding", "gzip")]))
