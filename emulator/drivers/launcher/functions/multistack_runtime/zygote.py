"""
A process that has imported boto3 and forks the processes of functions: most of a cold start is that import.

It has one thread, which is what makes forking safe. Asked over a socket that keeps messages whole: each is a JSON
object with three file descriptors, the function's control socket, its log pipe and a pipe for its fate. The process
id is written to that last pipe at once, and the exit status (negative for a signal) when the process has ended.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from . import serve

_MOST_BYTES = 256 * 1024
_FDS = 3


def main(control: int, runtime_path: str) -> None:
    """Import boto3 from *runtime_path*, say which modules are there now, then fork until the emulator hangs up."""
    _import_boto3(runtime_path)
    stream = socket.socket(fileno=control)
    stream.send(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})).encode())
    Zygote(stream).run()


def _import_boto3(runtime_path: str) -> None:
    sys.path.append(runtime_path)
    import boto3  # noqa: F401

    # What the first client of a function would import: half as much again.
    for name in ("botocore.client", "botocore.httpsession", "botocore.endpoint", "botocore.auth", "botocore.parsers"):
        __import__(name)
    sys.path.remove(runtime_path)
    # The collector must not write to pages that all functions share.
    gc.collect()
    gc.freeze()


class Zygote:
    """The forks of this process."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._fates: dict[int, int] = {}
        self._ended, self._wake = os.pipe()
        for fd in (self._ended, self._wake):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def run(self) -> None:
        """Until the emulator hangs up; functions are then left to notice that for themselves."""
        while True:
            stream = self._stream.fileno()
            ready, _, _ = select.select([stream, self._ended], [], [])
            if self._ended in ready:
                self._reap()
            if stream in ready:
                message, fds = self._receive()
                if not message:
                    os._exit(0)
                self._fork(json.loads(message), *fds)

    def _receive(self) -> tuple[bytes, list[int]]:
        fds = array.array("i")
        message, ancillary, _, _ = self._stream.recvmsg(_MOST_BYTES, socket.CMSG_SPACE(_FDS * fds.itemsize))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        return message, list(fds)

    def _fork(self, request: Any, control: int, log: int, fate: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(request, control, log, fate)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it did so itself, and is gone or further on
            os.setpgid(pid, pid)
        self._fates[pid] = fate
        os.close(control)
        os.close(log)
        with contextlib.suppress(BrokenPipeError):
            os.write(fate, b"%d\n" % pid)

    def _become(self, request: Any, control: int, log: int, fate: int) -> None:
        """In the fork: let go of what is the zygote's, and be a function."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (self._ended, self._wake, fate, *self._fates.values()):
            os.close(fd)
        self._stream.close()
        for standard in (1, 2):
            os.dup2(log, standard)
        serve.adopt(request["variables"], request["folder"])
        # A function that ends by itself ends as a process of its own would, with its exit handlers, and never here.
        try:
            serve.serve(socket.socket(fileno=control), log)
        except SystemExit as exit_:
            _exit(exit_.code)
        except BaseException:  # as the interpreter does at its top level
            sys.excepthook(*sys.exc_info())
            _exit(1)
        _exit(0)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._ended, 4096)
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            # What it started ends with it; its number is nobody else's until it is waited for.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(ended.si_pid, signal.SIGKILL)
            pid, status = os.waitpid(ended.si_pid, 0)
            fate = self._fates.pop(pid, None)
            if fate is not None:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                with contextlib.suppress(BrokenPipeError):
                    os.write(fate, b"%d\n" % code)
                os.close(fate)


def _exit(code: Any) -> None:
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)  # noqa: T201 - as the interpreter does
        code = 1
    with contextlib.suppress(Exception):  # whatever an exit handler or a stream of the function's raises
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit((code or 0) & 0xFF)
