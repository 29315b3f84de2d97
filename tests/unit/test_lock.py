"""One command at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from emulator.errors import MultistackError
from emulator.events import Event
from emulator.lock import exclusive


def test_the_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    """It goes on by itself when the first has ended."""
    events: list[Event] = []
    told, entered = threading.Event(), threading.Event()

    def emit(event: Event) -> None:
        events.append(event)
        told.set()

    def second() -> None:
        with exclusive(tmp_path, "down", emit=emit):
            entered.set()

    with exclusive(tmp_path, "up", emit=emit):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(60)
        assert not entered.is_set()
    thread.join(60)
    assert entered.is_set()
    assert events == [Event(None, "waiting", f"for another command: multistack up (pid {os.getpid()})")]


def test_nobody_waits_for_a_command_that_failed(tmp_path: Path) -> None:
    """However it ends, the lock is free, and what it left in the file is not held against the next."""
    events: list[Event] = []

    def fail() -> None:
        with exclusive(tmp_path, "up", emit=events.append):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (it is ours)
        fail()
    with exclusive(tmp_path, "up", emit=events.append):
        assert events == []


def test_the_state_folder_is_made(tmp_path: Path) -> None:
    """The first command of a project needs no preparation."""
    with exclusive(tmp_path / "a" / "b", "up", emit=lambda _event: None):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """One line and a hint, no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(MultistackError, match="can't write"), exclusive(tmp_path / "file", "up", emit=print):
        pass
