"""
A unix socket by which a command in the container asks the running LocalStack for a checkpoint, or how its state is.

Who may open it could as well end the process: it belongs to the user that runs LocalStack, in a folder of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

VARIABLE = "MULTISTACK_CONTROL_SOCKET"
DEFAULT = Path("/tmp/multistack-localstack/control")  # noqa: S108 (a folder that only its owner can enter)
# Bytes of a question or an answer: one line.
_MOST = 64 * 1024

Answer = Mapping[str, str]
_log = logging.getLogger("multistack.state")


def path_from(variables: Mapping[str, str]) -> Path:
    """Where the socket is, or shall be."""
    return Path(variables.get(VARIABLE) or DEFAULT)


class Control:
    """
    Answers questions at *path*, each in a thread of its own, until the process ends.

    Raises:
        OSError: The socket can't be made.
    """

    def __init__(self, path: Path, actions: Mapping[str, Callable[[], Answer]]) -> None:
        self._actions = actions
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(before)
        self._socket.listen()
        threading.Thread(target=self._serve, name="multistack-control", daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._answer, args=(connection,), name="multistack-asked", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # whoever asked may be gone
            connection.settimeout(5)
            question = _line(connection)
            action = self._actions.get(question)
            if action is None:
                answer: Answer = {"error": f"unknown question: {question}"}
            else:
                try:
                    answer = action()
                except Exception as error:  # of any kind: whoever asked must not wait for ever
                    _log.exception("%s failed", question)
                    answer = {"error": f"{type(error).__name__}: {error}"}
            connection.sendall(json.dumps(answer).encode() + b"\n")


def ask(path: Path, question: str, *, timeout: float) -> dict[str, str]:
    """
    What the LocalStack at *path* answers.

    Args:
        timeout: Seconds.

    Raises:
        OSError: Nobody answers in time.
        ValueError: The answer is none.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(question.encode() + b"\n")
        return dict(json.loads(_line(connection)))


def _line(connection: socket.socket) -> str:
    line = b""
    while not line.endswith(b"\n") and len(line) < _MOST:
        part = connection.recv(4096)
        if not part:
            break
        line += part
    return line.decode(errors="replace").strip()
