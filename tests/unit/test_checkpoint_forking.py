"""A job in a forked copy of this process."""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from emulator.drivers.launcher import forking


def test_the_copy_answers_and_changes_nothing_here() -> None:
    """It has all memory, of its own."""
    memory = {"number": 1}

    def job() -> dict[str, int]:
        memory["number"] += 1
        return {"number": memory["number"], "pid": os.getpid()}

    answer = forking.run(job, timeout=10)
    assert answer["number"] == 2
    assert answer["pid"] != os.getpid()
    assert memory == {"number": 1}


def test_a_long_answer_comes_whole() -> None:
    """More than a pipe holds at a time."""
    assert forking.run(lambda: {"text": "x" * 1_000_000}, timeout=10) == {"text": "x" * 1_000_000}


def test_a_process_with_many_open_files_forks_too() -> None:
    """select(2) takes no descriptor above 1,023; each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    held: list[int] = []
    try:
        while not held or held[-1] < 1024:
            held.append(os.open(os.devnull, os.O_RDONLY))
        assert forking.run(lambda: {"number": 1}, timeout=10) == {"number": 1}
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_copy_that_fails_has_not_answered() -> None:
    """Whatever the reason."""

    def fail() -> dict[str, int]:
        raise ValueError

    for job in (fail, lambda: os._exit(1), lambda: os.kill(os.getpid(), signal.SIGKILL)):
        with pytest.raises(forking.Abandoned, match="it ended without an answer"):
            forking.run(job, timeout=10)  # type: ignore[arg-type]


def test_a_copy_that_waits_for_a_lock_is_given_up_and_gone() -> None:
    """The thread that holds it is not in the copy, so nobody would ever free it."""
    lock = threading.Lock()

    def job() -> dict[str, int]:
        with lock:
            return {}

    with lock, pytest.raises(forking.Abandoned, match=r"no answer within 0\.2 s"):
        forking.run(job, timeout=0.2)
    with pytest.raises(ChildProcessError):  # none is left to wait for
        os.waitpid(-1, os.WNOHANG)


def test_a_connection_ends_when_this_process_closes_it(tmp_path: Path) -> None:
    """A client must not wait for the copy to end as well."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    is_at_work = tmp_path / "at work"

    def job() -> dict[str, int]:
        is_at_work.touch()
        while is_at_work.exists():
            time.sleep(0.01)
        return {}

    thread = threading.Thread(target=lambda: forking.run(job, timeout=60))
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not is_at_work.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        theirs.close()
        assert ours.recv(1) == b""
    finally:
        is_at_work.unlink(missing_ok=True)
        thread.join()
        ours.close()
