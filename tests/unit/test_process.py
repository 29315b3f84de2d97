"""Whose process is it: asked of the kernel, never believed of a file."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import process
from emulator.log_file import LogFile
from emulator.model import ProcessId

SLEEP = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); input()"


class Programs:
    """Starts harmless programs, some with a folder's label, and ends them after the test."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *, label: Path | None = None, is_leader: bool = True, pass_fds: tuple[int, ...] = ()) -> ProcessId:
        """A program that ignores SIGTERM."""
        program = subprocess.Popen(
            [sys.executable, "-c", SLEEP],
            env={"MULTISTACK_SERVER": str(label)} if label else {},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=is_leader,
            pass_fds=pass_fds,
        )
        self._started.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        started = process.start_time(program.pid)
        assert started is not None
        return ProcessId(pid=program.pid, started=started)

    def close(self) -> None:
        """End them."""
        for program in self._started:
            program.kill()
            program.communicate()


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Programs of this test."""
    started = Programs()
    yield started
    started.close()


def write(folder: Path, text: str) -> None:
    """A record, whoever wrote it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.json").write_text(text)


def record(identity: ProcessId) -> str:
    """A record as that process would write it."""
    return json.dumps({"process": {"pid": identity.pid, "started": identity.started}, "port": 1, "settings": {}})


def test_a_process_is_its_number_and_its_start() -> None:
    """A later process with the same number is another one."""
    own = ProcessId(pid=os.getpid(), started=process.start_time(os.getpid()) or 0.0)
    assert process.is_alive(own)
    assert not process.is_alive(ProcessId(pid=own.pid, started=own.started + 1))


