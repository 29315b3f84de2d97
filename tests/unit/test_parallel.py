"""Work on several environments at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from emulator.errors import MultistackError, NotReady
from emulator.parallel import Cancellation, Deadline, run_parallel


def test_results_keep_the_order_of_the_names() -> None:
    """Whoever ends first does not come first."""
    first_may_end = threading.Event()

    def work(name: str) -> str:
        if name == "b":
            first_may_end.set()
        else:
            assert first_may_end.wait(60)
        return name.upper()

    assert list(run_parallel(["a", "b"], work, Cancellation()).items()) == [("a", "A"), ("b", "B")]


def test_a_deadline_only_gets_shorter() -> None:
    """For all who share it."""
    now = [100.0]
    deadline = Deadline(45, clock=lambda: now[0])
    now[0] = 130.0
    assert not deadline.is_over
    deadline.shorten(5)
    deadline.shorten(500)
    now[0] = 134.9
    assert not deadline.is_over
    now[0] = 135.0
    assert deadline.is_over


def test_one_error_hides_no_other_result() -> None:
    """An error a user can cause is a result like any other."""
    error = NotReady("no")

    def work(name: str) -> str:
        if name == "a":
            raise error
        return name

    assert run_parallel(["a", "b"], work, Cancellation()) == {"a": error, "b": "b"}


def test_a_bug_keeps_its_traceback() -> None:
    """Only our own errors are results."""

    def work(name: str) -> str:
        raise TypeError(name)

    with pytest.raises(TypeError):
        run_parallel(["a"], work, Cancellation())


def test_nothing_to_do_is_no_error() -> None:
    """A project may have no environment of the kind that is asked for."""
    assert run_parallel([], lambda name: name, Cancellation()) == {}


def test_cancellation_ends_everyone_who_checks() -> None:
    """Ctrl-C is told to every thread, and no thread's work is passed off as done."""
    cancellation = Cancellation()
    waiting = threading.Barrier(2)

    def work(name: str) -> None:
        waiting.wait(60)
        if name == "a":
            cancellation.cancel()
        while True:
            cancellation.check()

    with pytest.raises(KeyboardInterrupt):
        run_parallel(["a", "b"], work, cancellation)


def test_an_interrupted_wait_ends_when_the_work_has_ended() -> None:
    """Ctrl-C is told to the threads, and nobody goes on behind the back of a command that said it stopped."""
    cancellation, ended = Cancellation(), []

    def work(name: str) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            while True:
                cancellation.check()
        finally:
            ended.append(name)

    with pytest.raises(KeyboardInterrupt):
        run_parallel(["a"], work, cancellation)
    assert ended == ["a"]


def test_interrupted_before_all_is_under_way_nothing_begins() -> None:
    """The executor forgets a thread that it was about to start; it must not have begun anything."""
    begun: list[str] = []

    class Interrupting(list[str]):
        """Names whose reading is interrupted after the first, as a Ctrl-C may do."""

        def __iter__(self) -> Iterator[str]:
            yield "a"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_parallel(Interrupting(["a"]), begun.append, Cancellation())
    assert begun == []


def test_check_is_silent_until_cancelled() -> None:
    """Nobody is stopped who need not be."""
    cancellation = Cancellation()
    cancellation.check()
    cancellation.cancel()
    with pytest.raises(KeyboardInterrupt):
        cancellation.check()
    assert not issubclass(KeyboardInterrupt, MultistackError)
