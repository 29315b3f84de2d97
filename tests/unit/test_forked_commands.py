"""Tests run hundreds of commands as forks of one process: each is what the installed command would have been."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import Forks, can_fork, run_alone
from tests.conftest import MULTISTACK, ProjectFolder
from tests.functional.tiny import write_service


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """One for all of them."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture
def project(tmp_path: Path) -> ProjectFolder:
    """A project of which nothing is started."""
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    folder = ProjectFolder(tmp_path / "project", tmp_path / "home")
    write_service(folder)
    return folder


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("status",), 0, id="table"),
        pytest.param(("status", "--json"), 0, id="JSON"),
        pytest.param(("endpoint", "test"), 3, id="refused"),
        pytest.param(("nonsense",), 2, id="usage"),
        pytest.param(("--file", "é €", "status"), 2, id="words"),
        pytest.param(("exec", "nowhere", "--", "true"), 2, id="no environment"),
    ],
)
def test_a_fork_says_what_a_process_says(
    forks: Forks, project: ProjectFolder, arguments: tuple[str, ...], code: int
) -> None:
    """The same on stdout, on stderr and as exit code."""
    command, environ = [str(MULTISTACK), *arguments], project.command_environ()
    forked = forks.run(command, cwd=project.folder, env=environ, timeout=60)
    alone = run_alone(command, cwd=project.folder, env=environ, timeout=60)
    assert (forked.returncode, forked.stdout, forked.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    assert forked.returncode == code


def test_a_fork_knows_nothing_of_the_one_before(forks: Forks, project: ProjectFolder) -> None:
    """Variables and folder are those it was given, and no others."""
    command, environ = [str(MULTISTACK), "status"], project.command_environ()
    refused = forks.run(command, cwd=project.folder, env={**environ, "MULTISTACK_REGION": "nowhere"}, timeout=60)
    shown = forks.run(command, cwd=project.folder, env=environ, timeout=60)
    elsewhere = forks.run(command, cwd=project.home, env=environ, timeout=60)
    assert (refused.returncode, shown.returncode, elsewhere.returncode) == (2, 0, 2)
    assert "MULTISTACK_REGION" in refused.stderr
    assert "no multistack.toml" in elsewhere.stderr


def test_what_a_fork_makes_has_the_mode_that_this_process_gives(forks: Forks, project: ProjectFolder) -> None:
    """The umask is that of now, not that of when the process was started that forks."""
    environ = project.command_environ()
    forks.run([str(MULTISTACK), "--version"], cwd=project.folder, env=environ, timeout=60)
    before = os.umask(0o077)
    try:
        forks.run([str(MULTISTACK), "compose", "--output", "made.yaml"], cwd=project.folder, env=environ, timeout=60)
    finally:
        os.umask(before)
    assert (project.folder / "made.yaml").stat().st_mode & 0o777 == 0o600


def test_a_fork_that_takes_too_long_is_killed(forks: Forks, project: ProjectFolder) -> None:
    """As :func:`subprocess.run` does it; the next one runs."""
    with pytest.raises(subprocess.TimeoutExpired):
        forks.run([str(MULTISTACK), "watch"], cwd=project.folder, env=project.command_environ(), timeout=0.01)
    assert project.processes() == []
    done = forks.run([str(MULTISTACK), "--version"], cwd=project.folder, env=project.command_environ(), timeout=60)
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONHASHSEED", "LC_ALL", "LANGUAGE", "LD_PRELOAD"])
def test_what_an_interpreter_reads_when_it_starts_needs_one(project: ProjectFolder, name: str) -> None:
    """Then the installed command is run."""
    environ = project.command_environ()
    assert can_fork(environ)
    assert not can_fork({**environ, name: "1"})
    assert not can_fork({**environ, "LANG": "tr_TR.UTF-8"})
