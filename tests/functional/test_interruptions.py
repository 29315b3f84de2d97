"""Ctrl-C, kill and lost files: one clear line, nothing left running that nobody owns, and the next ``up`` repairs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from emulator.history import History
from emulator.model import Deployment, Endpoint, Outcome
from emulator.process import read_record, start_time
from emulator.stack import describe
from tests.conftest import MULTISTACK, SAMPLE, ProjectFolder, http
from tests.functional.cutting import cut, cut_at_line, is_cut, until, until_line

pytestmark = [
    pytest.mark.embedded("its processes; tests/docker/test_interruptions.py cuts commands on containers"),
    pytest.mark.usefixtures("installed_command"),
]

# Two are enough for work in parallel, and cheaper than three.
NAMES = ("test", "staging")
# Every deployment waits here for a signal that never comes; then it is rolled back.
WAITING = """
Resources:
  NeverSignalled: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    Properties: {Handle: !Ref NeverSignalled, Timeout: "12", Count: 1}
"""


@pytest.mark.parametrize(
    ("line", "number"),
    [
        pytest.param("test     starting", signal.SIGINT, id="starting-ctrl-c"),
        pytest.param("test     starting", signal.SIGKILL, id="starting-kill"),
        pytest.param("ready http", signal.SIGINT, id="ready-ctrl-c"),
        pytest.param("building", signal.SIGINT, id="building-ctrl-c"),
        pytest.param("building", signal.SIGKILL, id="building-kill"),
        pytest.param("deployed", signal.SIGINT, id="deployed-ctrl-c"),
        pytest.param("starting proxy", signal.SIGINT, id="proxy-ctrl-c"),
        pytest.param("starting proxy", signal.SIGKILL, id="proxy-kill"),
    ],
)
def test_up_can_be_cut_at_any_line(project: ProjectFolder, line: str, number: signal.Signals) -> None:
    """Whatever up has just said when it is cut, the next up makes everything serve."""
    cut_at_line(project.start("up", *NAMES), line, number)
    repair(project)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_up_can_be_cut_at_any_moment(project: ProjectFolder, number: signal.Signals) -> None:
    """Moments that no line marks are cut as well."""
    moments = random.Random(number)  # seeded, so that a failure can be repeated
    cuts = []
    for _ in range(3):
        command = project.start("up", *NAMES)
        time.sleep(moments.uniform(0.1, 1.5))  # the moment is what is tested
        cuts.append(is_cut(command, number))
        repair(project)
        shutil.rmtree(project.folder / ".multistack")
    assert any(cuts), "every command had ended before it was cut"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_deploy_can_be_cut_when_it_has_built(project: ProjectFolder, number: signal.Signals) -> None:
    """A deployment that is cut leaves environments that up brings back to a whole release."""
    project.run("up", *NAMES)
    change_source(project)
    cut_at_line(project.start("deploy", *NAMES), "building", number)
    repair(project)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["ctrl-c", "term", "kill"])
def test_a_cut_deployment_is_on_record_and_undone(project: ProjectFolder, number: signal.Signals) -> None:
    """The ledger says interrupted, and up goes back to the release on record and says why."""
    project.run("up", "test")
    before = project.status()["test"]["release"]
    command = start_waiting(project, "deploy")
    cut(command, number)
    up = project.run("up", "test")
    last = ledger(project, "test")[-2]
    assert last.outcome is Outcome.INTERRUPTED
    assert f"redeploying {before}, deployment of {last.release.id} was interrupted" in up.stderr
    if number is signal.SIGKILL:
        assert f"found deployment of {last.release.id} had been interrupted" in up.stderr
    assert project.status()["test"]["release"] == before
    repair(project, "test")


def test_a_first_deployment_that_was_cut_is_made_again(project: ProjectFolder) -> None:
    """Without a release to go back to, up deploys the current source, and says why."""
    command = start_waiting(project, "up")
    cut(command, signal.SIGINT)
    assert [one.outcome for one in ledger(project, "test")] == [Outcome.INTERRUPTED]
    shutil.copyfile(SAMPLE / "template.yaml", project.folder / "template.yaml")
    up = project.run("up", "test")
    assert "was interrupted" in up.stderr
    repair(project, "test")


def test_up_starts_an_emulator_that_is_about_to_end(project: ProjectFolder) -> None:
    """As after a command that was killed when it had just told it to: whenever it ends, up is not put off by it."""
    moments = random.Random(7)
    for _ in range(6):
        project.run("up", "test")
        emulator = psutil.Process(server_pid(project, "environments/test"))
        command = project.start("up", "test")
        time.sleep(moments.uniform(0.2, 0.8))  # the moment is what is tested
        emulator.terminate()
        _, err = command.communicate(timeout=60)
        assert command.returncode == 0, err
        emulator.wait(timeout=60)
    repair(project, "test")


def test_an_emulator_killed_during_a_deployment_is_no_traceback(project: ProjectFolder) -> None:
    """The deployment ends with the environment's name, exit code 3 and an entry in the ledger."""
    project.run("up", "test")
    command = start_waiting(project, "deploy")
    os.kill(server_pid(project, "environments/test"), signal.SIGKILL)
    _, err = command.communicate(timeout=60)
    assert command.returncode == 3, err
    assert "environment test: its emulator no longer answers" in err
    assert "Traceback" not in err
    assert ledger(project, "test")[-1].outcome is Outcome.INTERRUPTED
    repair(project, "test")


