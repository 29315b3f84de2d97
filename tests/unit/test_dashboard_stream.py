"""Server-sent events: who is told what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator.dashboard.stream import Stream
from emulator.proxy.problems import Problem


@pytest.fixture
def facts() -> dict[str, object]:
    return {"environments": 1, "jobs": []}


@pytest.fixture
def stream(facts: dict[str, object]) -> Iterator[Stream]:
    """Without a heartbeat, which comes before an event that a busy machine is late with."""
    topics = {name: lambda name=name: facts[name] for name in facts}
    found = Stream(topics, most=2, period=0.02, heartbeat=600.0)  # type: ignore[arg-type]
    yield found
    found.close()


def test_a_stream_begins_with_the_state_and_tells_changes(stream, facts):
    """A change between the page's making and its listening is not lost."""
    listener = stream.listen(["environments"])
    assert next(listener) == b"retry: 3000\n\n"
    assert next(listener) == b"event: environments\ndata: 1\n\n"
    facts["environments"] = {"revision": 2}
    assert next(listener) == b'event: environments\ndata: {"revision": 2}\n\n'


def test_a_second_stream_is_told_what_the_first_one_was(stream):
    """Also when nothing changes."""
    first = stream.listen(["jobs"])
    assert [next(first) for _ in range(2)][1] == b"event: jobs\ndata: []\n\n"
    second = stream.listen(["jobs", "environments"])
    told = b"".join(next(second) for _ in range(3))
    assert b"event: jobs\n" in told
    assert b"event: environments\n" in told


def test_nothing_new_is_a_comment():
    """It finds out whether somebody is still there."""
    stream = Stream({"jobs": list}, period=0.02, heartbeat=0.2)
    listener = stream.listen(["jobs"])
    assert b": still here\n\n" in [next(listener) for _ in range(3)]
    stream.close()


def test_so_many_and_no_more(stream):
    """The others are refused, until one leaves."""
    first, _ = stream.listen(["jobs"]), stream.listen(["jobs"])
    with pytest.raises(Problem) as caught:
        stream.listen(["jobs"])
    assert caught.value.status == 503
    first.close()
    stream.listen(["jobs"])


def test_closing_ends_every_stream(stream):
    """A proxy that stops waits for none of them."""
    listener = stream.listen(["jobs"])
    stream.close()
    assert list(listener)[1:] == []
    with pytest.raises(Problem):
        stream.listen(["jobs"])


def test_a_state_that_fails_costs_its_own_topic_only(caplog):
    """The log has the traceback, the others are told on."""
    stream = Stream({"bad": lambda: 1 / 0, "good": lambda: 1}, period=0.02)
    listener = stream.listen(["bad", "good"])
    assert [next(listener) for _ in range(2)][1] == b"event: good\ndata: 1\n\n"
    stream.close()
    assert "ZeroDivisionError" in caplog.text
