"""The emulator's side of a child that takes requests from stdin, writes answers to stdout, and its log to stderr."""

from __future__ import annotations

import contextlib
import os
import subprocess

from emulator.drivers.launcher.functions.conversation import Conversation
from emulator.drivers.launcher.functions.processes import FunctionProcess

# What an answer begins with: what a library wrote to the real stdout is none.
_ANSWER = b'{"status":'


def converse(
    child: subprocess.Popen[bytes], process: FunctionProcess, *, hello: bytes, mark: bytes, patience: float
) -> Conversation:
    """
    A conversation with *child*, which is told *hello* first. Its answers are lines of JSON, ``status`` first.

    Args:
        mark: See :class:`Conversation`, as for *patience*.
    """
    requests, answers, log = (os.dup(pipe.fileno()) for pipe in (child.stdin, child.stdout, child.stderr) if pipe)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    with contextlib.suppress(BrokenPipeError):  # it has ended; the exchange says how
        os.write(requests, hello)
    return Conversation(
        requests=requests,
        answers=answers,
        log=log,
        fate=process.fate,
        mark=mark,
        extract=_extract,
        patience=patience,
    )


def _extract(received: bytearray) -> bytes | None:
    """The answer among the lines."""
    while (end := received.find(b"\n")) >= 0:
        line = bytes(received[:end])
        del received[: end + 1]
        if line.startswith(_ANSWER):
            return line
    return None