def test_ctrl_c_again_leaves_at_once(project: ProjectFolder) -> None:
    """A command that waits for a hanging emulator can be left all the same; nothing is lost by it."""
    project.run("up", "test")
    command = start_waiting(project, "deploy")
    emulator = server_pid(project, "environments/test")
    os.kill(emulator, signal.SIGSTOP)
    started = time.monotonic()
    while command.poll() is None and time.monotonic() < started + 60:
        os.killpg(command.pid, signal.SIGINT)
        time.sleep(0.2)  # an impatient user
    _, err = command.communicate(timeout=30)
    os.kill(emulator, signal.SIGCONT)
    assert command.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in project.run("up", "test").stderr
    repair(project, "test")


def test_a_closed_terminal_ends_the_command_in_good_order(project: ProjectFolder) -> None:
    """SIGHUP is a Ctrl-C that nobody is there to read about."""
    command = project.start("up", "test")
    until_line(command, "starting")
    command.stdout.close()
    command.stderr.close()  # nothing can be said any more either
    os.killpg(command.pid, signal.SIGHUP)
    assert command.wait(timeout=30) == 129
    repair(project, "test")


def test_an_emulator_killed_while_it_starts_leaves_its_neighbour_up(project: ProjectFolder) -> None:
    """Up names the environment, shows its log and ends with 3; the other one is up, and up again repairs."""
    record = project.folder / ".multistack/environments/test/server.json"
    for _ in range(5):
        command = project.start("up", *NAMES)
        until(record.exists)
        os.kill(server_pid(project, "environments/test"), signal.SIGKILL)
        _, err = command.communicate(timeout=60)
        if command.returncode != 0:
            break
        project.run("down")  # a busy machine let all be up before it let us kill
    assert command.returncode == 3, err
    assert "environment test: its emulator ended while starting" in err
    assert {name: row["status"] for name, row in project.status().items() if name in NAMES} == {
        "test": "stopped",
        "staging": "ready",
    }
    repair(project)


def test_a_timeout_names_the_environment_and_leaves_its_neighbour_up(project: ProjectFolder) -> None:
    """Too short a wait ends with 3 and the last log lines; who is ready stays so."""
    project.run("up", *NAMES)
    project.run("down", "staging")
    neighbour = project.status()["test"]
    command = project.start("up", *NAMES, "--wait", "1")
    record = project.folder / ".multistack/environments/staging/server.json"
    until(record.exists)
    os.kill(server_pid(project, "environments/staging"), signal.SIGSTOP)
    _, err = command.communicate(timeout=60)
    assert command.returncode == 3, err
    error = err[err.index("error: ") :].splitlines()
    assert error[0].startswith("error: environment staging is not healthy after 1 s")
    assert any(line.startswith("  ") for line in error[1:])
    assert project.status()["test"] == neighbour
    repair(project)


def test_nothing_survives_an_emulator_killed_with_busy_functions(project: ProjectFolder) -> None:
    """A worker that no longer hears its emulator goes with the next up, or the next down."""
    source = project.folder / "src/app.py"
    ok = 'return Answer(200, {"status": "ok"})'
    assert ok in source.read_text()
    source.write_text(source.read_text().replace(ok, "while True: pass"))
    project.run("up", "test")
    worker = start_busy_worker(project)
    os.kill(server_pid(project, "environments/test"), signal.SIGKILL)
    project.run("up", "test")
    assert worker not in project.processes()
    worker = start_busy_worker(project)
    os.kill(server_pid(project, "environments/test"), signal.SIGKILL)
    assert "stopped test" in project.run("down").stdout
    assert project.processes() == []
    assert not (project.folder / ".multistack/environments/test/tmp").exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param('{"process": {"pid": "x", "started": null}, "port": 1, "settings": {}}', id="wrong types"),
        pytest.param(None, id="a stranger's"),
    ],
)
def test_a_record_that_no_server_wrote_is_repaired(project: ProjectFolder, bystander: int, content: str | None) -> None:
    """A broken record is an unhealthy environment; one that names a stranger never ends that stranger."""
    project.run("up", "test")
    emulator = server_pid(project, "environments/test")
    for server in ("environments/test", "proxy"):
        record = project.folder / ".multistack" / server / "server.json"
        text = json.dumps(record_of(bystander)) if content is None else content
        record.write_text(text)
        os.utime(record, (0, 0))  # it did not start a moment ago
    assert project.status()["test"]["status"] == "unhealthy"
    assert "restarting" in project.run("up", "test").stderr
    assert emulator not in project.processes()
    repair(project, "test")


