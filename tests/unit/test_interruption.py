"""Signals that end a command."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from emulator.interruption import Interruption


def test_the_first_signal_is_a_ctrl_c_and_names_the_exit_code() -> None:
    """SIGTERM and SIGHUP end a command as a Ctrl-C does."""
    interruption = Interruption()
    assert (interruption.has_come, interruption.exit_code) == (False, 130)
    with pytest.raises(KeyboardInterrupt):
        interruption.handle(signal.SIGTERM, None)
    assert (interruption.has_come, interruption.exit_code) == (True, 143)


def test_an_echo_is_no_second_signal() -> None:
    """Some programs pass on what the terminal has sent to everybody; cleaning up is not disturbed by it."""
    now, left = [0.0], []
    interruption = Interruption(clock=lambda: now[0], leave=left.append)
    with pytest.raises(KeyboardInterrupt):
        interruption.handle(signal.SIGINT, None)
    now[0] = 0.9
    interruption.handle(signal.SIGINT, None)
    assert left == []
    now[0] = 1.0
    interruption.handle(signal.SIGINT, None)
    assert left == [130]


def test_what_the_caller_ignores_stays_ignored() -> None:
    """``nohup`` and background jobs of a shell mean it; the others get their default back in the end."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    interruption = Interruption()
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        interruption.catch()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) == interruption.handle
        interruption.release()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_that_comes_while_an_object_is_freed_is_not_lost() -> None:
    """Python drops what is raised there."""

    class Freed:
        def __del__(self) -> None:
            interruption.handle(signal.SIGTERM, None)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    interruption = Interruption()
    interruption.catch()
    try:
        Freed()
        with pytest.raises(KeyboardInterrupt):
            threading.Event().wait(10)
        assert interruption.exit_code == 143
    finally:
        interruption.release()
        for number, handler in before.items():
            signal.signal(number, handler)


_WRAPPED = """
import os, signal
import emulator.cli
from emulator.__main__ import main

def run():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt as error:
        raise ValueError("made of it") from error

emulator.cli.main = run
main()
"""


def test_what_a_library_makes_of_a_signal_is_no_error_of_ours() -> None:
    """pydantic, for one, wraps what is raised while it builds a model."""
    done = subprocess.run([sys.executable, "-c", _WRAPPED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (143, "stopped; run the same command again to go on\n")