def test_a_zombie_is_dead() -> None:
    """It serves nobody, and it can't be killed."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 60
    while process.start_time(child.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.start_time(child.pid) is None
    child.wait()
    assert process.start_time(child.pid) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param('{"process": {"pid": 1}, "port": 1, "settings": {}}', id="no start"),
        pytest.param('{"process": {"pid": 1, "started": null}, "port": 1, "settings": {}}', id="null start"),
        pytest.param('{"process": {"pid": "x", "started": 1}, "port": 1, "settings": {}}', id="no number"),
        pytest.param('{"process": {"pid": 1, "started": 1}, "port": 1, "settings": 7}', id="no settings"),
        pytest.param("\x00\xff", id="binary"),
    ],
)
def test_a_broken_record_says_nothing(tmp_path: Path, text: str) -> None:
    """It is told from a missing one: that is how a server looks in its first moments."""
    assert not process.is_record_broken(tmp_path)
    write(tmp_path, text)
    assert process.read_record(tmp_path) is None
    assert process.is_record_broken(tmp_path)


def test_a_server_s_own_record_can_be_read(tmp_path: Path) -> None:
    """What it writes is what commands read."""
    process.write_record(tmp_path, port=4600, settings={"region": "eu-west-1"})
    found = process.read_record(tmp_path)
    assert found is not None
    assert process.is_alive(found.process)
    assert (found.port, found.settings) == (4600, {"region": "eu-west-1"})
    assert not process.is_record_broken(tmp_path)
    assert 0 <= process.record_age(tmp_path) < 60


def test_the_age_is_that_of_the_record_else_of_the_lock(tmp_path: Path) -> None:
    """A server whose record was deleted does not count as starting for ever."""
    assert process.record_age(tmp_path) == 0
    (tmp_path / "lock").touch()
    os.utime(tmp_path / "lock", (0, 0))
    assert process.record_age(tmp_path) > 1000
    write(tmp_path, "")
    assert process.record_age(tmp_path) < 1000


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param(None, [1, 2, 3], id="never"),
        pytest.param("2", [2, 1, 3], id="known"),
        pytest.param("9", [1, 2, 3], id="outside"),
        pytest.param("x", [1, 2, 3], id="broken"),
    ],
)
def test_the_port_from_before_comes_first(tmp_path: Path, before: str | None, expected: list[int]) -> None:
    """An address survives a restart."""
    if before is not None:
        (tmp_path / "port").write_text(before)
    assert process.candidate_ports(tmp_path, range(1, 4)) == expected


def test_many_may_ask_at_once_whether_it_runs(tmp_path: Path) -> None:
    """Who asks is never taken for the server."""
    (tmp_path / "lock").touch()
    answers: list[bool] = []

    def ask() -> None:
        answers.extend(process.is_running(tmp_path) for _ in range(2000))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8000
    assert not any(answers)


def test_whoever_holds_the_lock_runs(tmp_path: Path) -> None:
    """The kernel frees it, however the holder ends."""
    assert not process.is_running(tmp_path)
    with (tmp_path / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert process.is_running(tmp_path)
    assert not process.is_running(tmp_path)


def test_a_stale_record_ends_nobody(tmp_path: Path, programs: Programs) -> None:
    """Neither a stranger, nor init, whatever the record says."""
    stranger = programs.start()
    init = ProcessId(pid=1, started=process.start_time(1) or 0.0)
    for identity in (stranger, init):
        write(tmp_path, record(identity))
        assert process.stop(tmp_path, grace=0.0) is False
        assert process.is_alive(identity)


def test_a_record_that_names_a_stranger_does_not_save_the_server(tmp_path: Path, programs: Programs) -> None:
    """Only the label counts: the server ends, although it ignores SIGTERM, and the stranger stays."""
    stranger = programs.start()
    with (tmp_path / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = programs.start(label=tmp_path, pass_fds=(lock.fileno(),))
    write(tmp_path, record(stranger))
    assert process.stop(tmp_path, grace=0.1) is True
    assert process.is_alive(stranger)
    assert not process.is_alive(server)
    assert not process.is_running(tmp_path)


def test_sweep_ends_what_a_dead_server_left(tmp_path: Path, programs: Programs) -> None:
    """Whatever has the folder's label, and nothing of a neighbour's."""
    left = programs.start(label=tmp_path / "a", is_leader=False)
    neighbour = programs.start(label=tmp_path / "b")
    process.sweep(tmp_path / "a")
    assert not process.is_alive(left)
    assert process.is_alive(neighbour)


def test_sweep_leaves_a_running_server_alone(tmp_path: Path, programs: Programs) -> None:
    """It is for the dead only."""
    server = programs.start(label=tmp_path)
    with (tmp_path / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process.sweep(tmp_path)
    assert process.is_alive(server)


def test_servers_are_found_when_their_folder_is_gone(tmp_path: Path, programs: Programs) -> None:
    """The label outlives the folder."""
    programs.start(label=tmp_path / "environments" / "gone")
    programs.start(label=tmp_path / "proxy")
    assert process.labelled(below=tmp_path / "environments") == {tmp_path / "environments" / "gone"}
    assert process.stop(tmp_path / "environments" / "gone", grace=0.0) is True
    assert process.labelled(below=tmp_path / "environments") == set()


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A reader sees the old bytes or the new ones, and nothing stays behind."""
    for content in (b"old", b"new"):
        process.write_atomically(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_replacement_names_its_file(tmp_path: Path) -> None:
    """The caller reads which file could not be written, and nothing stays aside."""
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file") as raised:
        process.write_atomically(tmp_path / "file", b"new")
    assert (raised.value.filename, raised.value.filename2) == (str(tmp_path / "file"), None)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_names_its_file(tmp_path: Path) -> None:
    """The kernel tells no name when a write fails; a limit of file size stands in for the disk."""
    program = f"""
import pathlib, resource, signal
from emulator.process import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
try:
    write_atomically(pathlib.Path({str(tmp_path)!r}) / "file", bytes(10))
except OSError as error:
    print(error.filename)
"""
    done = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'file'}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(process.MOST_LOG_BYTES, {"server.log"}, id="kept"),
        pytest.param(process.MOST_LOG_BYTES + 1, {"server.log", "server.log.1"}, id="put aside"),
    ],
)
def test_a_large_log_is_put_aside_when_a_server_starts(tmp_path: Path, size: int, expected: set[str]) -> None:
    """Logs are bounded by two files, and whoever follows one sees the new server's lines."""
    log = tmp_path / process.LOG_FILE
    with log.open("wb") as before:
        before.truncate(size)
    (tmp_path / f"{process.LOG_FILE}.1").write_bytes(b"older") if len(expected) > 1 else None
    follower = LogFile(log)
    follower.new_lines()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = process.spawn("platform", folder=tmp_path, listener=listener, arguments=[], environ={})
    assert server.wait(timeout=30) == 0
    assert {path.name for path in tmp_path.glob("server.log*")} == expected
    assert sum(path.stat().st_size for path in tmp_path.glob("server.log.1")) == (size if len(expected) > 1 else 0)
    assert len(follower.new_lines()) == 1
    assert process.candidate_ports(tmp_path, range(1, 3)) == [1, 2]