def test_a_stale_record_never_ends_a_stranger(project: ProjectFolder, bystander: int) -> None:
    """The number in a record may belong to anybody by now: to init, or to a program of the user."""
    project.run("up", "test")
    project.run("down")
    for pid in (bystander, 1):
        for server in ("environments/test", "proxy"):
            (project.folder / ".multistack" / server / "server.json").write_text(json.dumps(record_of(pid)))
        assert "nothing was running" in project.run("down").stdout
    project.run("up", "test")
    repair(project, "test")


def test_a_deleted_state_folder_leaves_no_orphan(project: ProjectFolder) -> None:
    """Servers are found by their label when their folder is gone."""
    project.run("up", "test")
    before = project.processes()
    shutil.rmtree(project.folder / ".multistack")
    project.run("up", "test")
    assert not set(before) & set(project.processes())
    assert http("GET", project.url("test", "health")).status == 200
    shutil.rmtree(project.folder / ".multistack")
    assert project.run("down").stdout == "stopped test, the proxy\n"
    assert project.processes() == []


def test_a_corrupt_routing_table_is_written_anew(project: ProjectFolder) -> None:
    """Up publishes it every time; until then the proxy follows the one before."""
    project.run("up", "test")
    (project.folder / ".multistack/routes.json").write_text("{")
    assert http("GET", project.url("test", "health")).status == 200
    repair(project, "test")


def test_down_stops_an_emulator_whose_start_was_cut(project: ProjectFolder) -> None:
    """Between fork and record nobody knows the process's number; down finds it all the same."""
    command = project.start("up", "test")
    until_line(command, "starting")
    until((project.folder / ".multistack/environments/test/port").exists)
    cut(command, signal.SIGKILL)
    project.run("down")
    assert project.processes() == []


def test_an_environment_removed_from_the_file_is_named_and_stopped(project: ProjectFolder) -> None:
    """Up says that it still runs, down stops it."""
    project.run("up", *NAMES)
    file = project.folder / "multistack.toml"
    text = file.read_text()
    start, end = text.index("[environments.staging]"), text.index("[environments.prod]")
    file.write_text(text[:start] + text[end:])
    up = project.run("up", "test")
    assert "staging" in up.stderr
    assert "still runs but is no longer in multistack.toml; `multistack down` stops it" in up.stderr
    assert "stopped" in project.run("down").stderr
    assert project.processes() == []


def test_down_with_nothing_to_stop_says_so(project: ProjectFolder) -> None:
    """Down is idempotent."""
    for _ in range(2):
        assert project.run("down").stdout == "nothing was running\n"


