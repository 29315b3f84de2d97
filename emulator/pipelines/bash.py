"""Runs the lines of a step in one bash, in a process group of its own that ends with it."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from emulator.errors import MultistackError

# Seconds that a step has for its end when it is stopped, and that what it left behind may hold its output open.
_GRACE = 10.0
_LINGERING = 0.5
# Seconds after which a Ctrl-C is noticed at the latest.
_LATENCY = 0.1
_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How a script ended.

    Attributes:
        code: Its exit status, 128 and the signal's number for one that was killed.
        failed: The line that failed, if it failed.
    """

    code: int
    failed: str = ""


def run_script(
    lines: Sequence[str],
    *,
    options: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    notes: Path,
    is_echoed: bool,
    write: Callable[[str], None],
    check: Callable[[], None],
) -> Outcome:
    """
    Run *lines*.

    Args:
        options: Of bash.
        notes: A folder for this run alone.
        write: Takes what it prints, line by line, stdout and stderr together.
        check: Raises KeyboardInterrupt when the script must end.

    Raises:
        KeyboardInterrupt: After every process of the group has ended.
        MultistackError: There is no bash.
    """
    script, at = notes / "script.sh", notes / "at"
    script.write_text(_text(lines, at, is_echoed=is_echoed), encoding="utf-8", errors="surrogateescape")
    try:
        process = subprocess.Popen(
            ["bash", *options, str(script)],  # noqa: S607 (the user's own bash)
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        if folder.is_dir():
            raise MultistackError("there is no bash in PATH", hint="install bash") from error
        write(f"there is no folder {folder.name}")
        return Outcome(1, f"cd {folder.name}")
    with process:
        try:
            _read(process, write, check)
            code = process.wait()
        finally:
            _end(process)
    code = code if code >= 0 else 128 - code
    return Outcome(code, _failed(lines, at) if code else "")


def _text(lines: Sequence[str], at: Path, *, is_echoed: bool) -> str:
    """Each line notes that it begins, so that the one which failed is known whatever ended the script."""
    parts = []
    for number, line in enumerate(lines):
        parts.append(f"echo {number} > {shlex.quote(str(at))}")
        if is_echoed:
            parts.append(f"printf '%s\\n' {shlex.quote(f'+ {line.strip()}')}")
        parts.append(line)
    return "\n".join(parts) + "\n"


def _failed(lines: Sequence[str], at: Path) -> str:
    try:
        return lines[int(at.read_text())].strip().partition("\n")[0]
    except (OSError, ValueError, IndexError):
        return ""


def _read(process: subprocess.Popen[bytes], write: Callable[[str], None], check: Callable[[], None]) -> None:
    """Pass on lines until the script has ended; what it left running can't keep us."""
    descriptor = cast(IO[bytes], process.stdout).fileno()
    os.set_blocking(descriptor, False)
    pending, ended = b"", None
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while ended is None or time.monotonic() - ended < _LINGERING:
            check()
            is_ready = bool(selector.select(_LATENCY))
            block = os.read(descriptor, _BLOCK) if is_ready else None
            if block == b"":
                break
            *whole, pending = (pending + (block or b"")).split(b"\n")
            for line in whole:
                write(_shown(line))
            if ended is None and process.poll() is not None:
                ended = time.monotonic()
                _signal(process, signal.SIGTERM)
        # Closing stdout doesn't end a script: wait for it, and go on listening for Ctrl-C.
        while process.poll() is None:
            check()
            time.sleep(_LATENCY)
    if pending:
        write(_shown(pending))


def _shown(line: bytes) -> str:
    """A line as text; a carriage return of a progress bar would hide what stands before it."""
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all of the group: politely, then not."""
    for number in _signals():
        _signal(process, number)
        deadline = time.monotonic() + _GRACE
        while _is_group_alive(process) and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_LATENCY)
            if process.poll() is not None and _is_group_alive(process):
                time.sleep(_LATENCY)


def _signals() -> Iterator[signal.Signals]:
    yield signal.SIGTERM
    yield signal.SIGKILL


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _is_group_alive(process: subprocess.Popen[bytes]) -> bool:
    """Whether anything of the group still runs. A zombie doesn't, though its group exists until somebody reaps it."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return any(_group_of(stat) == process.pid for stat in Path("/proc").glob("[0-9]*/stat"))


def _group_of(stat: Path) -> int | None:
    """The group of a process that runs. Source: proc(5), fields 3 and 5 of ``/proc/<pid>/stat``."""
    try:
        fields = stat.read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else int(fields[2])
