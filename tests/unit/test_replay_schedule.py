"""Which requests of a replay go side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable

from emulator.model import HttpRequest
from emulator.replay.corpus import Entry
from emulator.replay.schedule import Schedule


def entries(methods: str) -> list[Entry]:
    """G for a GET, P for a POST."""
    names = {"G": "GET", "P": "POST"}
    return [
        Entry(line=line, request=HttpRequest(method=names[one], target="/"), answer=None)
        for line, one in enumerate(methods, start=2)
    ]


def schedule(methods: str) -> Schedule:
    """Writes go alone."""
    return Schedule(entries(methods), is_alone=lambda one: one.is_write)


def line(entry: Entry | None) -> int | None:
    """Of what was taken."""
    return entry.line if entry else None


def in_background(work: Callable[[], object]) -> threading.Thread:
    """A thread that has begun."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_reads_go_side_by_side_and_in_order() -> None:
    """Nobody waits for their answers."""
    one = schedule("GGG")
    assert [line(one.take()) for _ in range(4)] == [2, 3, 4, None]


def test_a_write_waits_for_all_before_it() -> None:
    """They find what they found when they were recorded."""
    one = schedule("GGP")
    one.take()
    one.take()
    taken: list[int | None] = []
    thread = in_background(lambda: taken.append(line(one.take())))
    one.done()
    assert taken == []
    one.done()
    thread.join(5)
    assert taken == [4]


def test_all_after_a_write_wait_for_it() -> None:
    """They need what it did."""
    one = schedule("PGG")
    one.take()
    taken: list[int | None] = []
    threads = [in_background(lambda: taken.append(line(one.take()))) for _ in range(2)]
    assert taken == []
    one.done()
    for thread in threads:
        thread.join(5)
    assert sorted(taken, key=str) == [3, 4]


def test_a_stop_wakes_who_waits() -> None:
    """An interrupted replay sends nothing more."""
    one = schedule("PG")
    one.take()
    taken: list[int | None] = []
    thread = in_background(lambda: taken.append(line(one.take())))
    one.stop()
    thread.join(5)
    assert taken == [None]
