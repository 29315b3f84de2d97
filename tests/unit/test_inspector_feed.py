"""The way of exchanges to whoever keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from emulator.inspector.feed import Feed, Progress
from emulator.model import Exchange
from tests.unit.exchanges import make_exchange


class Shelf:
    """A sink that keeps everything, and waits when it is told to."""

    def __init__(self, body_limit: int | None = 100) -> None:
        self.body_limit = body_limit
        self.kept: list[Exchange] = []
        self.flushed = 0
        self.missed = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def accept(self, exchange: Exchange) -> None:
        self.may_go_on.wait(10)
        self.kept.append(exchange)

    def flush(self) -> None:
        self.flushed += 1

    def lost(self, count: int) -> None:
        self.missed += count


@pytest.fixture
def open_feed() -> Iterator[Callable[..., Feed]]:
    feeds = []

    def open_feed(*sinks: object, redact: Callable[[Exchange], Exchange] = lambda exchange: exchange) -> Feed:
        feeds.append(Feed(sinks, redact=redact))  # type: ignore[arg-type]
        return feeds[-1]

    yield open_feed
    for feed in feeds:
        feed.close()


def test_sinks_get_exchanges_in_order_and_redacted(open_feed: Callable[..., Feed]) -> None:
    """A sink never sees what was there before redaction, and is told when nothing follows."""
    shelf = Shelf()
    feed = open_feed(shelf, redact=lambda exchange: replace(exchange, client="redacted"))
    for number in range(5):
        feed.offer(make_exchange(f"/{number}"))
    assert feed.wait_until_idle(10)
    assert [one.request.target for one in shelf.kept] == ["/0", "/1", "/2", "/3", "/4"]
    assert {one.client for one in shelf.kept} == {"redacted"}
    assert shelf.flushed


def test_the_largest_wish_decides(open_feed: Callable[..., Feed]) -> None:
    """Bodies are kept as far as any sink wants them; without a sink that wants any, nothing is."""
    assert open_feed(Shelf(10), Shelf(500), Shelf(None)).body_limit == 500
    assert open_feed(Shelf(None)).body_limit is None
    assert open_feed().body_limit is None


def test_a_slow_sink_loses_exchanges_and_holds_up_nobody(open_feed: Callable[..., Feed]) -> None:
    """Memory is bounded by bytes too, and what was lost is counted."""
    shelf = Shelf()
    shelf.may_go_on.clear()
    feed = open_feed(shelf)
    for _ in range(100):
        feed.offer(make_exchange(answer=bytes(1_000_000)))
    assert 80 <= feed.lost <= 90
    shelf.may_go_on.set()
    assert feed.wait_until_idle(10)
    assert len(shelf.kept) + feed.lost == 100
    assert shelf.missed == feed.lost


def test_an_exchange_too_large_to_wait_is_told_of_at_once(open_feed: Callable[..., Feed]) -> None:
    """A sink hears of a loss though nothing else follows; headers and targets count as bodies do."""
    shelf = Shelf()
    feed = open_feed(shelf)
    feed.offer(make_exchange(answer=bytes(20_000_000)))
    assert feed.wait_until_idle(10)
    assert shelf.missed == 1
    feed.offer(make_exchange(headers=[("X-A", "a" * 20_000_000)]))
    feed.offer(make_exchange("/" + "a" * 20_000_000))
    assert feed.wait_until_idle(10)
    assert shelf.missed == 3


def test_what_was_offered_has_arrived_when_as_many_are_done(open_feed: Callable[..., Feed]) -> None:
    """Whoever ends a recording knows by two numbers when it is whole, though more requests keep coming."""
    shelf = Shelf()
    shelf.may_go_on.clear()
    feed = open_feed(shelf)
    for _ in range(3):
        feed.offer(make_exchange())
    feed.offer(make_exchange(answer=bytes(20_000_000)))
    assert feed.progress() == Progress(offered=4, done=feed.progress().done)
    assert feed.progress().done < 4
    shelf.may_go_on.set()
    assert feed.wait_until_idle(10)
    assert feed.progress() == Progress(offered=4, done=4)


class Desk(Shelf):
    """A sink that writes when it is told to, which takes as long as it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing, self.may_write = threading.Event(), threading.Event()

    def flush(self) -> None:
        self.is_writing.set()
        self.may_write.wait(10)


def test_nothing_is_done_before_it_is_written(open_feed: Callable[..., Feed]) -> None:
    """Who waits for what was answered reads it from a file; others that came meanwhile hold nobody up."""
    desk = Desk()
    feed = open_feed(desk)
    feed.offer(make_exchange())
    assert desk.is_writing.wait(10)
    assert feed.progress() == Progress(offered=1, done=0)
    feed.offer(make_exchange())
    desk.may_write.set()
    assert feed.wait_until_idle(10)
    assert feed.progress() == Progress(offered=2, done=2)


def test_more_that_keeps_coming_holds_up_nobody_who_waits(open_feed: Callable[..., Feed]) -> None:
    """Of an endless stream of exchanges each is done at some time."""

    class Echo(Shelf):
        def accept(self, exchange: Exchange) -> None:
            super().accept(exchange)
            if feed.progress().done == 0:
                feed.offer(exchange)

    feed = open_feed(Echo())
    feed.offer(make_exchange())
    assert feed.wait_until_idle(10)
    assert feed.progress().done == feed.progress().offered > 1


def test_answer_that_a_client_has_is_waited_for_before_it_is_offered(open_feed: Callable[..., Feed]) -> None:
    """It is offered a moment after the client may have its last byte."""
    feed = open_feed(Shelf())
    feed.announce()
    assert feed.progress() == Progress(offered=1, done=0)
    assert not feed.wait_until_idle(0)
    feed.offer(make_exchange(), is_announced=True)
    assert feed.wait_until_idle(10)
    assert feed.progress() == Progress(offered=1, done=1)


def test_a_bug_in_one_sink_is_logged_and_the_next_one_served(
    open_feed: Callable[..., Feed], caplog: pytest.LogCaptureFixture
) -> None:
    """What one sink can't cope with is no reason for another to miss it."""

    class Broken(Shelf):
        def accept(self, exchange: Exchange) -> None:
            raise RuntimeError("a bug")

    shelf = Shelf()
    broken = Broken()
    feed = open_feed(broken, shelf)
    feed.offer(make_exchange())
    assert feed.wait_until_idle(10)
    assert (len(shelf.kept), shelf.missed, broken.missed) == (1, 0, 1)
    assert "a bug" in caplog.text


def test_what_fails_to_be_redacted_reaches_no_sink(
    open_feed: Callable[..., Feed], caplog: pytest.LogCaptureFixture
) -> None:
    """Rather nothing than a secret."""

    def fail(_exchange: Exchange) -> Exchange:
        raise RuntimeError("a bug")

    shelf = Shelf()
    feed = open_feed(shelf, redact=fail)
    feed.offer(make_exchange())
    assert feed.wait_until_idle(10)
    assert (shelf.kept, shelf.missed) == ([], 1)
    assert "a bug" in caplog.text


def test_close_hands_over_what_waits(open_feed: Callable[..., Feed]) -> None:
    """A proxy that stops keeps what it has answered."""
    shelf = Shelf()
    feed = open_feed(shelf)
    for _ in range(50):
        feed.offer(make_exchange())
    feed.close()
    assert len(shelf.kept) == 50
