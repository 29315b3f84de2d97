"""Ids and cookies that an environment chooses itself, in later requests and in comparisons."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator.differences.json_paths import first_value
from emulator.inspector.redaction import MARK
from emulator.model import CarryRule, HttpAnswer, HttpRequest
from emulator.replay.carrying import Carried, UnsetVariableError
from emulator.replay.corpus import Entry

ORDER = CarryRule(json_path="$.id", variable="order", request="POST /orders")


def answer(body: Any = None, *, headers: list[tuple[str, str]] | None = None) -> HttpAnswer:
    """One with a JSON body."""
    content = b"" if body is None else json.dumps(body).encode()
    return HttpAnswer(status=200, headers=headers or [], body=content, body_length=len(content), seconds=0.1)


def request(target: str, *, method: str = "GET", body: bytes = b"", headers: Any = ()) -> HttpRequest:
    """One of a corpus."""
    return HttpRequest(method=method, target=target, headers=headers, body=body, body_length=len(body))


def placed(recorded: HttpAnswer | None) -> Entry:
    """An order that was placed, with what that was answered."""
    return Entry(line=2, request=request("/orders?x=1", method="POST"), answer=recorded)


def carried(*rules: CarryRule) -> Carried:
    """Nothing so far."""
    return Carried(rules or [ORDER], find=first_value)


def test_the_environments_own_id_takes_the_recorded_ones_place() -> None:
    """In target, headers and body of what is sent, as a whole word only."""
    one = carried()
    one.learn(placed(answer({"id": "old-1"})), answer({"id": "new-2"}))
    sent = one.fill(
        request("/orders/old-1?after=old-1", body=b'{"id":"old-1","not":"old-11"}', headers=[("If-Match", '"old-1"')])
    )
    assert sent.target == "/orders/new-2?after=new-2"
    assert sent.body == b'{"id":"new-2","not":"old-11"}'
    assert list(sent.headers) == [("If-Match", '"new-2"')]


def test_answers_are_compared_as_if_the_recorded_id_had_been_chosen() -> None:
    """A body grows or shrinks by that, and says so."""
    one = carried()
    one.learn(placed(answer({"id": "old-1"})), answer({"id": "longer-2"}))
    plain = one.plain(answer({"id": "longer-2"}, headers=[("Location", "/orders/longer-2")]))
    assert (plain.body, plain.body_length) == (b'{"id": "old-1"}', 15)
    assert list(plain.headers) == [("Location", "/orders/old-1")]


def test_each_recorded_id_has_its_own() -> None:
    """Two orders stay two."""
    one = carried()
    one.learn(placed(answer({"id": "old-1"})), answer({"id": "new-1"}))
    one.learn(placed(answer({"id": "old-2"})), answer({"id": "new-2"}))
    assert one.fill(request("/orders/old-1/old-2")).target == "/orders/new-1/new-2"


def test_a_request_written_by_hand_names_the_variable() -> None:
    """Numbers too; and both environments are compared under that name."""
    one = carried()
    one.learn(placed(None), answer({"id": 47110815}))
    assert one.fill(request("/orders/${order}")).target == "/orders/47110815"
    assert one.plain(answer({"id": 47110815})).body == b'{"id": ${order}}'


def test_a_variable_without_a_value_is_named() -> None:
    """It is not sent as it stands; what no rule declares is."""
    with pytest.raises(UnsetVariableError, match="variable order has no value"):
        carried().fill(request("/orders/${order}"))
    assert carried().fill(request("/", body=b"${price}")).body == b"${price}"


def test_a_value_is_never_more_than_a_value() -> None:
    """Encoded in a target; one that could end a line is not carried at all."""
    one = carried()
    one.learn(placed(answer({"id": "old-1"})), answer({"id": "a b/€?"}))
    sent = one.fill(request("/orders/old-1/${order}", headers=[("X-Id", "old-1")], body=b'"old-1"'))
    assert sent.target == "/orders/a%20b%2F%E2%82%AC%3F/a%20b%2F%E2%82%AC%3F"
    assert sent.body == '"a b/€?"'.encode()
    assert list(sent.headers) == [("X-Id", "a b/€?".encode().decode("latin-1"))]
    one.learn(placed(answer({"id": "old-2"})), answer({"id": "a\r\nX-Evil: b"}))
    assert one.fill(request("/old-2")).target == "/old-2"


def test_a_short_value_is_carried_by_its_name_only() -> None:
    """`1` stands everywhere."""
    one = carried()
    one.learn(placed(answer({"id": 1})), answer({"id": 2}))
    assert one.fill(request("/orders/1/${order}")).target == "/orders/1/2"


def test_a_redacted_value_replaces_nothing() -> None:
    """The mark stands for many values."""
    one = carried(CarryRule(json_path="$.token", variable="token"))
    one.learn(placed(answer({"token": MARK})), answer({"token": "s3cret"}))
    assert one.fill(request("/", body=MARK.encode())).body == MARK.encode()
    assert one.fill(request("/", headers=[("Authorization", "Bearer ${token}")])).headers == [
        ("Authorization", "Bearer s3cret")
    ]


def test_a_rule_is_about_its_requests_only() -> None:
    """By method and path, with stars."""
    one = carried(CarryRule(json_path="$.id", variable="order", request="GET /orders/*"))
    assert not one.is_source(placed(None))
    assert one.is_source(Entry(line=3, request=request("/orders/5?a=b"), answer=None))
    one.learn(placed(answer({"id": "old-1"})), answer({"id": "new-1"}))
    assert one.fill(request("/old-1")).target == "/old-1"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"id": {"a": 1}}', b'{"id": null}', b'{"id": ""}'])
def test_an_answer_without_the_value_teaches_nothing(body: bytes) -> None:
    """Whatever it is instead."""
    one = carried()
    actual = HttpAnswer(status=500, headers=[], body=body, body_length=len(body), seconds=0.1)
    one.learn(placed(answer({"id": "old-1"})), actual)
    assert one.fill(request("/old-1")).target == "/old-1"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param("a=abc; Secure; Partitioned; Priority=High", "a=abc", id="attributes of today"),
        pytest.param('a={"b":"c d",e}; Path=/', 'a={"b":"c d",e}', id="JSON"),
        pytest.param('a="b"', 'a="b"', id="quoted"),
        pytest.param("a=b; Max-Age=01", "a=b", id="short-lived"),
        pytest.param("old=x; max-age=-1;", "", id="gone"),
        pytest.param("a\x00=b", "", id="no name"),
    ],
)
def test_a_cookie_is_sent_back_as_it_came(given: str, sent: str) -> None:
    """Whatever is in it, as browsers do it."""
    one = carried()
    one.learn(placed(None), answer(headers=[("Set-Cookie", given)]))
    filled = one.fill(request("/", headers=[("Cookie", f"a={MARK}")]))
    assert dict(filled.headers).get("Cookie", "") == sent


def test_cookies_are_the_environments_own() -> None:
    """Set and cleared as in a browser; only where the recorded request had some."""
    one = carried()
    with_cookies = request("/", headers=[("Cookie", f"session={MARK}; theme=dark; gone={MARK}")])
    one.learn(
        placed(None),
        answer(headers=[("Set-Cookie", "session=abc; HttpOnly"), ("Set-Cookie", "gone=x"), ("Set-Cookie", "x=\x00")]),
    )
    one.learn(placed(None), answer(headers=[("Set-Cookie", "gone=; Max-Age=0")]))
    assert one.fill(with_cookies).headers == [("Cookie", "theme=dark; session=abc")]
    assert list(one.fill(request("/")).headers) == []
    assert carried().fill(request("/", headers=[("Cookie", f"session={MARK}")])).headers == []