def test_a_reader_that_leaves_is_no_error(project: ProjectFolder) -> None:
    """``| head -1`` ends without a traceback, and progress that nobody reads stops no work."""
    shell = subprocess.run(
        ["sh", "-c", f"{MULTISTACK} status | head -1; {MULTISTACK} up test 2>&1 | true"],
        cwd=project.folder,
        env=project.command_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shell.stdout.startswith("ENVIRONMENT")
    assert shell.stderr == ""
    assert project.status()["test"]["status"] == "ready"
    gone = subprocess.Popen(
        [str(MULTISTACK), "status"],
        cwd=project.folder,
        env=project.command_environ(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    gone.stdout.close()
    assert gone.stderr.read() == ""
    assert gone.wait(timeout=30) == 1
    gone.stderr.close()


def test_closed_standard_files_are_no_trap(project: ProjectFolder) -> None:
    """Under ``>&-`` the lock that a server inherits must not become its stdout."""
    shell = ["sh", "-c", f"exec {MULTISTACK} up test <&- >&- 2>&-"]
    done = subprocess.run(shell, cwd=project.folder, env=project.command_environ(), timeout=60, check=False)
    assert done.returncode == 0
    assert project.status()["test"]["status"] == "ready"
    assert "nothing to do" in project.run("up", "test").stderr


def test_commands_work_from_a_folder_below_the_project(project: ProjectFolder) -> None:
    """The nearest project file above counts."""
    below = replace(project, folder=project.folder / "src")
    below.run("up", "test")
    assert below.status() == project.status()
    assert not (below.folder / ".multistack").exists()
    assert "test" in below.run("down").stdout


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[int]:
    """A program of the user's, in a session of its own, that nobody may end."""
    program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    yield program.pid
    assert program.poll() is None, "the bystander was killed"
    program.kill()
    program.communicate()


def record_of(pid: int) -> dict[str, Any]:
    """A record as a server with that very process would write it."""
    settings = {"account_id": "111111111111", "region": "eu-west-1"}
    return {"process": {"pid": pid, "started": start_time(pid)}, "port": 1, "settings": settings}


def repair(project: ProjectFolder, *names: str) -> None:
    """Nobody is left that no command knows; up makes everything serve; down leaves nothing."""
    # A server says who it is within moments of its start.
    until(lambda: {os.getsid(pid) for pid in project.processes() if start_time(pid)} <= owners(project))
    names = names or NAMES
    project.run("up", *names)
    rows = project.status()
    for name in names:
        assert rows[name]["status"] == "ready"
        answer = http("GET", rows[name]["url"] + "config")
        assert (answer.status, answer.headers["X-Release"]) == (200, rows[name]["release"])
        assert ledger(project, name)[-1].outcome is Outcome.SUCCEEDED
    project.run("down")
    assert project.processes() == []


def _pid_in(record: Path) -> int | None:
    try:
        return int(json.loads(record.read_bytes())["process"]["pid"])
    except (OSError, ValueError, KeyError):
        return None


def owners(project: ProjectFolder) -> set[int | None]:
    """The processes that commands know, by their records."""
    return set(map(_pid_in, (project.folder / ".multistack").glob("**/server.json")))


def ledger(project: ProjectFolder, environment: str) -> list[Deployment]:
    """All deployments of one environment."""
    return History(project.folder / ".multistack/history.sqlite").deployments(environment)


def server_pid(project: ProjectFolder, server: str) -> int:
    """The process that a record names."""
    pid = _pid_in(project.folder / ".multistack" / server / "server.json")
    assert pid is not None
    return pid


def change_source(project: ProjectFolder) -> None:
    """Another artifact."""
    with (project.folder / "src/app.py").open("a") as source:
        source.write("\n# changed\n")


def start_waiting(project: ProjectFolder, command: str) -> subprocess.Popen[str]:
    """Start a deployment into test and return while the emulator is in the middle of it."""
    template = project.folder / "template.yaml"
    template.write_text(template.read_text().replace("\nResources:\n", WAITING, 1))
    change_source(project)
    running = project.start(command, "test")
    until(lambda: running.poll() is not None or is_deploying(project))
    assert running.poll() is None, running.communicate()
    return running


def is_deploying(project: ProjectFolder) -> bool:
    """Whether the emulator is in the middle of a deployment that is on record."""
    record = read_record(project.folder / ".multistack/environments/test")
    if record is None or [one.outcome for one in ledger(project, "test")][-1:] != [None]:
        return False
    url = f"http://127.0.0.1:{record.port}"
    endpoint = Endpoint(environment="test", url=url, account_id="111111111111", region="eu-west-1")
    stack = describe(endpoint, "orders-test")
    return stack is not None and stack.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")


def start_busy_worker(project: ProjectFolder) -> int:
    """Call the function that never ends, don't wait for its answer, and return the worker's pid."""
    parts = urlsplit(project.url("test", "health"))
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        found: list[int] = []
        until(lambda: found.extend(_busy(project)) or found)
    return found[0]


def _busy(project: ProjectFolder) -> list[int]:
    """Workers that compute: a handler that only waits has used no second of CPU time."""
    busy = []
    for pid in project.processes():
        try:
            worker = psutil.Process(pid)
            is_function = any("multistack_runtime" in part for part in worker.cmdline())
            if is_function and worker.cpu_times().user > 1:
                busy.append(pid)
        except psutil.Error:
            continue
    return busy


def test_a_lost_state_is_told_once_and_in_one_short_line(project: ProjectFolder) -> None:
    """What it means comes first; the release is there again."""
    project.run("up", "test")
    project.run("down", "test")
    for path in (project.folder / ".multistack/environments/test/state/checkpoints").iterdir():
        path.write_bytes(b"")
    done = project.run("up", "test")
    (line,) = (line for line in (done.stdout + done.stderr).splitlines() if "started empty" in line)
    assert line.startswith("test: it started empty: its data is lost, its release is deployed again")
    assert len(line) < 160
    assert http("GET", project.url("test", "config")).status == 200
