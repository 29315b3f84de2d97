"""
Detached servers that outlive the command which started them: emulators and the proxy.

A server holds an exclusive lock on its folder's ``lock`` file for as long as it lives. The command takes the lock and
the server inherits the open file, so there is no moment at which a server runs unlocked, and no way to start two for
one folder: whether it runs is asked of the kernel, never read from a file. ``server.json`` in the same folder, written
by the server itself, says which process it is and where it listens.

Its environ carries the folder as a label, which everything it starts inherits. Only processes with the label are ever
ended: a number in a file may belong to a stranger by now.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import psutil

from emulator.errors import NotReady
from emulator.model import ProcessId

LOG_FILE = "server.log"
# A larger log is put aside when the next server starts: at most two of them are kept.
MOST_LOG_BYTES = 10 * 1024 * 1024
_RECORD_FILE = "server.json"
_LOCK_FILE = "lock"
_PORT_FILE = "port"
_TICKS = os.sysconf("SC_CLK_TCK")
LABEL = "MULTISTACK_SERVER"
# Columns of tracebacks cost an emulator 1 MB for each 20 of code.
_PYTHON = (sys.executable, "-X", "no_debug_ranges", "-m")
# Kept so that the ended ones are reaped: a server outlives the command, but not always whoever uses us as a library.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecord:
    """
    What a server says about itself.

    Attributes:
        port: The port on 127.0.0.1.
        settings: What it was started with; compared to decide whether it must be replaced.
    """

    process: ProcessId
    port: int
    settings: Mapping[str, str]


def start_time(pid: int) -> float | None:
    """
    When a live process started, in seconds on a clock that never jumps; None for a dead or zombie process.

    Source:
        proc(5), field 22 of ``/proc/<pid>/stat``: ticks since boot. psutil derives wall time from it, which moves
        whenever the machine's clock is set; on other systems its value is all there is.
    """
    if sys.platform == "linux":
        try:
            # The proxy asks with each request, and a Path takes almost twice as long (22 to 12 µs).
            with open(f"/proc/{pid}/stat", "rb", buffering=0) as stat:  # noqa: PTH123
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            return None
        return None if fields[0] in b"ZX" else int(fields[19]) / _TICKS
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_alive(process: ProcessId) -> bool:
    """Whether that very process, not a later one with its number, still runs."""
    return start_time(process.pid) == process.started


def own_process() -> ProcessId:
    """The process that asks."""
    pid = os.getpid()
    started = start_time(pid)
    if started is None:
        raise AssertionError("a running process has a start time")
    return ProcessId(pid=pid, started=started)


def is_running(folder: Path) -> bool:
    """Whether a server holds *folder*."""
    try:
        with (folder / _LOCK_FILE).open("rb") as lock:
            # Shared, so that two who ask at once don't take each other for the server.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def read_record(folder: Path) -> ServerRecord | None:
    """What the server of *folder* last said about itself; None when nothing readable is there."""
    try:
        content = json.loads((folder / _RECORD_FILE).read_bytes())
        return ServerRecord(
            process=ProcessId(pid=int(content["process"]["pid"]), started=float(content["process"]["started"])),
            port=int(content["port"]),
            settings=dict(content["settings"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_record_broken(folder: Path) -> bool:
    """Whether something is there that no server wrote: a server's own record is whole from the first moment on."""
    return (folder / _RECORD_FILE).exists() and read_record(folder) is None


def candidate_ports(folder: Path, ports: Iterable[int]) -> list[int]:
    """*ports*, the one that the server of *folder* last had first, so that its address survives a restart."""
    try:
        before = int((folder / _PORT_FILE).read_text())
    except (OSError, ValueError):
        return list(ports)
    return sorted(ports, key=lambda port: port != before)


def remember_port(folder: Path, port: int) -> None:
    """Let *port* be the first of the next :func:`candidate_ports`."""
    write_atomically(folder / _PORT_FILE, str(port).encode())


def record_age(folder: Path) -> float:
    """Seconds since the server of *folder* started."""
    for name in (_RECORD_FILE, _LOCK_FILE):
        with contextlib.suppress(FileNotFoundError):
            return time.time() - (folder / name).stat().st_mtime
    return 0.0


