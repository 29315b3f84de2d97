"""The tests' side of the process that keeps environments, against a small process in its place."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.errors import MultistackError, NotReady
from emulator.testing.connection import Connection, Settings
from emulator.testing.environment import Shared
from emulator.testing.running import Environments

# Tells who asked, and answers each time with what it was asked for; to "wait" not before a signal has come and gone.
KEEPER = """
import json, os, signal, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "wait":
        os.kill(os.getppid(), signal.SIGUSR1)
        open(asked["until"]).read()
    print(json.dumps({"number": asked["number"], "answer": asked["do"]}), flush=True)
print(json.dumps({"number": None, "answer": None}), flush=True)
"""

# Begins no test, and says of each end that it came.
REFUSING = """
import json, sys
refused = {"type": "NotReady", "message": "its emulator ended", "hint": None, "details": []}
for line in sys.stdin:
    asked = json.loads(line)
    done = {"error": refused} if asked["do"] == "begin" else {"answer": asked["do"]}
    print(asked["do"], file=sys.stderr, flush=True)
    print(json.dumps({"number": asked["number"], **done}), flush=True)
print(json.dumps({"number": None, "answer": None}), flush=True)
"""


class TookTooLongError(Exception):
    """As a plugin for timeouts raises it out of the middle of a test."""


@pytest.fixture
def interrupted() -> Iterator[None]:
    """A signal raises wherever this process is."""

    def refuse(*_: object) -> None:
        raise TookTooLongError

    before = signal.signal(signal.SIGUSR1, refuse)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("interrupted")
def test_answer_that_nobody_waited_for_is_not_the_next_one(tmp_path: Path) -> None:
    """A request that a signal cut short is answered later; whoever asks next, or ends, gets his own answer."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    connection = Connection(Settings(), command=(sys.executable, "-c", KEEPER))
    with contextlib.closing(connection):
        with pytest.raises(TookTooLongError):
            connection.ask("wait", until=str(gate))
        gate.write_text("go on")
        assert connection.ask("names") == "names"
        assert connection.ask("up") == "up"


def test_turn_ends_of_a_test_that_could_not_begin() -> None:
    """Its state may be locked by then, and the tests of other processes wait for that."""
    with contextlib.closing(Connection(Settings(), command=(sys.executable, "-c", REFUSING))) as connection:
        with (
            pytest.raises(NotReady, match="its emulator ended"),
            Environments(Shared(connection), ["test"]).test("key"),
        ):
            pass
        assert connection._log_lines() == ["begin", "end"]


def test_a_fork_asks_for_nothing() -> None:
    """It shares the pipes of the process that it is a copy of, whose answers it would take."""
    with contextlib.closing(Connection(Settings(), command=(sys.executable, "-c", KEEPER))) as connection:
        assert connection.ask("up") == "up"
        own, connection._pid = connection._pid, 0  # a real fork of a process with threads is a warning
        with pytest.raises(MultistackError, match="a forked process can't ask for environments"):
            connection.ask("up")
        connection._pid = own
        assert connection.ask("up") == "up"
