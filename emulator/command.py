"""A command run to its end, in a process group that ends with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_LINES = 20
# Kept of what a command says.
_MOST_BYTES = 1024 * 1024


def run_command(
    arguments: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    said: IO[bytes],
    timeout: float,
    cancelled: Callable[[], None],
) -> int | None:
    """
    Run a program, and end whatever it started with it.

    Args:
        said: Takes all that it prints.
        timeout: Seconds.
        cancelled: Called while it runs; raises to stop.

    Returns:
        Its exit code, or None when it took too long and had to be killed.

    Raises:
        OSError: It can't be started.
        ValueError: Nor can an argument be given to a program.
    """
    process = subprocess.Popen(
        list(arguments),
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + timeout
    try:
        while True:
            cancelled()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=0.1)
            if time.monotonic() >= deadline:
                return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_lines(said: IO[bytes]) -> list[str]:
    """The end of what a command printed, fit for a terminal whatever that was."""
    said.seek(0, os.SEEK_END)
    said.seek(max(0, said.tell() - _MOST_BYTES))
    read = said.read().decode(errors="replace").expandtabs(4)
    text = "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in read)
    return [line[:500] for line in text.rstrip().split("\n")[-_LINES:]] if text.strip() else []
