"""Asks the zygote for processes; starts it, and again when it is gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from multistack_localstack.executor import zygote
from multistack_localstack.executor.child import Child
from multistack_localstack.executor.variables import RUNTIME_FOLDER, Installation

_START_TIMEOUT = 10.0
_MESSAGE = 1024 * 1024
# Of what the zygote has imported; a function that brings its own must not find ours.
_SDK = (
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "six.py",
    "urllib3",
    "simplejson",
    "awslambdaric",
)
# An interpreter reads these when it starts.
_AT_START = ("PYTHON", "LD_", "AWS_LAMBDA_EXEC_WRAPPER", "MALLOC_", "GLIBC_TUNABLES")


class NurseryGone(Exception):
    """There is no zygote to ask; a process can still be started anew."""


class Nursery:
    """One zygote and the processes forked from it; for use by several threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._is_ready = False
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Start the zygote unless it runs; it gets ready while the caller goes on."""
        with self._lock:
            self._ensure()

    def start(self, environ: Mapping[str, str], folder: Path) -> Child:
        """
        A fork that runs the function of *environ* in *folder*.

        Raises:
            NurseryGone: It can't be had from here.
        """
        reading, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reading, False)
        try:
            with self._lock:
                pid = int(self._ask({"start": {"environ": dict(environ), "folder": str(folder)}}, [writing])["pid"])
                fate = os.pidfd_open(pid)
        except (OSError, ValueError, KeyError) as error:
            os.close(reading)
            raise NurseryGone(str(error)) from error
        finally:
            os.close(writing)
        return Child(pid, fate, reading, reap=lambda: self._reap(pid))

    def close(self) -> None:
        """End the zygote, and with it all its forks."""
        with self._lock:
            self._abandon()

    def _reap(self, pid: int) -> int:
        try:
            with self._lock:
                return int(self._ask({"reap": pid}, [])["status"])
        except (OSError, ValueError, KeyError):
            return -signal.SIGKILL

    def _ask(self, message: Mapping[str, object], descriptors: list[int]) -> dict[str, int]:
        self._ensure()
        try:
            return self._exchange(json.dumps(message).encode(), descriptors)
        except OSError:
            self._abandon()
            raise

    def _exchange(self, message: bytes, descriptors: list[int]) -> dict[str, int]:
        connection = self._socket
        if connection is None:
            raise ConnectionError("the zygote could not be started")
        if not self._is_ready:
            if connection.recv(64) != b"ready":
                raise ConnectionError("the zygote ended while it started")
            self._is_ready = True
        socket.send_fds(connection, [message], descriptors)
        answer = connection.recv(_MESSAGE)
        if not answer:
            raise ConnectionError("the zygote ended")
        found: dict[str, int] = json.loads(answer)
        return found

    def _ensure(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self._abandon()
        own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own.settimeout(_START_TIMEOUT)
        with other:
            self._process = subprocess.Popen(
                [interpreter(), "-s", "-B", zygote.__file__, str(other.fileno()), str(RUNTIME_FOLDER)],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUTF8": "1"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                start_new_session=True,
            )
        self._socket, self._is_ready = own, False

    def _abandon(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=2.0)
        self._process = self._socket = None


def can_fork(environ: Mapping[str, str], installation: Installation) -> bool:
    """Whether a fork does for a function: it brings no SDK, and nothing that an interpreter must start with."""
    if any(name.startswith(_AT_START) for name in environ):
        return False
    folders = [installation.task]
    if installation.opt is not None:
        python = f"python3.{sys.version_info.minor}"
        folders += [installation.opt / "python", installation.opt / "python" / "lib" / python / "site-packages"]
    return not any((folder / name).exists() for folder in folders for name in _SDK)


def interpreter() -> str:
    """The image's Python without LocalStack's packages."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


NURSERY = Nursery()
