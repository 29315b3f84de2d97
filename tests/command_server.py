"""
A process that has imported what ``multistack`` imports, and forks for every command that it is asked to run.

Run by :mod:`tests.commands`. What is forked runs the command from its first line to its end as an interpreter does:
with its own arguments, folder, variables and files, its exit code and what is to be done at exit. Only that everything
is imported already is different, which would take longer than most commands.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

# What most commands import, of ours and of others; whatever else a command needs, it imports itself.
PRELOADED = (
    "emulator.__main__",
    "emulator.cli",
    "emulator.config",
    "emulator.opening",
    "boto3.session",
    "botocore.endpoint",
    "samtranslator.translator.transform",
    "samtranslator.translator.translator",
    "yaml",
)
_LONGEST = 1 << 17


def main() -> None:
    """Serve until the tests are over; in a fork, be the command."""
    # Nothing of the tests stands in the way of what a command imports.
    sys.path[0] = str(Path(sys.executable).parent)
    for name in PRELOADED:
        importlib.import_module(name)
    if threading.active_count() != 1:
        raise SystemExit("a module that is imported starts a thread, which no fork would have")
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=int(sys.argv[1]))
    asked, files = _serve(control)
    _become(asked, files)
    importlib.import_module("emulator.__main__").main()


def _serve(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork for whatever is asked, and tell each one's end; returns in the forks, with what they are to be."""
    # Ctrl-C is for the commands and for pytest, which then has no more of them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            os.read(woken, _LONGEST)
            _tell_ends(running)
        if control in ready:
            asked, files, _, _ = socket.recv_fds(control, _LONGEST, 3)
            if not asked:
                os._exit(0)
            if (pid := os.fork()) == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for other in (control, *running.values()):
                    other.close()
                for file in (woken, wakes, files.pop()):
                    os.close(file)
                return json.loads(asked), files
            running[pid] = socket.socket(fileno=files.pop())
            running[pid].send(str(pid).encode())
            for file in files:
                os.close(file)


def _tell_ends(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as reply, contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
                reply.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(asked: dict[str, Any], files: list[int]) -> None:
    """Take the arguments, the folder, the variables and the files of a command."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((nothing, *files)):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["cwd"])
    os.umask(asked["umask"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    time.tzset()
    tempfile.tempdir = None
    sys.argv = asked["command"]


if __name__ == "__main__":
    main()
