"""Commands that the page started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.dashboard.actions import Order, read_order
from emulator.dashboard.jobs import Command, Job, Jobs, JobState
from emulator.process import LABEL
from emulator.proxy.problems import Problem

SLEEPER = "import time\nprint('began', flush=True)\ntime.sleep(60)"


def order(name: str = "verify", environment: str = "test") -> Order:
    content = {"action": name, "environment": environment}
    return read_order(content, environments={"test": False, "qa": False}, confirmed=True)


def jobs_running(program: str, tmp_path: Path, *, changes: list[Job] | None = None) -> Jobs:
    noted = [] if changes is None else changes
    command = Command(
        program=(sys.executable, "-c", program), file=tmp_path / "multistack.toml", environ=lambda: {LABEL: "me"}
    )
    return Jobs(command, on_change=noted.append, lock=tmp_path / "command.lock")


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(jobs: Jobs, number: int) -> Job:
    wait(lambda: jobs.get(number).state is not JobState.RUNNING)
    return jobs.get(number)


def test_output_is_kept_line_by_line(tmp_path: Path) -> None:
    """Both streams, in their order, with the command before them; each change is told."""
    changes: list[Job] = []
    program = "import sys\nprint('one', flush=True)\nprint('two', file=sys.stderr)\nprint(sys.argv[1:])"
    jobs = jobs_running(program, tmp_path, changes=changes)
    started = jobs.start(order())
    done = ended(jobs, started.id)
    assert (done.state, done.exit_code) == (JobState.SUCCEEDED, 0)
    arguments = ["--file", str(tmp_path / "multistack.toml"), "verify", "test"]
    assert list(done.output) == ["$ multistack verify test", "one", "two", str(arguments)]
    assert [job.lines for job in jobs.all()] == [4]
    assert changes[0].state is JobState.RUNNING
    wait(lambda: changes[-1].state is JobState.SUCCEEDED)


def test_a_failure_ends_the_job(tmp_path: Path) -> None:
    """What would have come after it is not run."""
    jobs = jobs_running("import sys; sys.exit(3)", tmp_path)
    done = ended(jobs, jobs.start(order("restart")).id)
    assert (done.state, done.exit_code) == (JobState.FAILED, 3)
    assert list(done.output) == ["$ multistack down test"]


def test_differences_are_no_failure(tmp_path: Path) -> None:
    """`drift` ends with 7 when it has found what it looked for."""
    jobs = jobs_running("import sys; sys.exit(7)", tmp_path)
    assert ended(jobs, jobs.start(order("drift")).id).state is JobState.SUCCEEDED


def test_one_job_at_a_time_for_each_environment(tmp_path: Path) -> None:
    """Neighbours may have one as well."""
    jobs = jobs_running(SLEEPER, tmp_path)
    first = jobs.start(order())
    with pytest.raises(Problem) as caught:
        jobs.start(order("hold"))
    assert caught.value.status == 409
    second = jobs.start(order(environment="qa"))
    jobs.close()
    assert {ended(jobs, one.id).state for one in (first, second)} == {JobState.CANCELLED}


def test_cancelling_is_ctrl_c(tmp_path: Path) -> None:
    """The command ends in good order."""
    polite = "import time\ntry:\n    print('began', flush=True)\n    time.sleep(60)"
    jobs = jobs_running(f"{polite}\nexcept KeyboardInterrupt:\n    print('bye')", tmp_path)
    started = jobs.start(order())
    wait(lambda: "began" in jobs.get(started.id).output)
    jobs.cancel(started.id)
    done = ended(jobs, started.id)
    assert done.state is JobState.CANCELLED
    assert done.output[-1] == "bye"


def test_a_job_that_can_not_start_has_failed(tmp_path: Path) -> None:
    """It says why, and keeps nothing else from being started."""
    command = Command(program=(str(tmp_path / "gone"),), file=tmp_path / "multistack.toml", environ=dict)
    jobs = Jobs(command, on_change=lambda _job: None, lock=tmp_path / "command.lock")
    done = ended(jobs, jobs.start(order()).id)
    assert (done.state, done.exit_code) == (JobState.FAILED, None)
    assert "can't be started: No such file" in done.output[-1]
    assert ended(jobs, jobs.start(order()).id).state is JobState.FAILED


def test_a_command_may_speak_when_nobody_listens_any_more(tmp_path: Path) -> None:
    """It may have replaced the proxy that started it: what it writes then is no error that ends it."""
    program = (
        "import pathlib, time\nprint('began', flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
        "print('proxy ready', flush=True)\npathlib.Path('done').touch()"
    )
    starter = (
        "import sys, time\nfrom pathlib import Path\n"
        "from emulator.dashboard.actions import read_order\n"
        "from emulator.dashboard.jobs import Command, Jobs\n"
        f"command = Command(program=(sys.executable, '-c', {program!r}), file=Path('multistack.toml').absolute(), "
        "environ=dict)\n"
        "jobs = Jobs(command, on_change=lambda job: None, lock=Path('lock'))\n"
        "jobs.start(read_order({'action': 'verify', 'environment': 'test'}, environments={'test': False}, "
        "confirmed=True))\n"
        "while 'began' not in jobs.get(1).output: time.sleep(0.01)\nimport os\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", starter], cwd=tmp_path, check=True, timeout=30)
    (tmp_path / "go").touch()
    wait((tmp_path / "done").exists)


def test_closing_spares_the_command_that_changes_the_project(tmp_path: Path) -> None:
    """It may be the one that replaces the proxy."""
    jobs = jobs_running(f"import os\nprint(os.getpid(), flush=True)\n{SLEEPER}", tmp_path)
    started = jobs.start(order())
    wait(lambda: "began" in jobs.get(started.id).output)
    pid = int(jobs.get(started.id).output[1])
    (tmp_path / "command.lock").write_text(f"multistack up (pid {pid})")
    jobs.close()
    os.kill(pid, 0)
    assert jobs.get(started.id).state is JobState.RUNNING
    jobs.cancel(started.id)
    ended(jobs, started.id)


def test_commands_are_not_of_the_proxys_own_processes(tmp_path: Path) -> None:
    """The mark that they would inherit is taken off, so that stopping the proxy doesn't end them in the middle."""
    jobs = jobs_running(f"import os; print(os.environ.get({LABEL!r}))", tmp_path)
    assert ended(jobs, jobs.start(order()).id).output[-1] == "None"


def test_without_a_project_nothing_is_done(tmp_path: Path) -> None:
    """The page is for reading then."""
    jobs = Jobs(None, on_change=lambda _: None, lock=tmp_path / "command.lock")
    with pytest.raises(Problem) as caught:
        jobs.start(order())
    assert (caught.value.status, jobs.are_possible) == (409, False)


def test_long_output_keeps_its_end(tmp_path: Path) -> None:
    """Thousands of lines, or one without an end, take no more than their part of memory."""
    jobs = jobs_running("for n in range(5000): print(n)\nprint('x' * 100_000)", tmp_path)
    done = ended(jobs, jobs.start(order()).id)
    assert len(done.output) == 1_000
    assert max(map(len, done.output)) <= 4_000