def write_record(folder: Path, *, port: int, settings: Mapping[str, str]) -> None:
    """Say which process serves *folder*: called by the server itself, before it does anything slow."""
    record = ServerRecord(process=own_process(), port=port, settings=settings)
    write_atomically(folder / _RECORD_FILE, json.dumps(asdict(record)).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """
    Replace *path* in one step, so that a reader sees the old bytes or the new ones.

    Raises:
        OSError: Its ``filename`` is *path*; nothing stays behind.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        error.filename, error.filename2 = str(path), None  # a full disk names no file at all
        raise


def spawn(
    module: str,
    *,
    folder: Path,
    listener: socket.socket,
    arguments: Sequence[str],
    environ: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """
    Start ``python -m <module> --folder … --listen-fd … <arguments>`` detached, holding *folder*.

    Args:
        listener: A listening socket; the server inherits it, so its port can't be lost on the way.
        environ: The whole environ of the server; nothing of the caller's is added.

    Raises:
        NotReady: Another server holds *folder*.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK_FILE).open("ab") as lock:
        if not _take(lock, timeout=0.5):
            raise NotReady(f"another server already runs in {folder}")
        os.utime(lock.fileno())
        (folder / _RECORD_FILE).unlink(missing_ok=True)
        remember_port(folder, listener.getsockname()[1])
        with _open_log(folder) as log:
            child = subprocess.Popen(
                [*_PYTHON, module, "--folder", str(folder), "--listen-fd", str(listener.fileno()), *arguments],
                cwd=folder,
                env={**environ, LABEL: str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock.fileno(), listener.fileno()),
                # Its own session: a Ctrl-C meant for the command must not reach the servers.
                start_new_session=True,
            )
    _children.append(child)
    return child


def _open_log(folder: Path) -> IO[bytes]:
    """The log of the next server; a large one is put aside first, which only whoever holds *folder* may do."""
    log = folder / LOG_FILE
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > MOST_LOG_BYTES:
            log.replace(folder / f"{LOG_FILE}.1")
    return log.open("ab")


def _take(lock: IO[bytes], *, timeout: float) -> bool:
    """Take the lock, also while somebody holds it for the blink of :func:`is_running`."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        else:
            return True


def sweep(folder: Path) -> None:
    """End what a dead server of *folder* left behind, e.g. functions that were busy when it was killed."""
    if not is_running(folder):
        _kill_all(str(folder))


def stop(folder: Path, *, grace: float) -> bool:
    """
    Stop the server of *folder* and everything it started, also when the folder is gone; True if anything ran.

    Args:
        grace: Seconds it may take to stop in good order before it is killed.

    Raises:
        NotReady: Something holds the folder that can't be stopped.
    """
    was_running = is_running(folder)
    label = _label_of(folder)
    found = _await_labelled(folder, label)
    _end([process for process in found if _leads_session(process.pid)], grace=grace)
    _kill_all(label)
    _await(lambda: not is_running(folder), timeout=1.0)
    if is_running(folder):
        raise NotReady(f"the server of {folder} can't be stopped: its process can't be told")
    (folder / _RECORD_FILE).unlink(missing_ok=True)
    for child in _children:
        child.poll()
    return was_running or bool(found)


def labelled(*, below: Path) -> set[Path]:
    """The folders directly below *below* for which a process runs; they need not exist any more."""
    return {Path(label) for _, label in _labels() if Path(label).parent == below}


def _label_of(folder: Path) -> str:
    """*folder*, or what it was called when its server started, for a project that was moved since."""
    record = read_record(folder)
    if record is not None and is_running(folder) and is_alive(record.process):
        label = next((label for process, label in _labels() if process == record.process), None)
        if label is not None and not is_running(Path(label)):
            return label
    return str(folder)


def _labels() -> Iterator[tuple[ProcessId, str]]:
    for pid in psutil.pids():
        try:
            label = psutil.Process(pid).environ().get(LABEL)
        except (psutil.Error, OSError):
            continue  # gone in the meantime, or somebody else's
        started = start_time(pid)
        if label is not None and started is not None and pid != os.getpid():
            yield ProcessId(pid=pid, started=started), label


def _labelled(label: str) -> list[ProcessId]:
    return [process for process, found in _labels() if found == label]


def _await_labelled(folder: Path, label: str) -> list[ProcessId]:
    """Between fork and exec, for a few milliseconds, a server holds its folder without the label."""
    found = _labelled(label)
    if not found and is_running(folder):
        _await(lambda: bool(_labelled(label)) or not is_running(folder), timeout=2.0)
        found = _labelled(label)
    return found


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _end(processes: Sequence[ProcessId], *, grace: float) -> None:
    for process in processes:
        # A stopped (SIGSTOP) process takes no SIGTERM before it is continued.
        for number in (signal.SIGTERM, signal.SIGCONT):
            _send(process, number)
    _await(lambda: not any(map(is_alive, processes)), timeout=grace)


def _kill_all(label: str) -> None:
    """Until none is left: one may start another before its turn comes."""
    deadline = time.monotonic() + 5.0
    while (left := _labelled(label)) and time.monotonic() < deadline:
        for process in left:
            _send(process, signal.SIGKILL)
        _await(lambda left=left: not any(map(is_alive, left)), timeout=1.0)  # type: ignore[misc]


def _send(process: ProcessId, number: signal.Signals) -> None:
    if is_alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _await(condition: Callable[[], bool], *, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
