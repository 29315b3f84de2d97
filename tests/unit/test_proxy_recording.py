"""What passes the proxy, noted beside its way."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from emulator.inspector.feed import Feed
from emulator.inspector.rates import Rates
from emulator.model import Exchange
from emulator.proxy.answer import Answer
from emulator.proxy.recording import Recorder
from tests.unit.test_proxy_disturb import DESTINATION, REQUEST, FakeBody


class Shelf:
    """A sink that keeps everything."""

    body_limit = 100

    def __init__(self) -> None:
        self.kept: list[Exchange] = []

    def accept(self, exchange: Exchange) -> None:
        """Keep it."""
        self.kept.append(exchange)

    def flush(self) -> None:
        """Nothing to write."""

    def lost(self, count: int) -> None:
        """None is."""
        raise AssertionError(count)


@pytest.fixture
def shelf() -> Shelf:
    """Where exchanges get to."""
    return Shelf()


@pytest.fixture
def feed(shelf: Shelf) -> Iterator[Feed]:
    """The way there."""
    feed = Feed([shelf], redact=lambda exchange: exchange)
    with contextlib.closing(feed):
        yield feed


@pytest.mark.parametrize(
    ("length", "announced"), [("4", [0, 1]), ("5", [0, 0]), ("²", [0, 0]), (None, [0, 0])], ids=str
)
def test_whole_answer_counts_before_its_client_has_it(
    feed: Feed, shelf: Shelf, length: str | None, announced: list[int]
) -> None:
    """The client may ask at once whether it is kept; where it waits for an end of the body, it can't be faster."""
    headers = [("content-length", length)] if length else []
    answer = Answer(status_line="200 OK", headers=headers, body=FakeBody([b"ab", b"cd"]))
    body = Recorder(lambda _request, _destination: answer, rates=Rates(), feed=feed).forward(REQUEST, DESTINATION).body
    seen = []
    for _ in range(2):
        next(body)
        seen.append(feed.progress().offered)
    assert seen == announced
    assert next(body, None) is None
    body.close()
    assert feed.wait_until_idle(10)
    assert feed.progress().done == feed.progress().offered == 1
    assert [one.answer.body for one in shelf.kept] == [b"abcd"]
