"""
Detached servers that outlive the command which started them: emulators and the proxy.

A server holds an exclusive lock on its folder's ``lock`` file for as long as it lives. The command takes the lock and
the server inherits the open file, so there is no moment at which a server runs unlocked, and no way to start two for
one folder: whether it runs is asked of the kernel, never read from a file. ``server.json`` in the same folder, written
by the server itself, says which process it is and where it listens.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from emulator.errors import NotReady
from emulator.model import ProcessId

HOST = "127.0.0.1"
LOG_FILE = "server.log"
_RECORD_FILE = "server.json"
_LOCK_FILE = "lock"
_PORT_FILE = "port"
_BACKLOG = 512


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
    stat = Path(f"/proc/{pid}/stat")
    if sys.platform == "linux":
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_alive(process: ProcessId) -> bool:
    """Whether that very process, not a later one with its number, still runs."""
    return start_time(process.pid) == process.started


def is_running(folder: Path) -> bool:
    """Whether a server holds *folder*."""
    try:
        with (folder / _LOCK_FILE).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
            process=ProcessId(**content["process"]), port=int(content["port"]), settings=dict(content["settings"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def candidate_ports(folder: Path, ports: range) -> list[int]:
    """*ports*, the one that the server of *folder* last had first, so that its address survives a restart."""
    try:
        before = int((folder / _PORT_FILE).read_text())
    except (OSError, ValueError):
        return list(ports)
    return sorted(ports, key=lambda port: port != before)


def record_age(folder: Path) -> float:
    """Seconds since the server of *folder* started."""
    try:
        return time.time() - (folder / _RECORD_FILE).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def write_record(folder: Path, *, port: int, settings: Mapping[str, str]) -> None:
    """Say which process serves *folder*: called by the server itself, before it does anything slow."""
    pid = os.getpid()
    started = start_time(pid)
    if started is None:
        raise AssertionError("a running process has a start time")
    record = ServerRecord(process=ProcessId(pid=pid, started=started), port=port, settings=settings)
    write_atomically(folder / _RECORD_FILE, json.dumps(asdict(record)).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Replace *path* in one step, so that a reader sees the old bytes or the new ones."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    aside.write_bytes(content)
    aside.replace(path)


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
    with (folder / _LOCK_FILE).open("ab") as lock, (folder / LOG_FILE).open("ab") as log:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotReady(f"another server already runs in {folder}") from error
        (folder / _RECORD_FILE).unlink(missing_ok=True)
        (folder / _PORT_FILE).write_text(str(listener.getsockname()[1]))
        return subprocess.Popen(
            [sys.executable, "-m", module, "--folder", str(folder), "--listen-fd", str(listener.fileno()), *arguments],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(lock.fileno(), listener.fileno()),
            # Its own session: a Ctrl-C meant for the command must not reach the servers.
            start_new_session=True,
        )


def stop(folder: Path, *, grace: float) -> bool:
    """
    Stop the server of *folder* and everything it started; True if one was running.

    Args:
        grace: Seconds it may take to stop in good order before it is killed.

    Raises:
        NotReady: It runs but has not said which process it is, so it can't be stopped safely.
    """
    running = is_running(folder)
    record = _await_record(folder) if running else read_record(folder)
    if record is not None:
        if running and is_alive(record.process):
            _end(folder, record.process, grace=grace)
        _kill_session(record.process)
        (folder / _RECORD_FILE).unlink(missing_ok=True)
    if is_running(folder):
        raise NotReady(f"the server of {folder} can't be stopped: it doesn't say which process it is")
    return running


def _await_record(folder: Path, *, timeout: float = 5.0) -> ServerRecord | None:
    """A server that was started a moment ago writes its record within milliseconds."""
    deadline = time.monotonic() + timeout
    while is_running(folder) and time.monotonic() < deadline:
        if record := read_record(folder):
            return record
        time.sleep(0.01)
    return read_record(folder)


def _end(folder: Path, process: ProcessId, *, grace: float) -> None:
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
            # A stopped (SIGSTOP) process takes no SIGTERM before it is continued.
            os.kill(process.pid, signal.SIGCONT)
        deadline = time.monotonic() + seconds
        while is_alive(process) and time.monotonic() < deadline:
            time.sleep(0.01)
        if not is_alive(process):
            break
    deadline = time.monotonic() + 1.0
    while is_running(folder) and time.monotonic() < deadline:
        time.sleep(0.005)


def _kill_session(leader: ProcessId) -> None:
    """Kill what a dead server left behind, e.g. Lambda workers busy when it was killed."""
    if start_time(leader.pid) is not None:
        return  # the number belongs to a live process, ours or a stranger's: its session is not ours to end
    for pid in _session_members(leader.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _session_members(session: int) -> Iterator[int]:
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                yield pid
        except (ProcessLookupError, PermissionError):
            continue


def listen(*, port: int | None, candidates: Sequence[int], purpose: str) -> socket.socket:
    """
    A listening socket on 127.0.0.1.

    Args:
        port: The one port to take, or None to take the first free one of *candidates*.
        purpose: What it is for, as it stands in the error, e.g. ``environment test``.

    Raises:
        NotReady: The port is taken; the message names the holder where the system tells.
    """
    for candidate in candidates if port is None else (port,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            # At once, so that the port is ours: two bound sockets may share a port until one listens.
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if isinstance(error, PermissionError):
                raise NotReady(
                    f"port {candidate} for {purpose} needs privileges", hint="choose one above 1023"
                ) from error
            continue
        return listener
    if port is None:
        raise NotReady(f"no free port for {purpose} between {candidates[0]} and {candidates[-1]}")
    raise NotReady(f"port {port} for {purpose} is taken{_holder(port)}", hint="stop that program, or set another port")


def _holder(port: int) -> str:
    """`` by nginx (pid 12)``, or nothing when the system doesn't say."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp4"):
            is_it = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if is_it and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
