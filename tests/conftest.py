"""What all tests share: a project in a folder of its own, driven by the installed command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.commands import can_fork, forking, forks, installed, run_alone
from tests.drivers import assert_nothing_left, driver_environ

pytest_plugins = ["tests.conformance.plugin", "tests.driver_option", "tests.postgres"]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("multistack", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("multistack")

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLE = REPOSITORY / "sample_service"
MULTISTACK = Path(sys.executable).parent / "multistack"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def http(method: str, url: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Answer:
    """One request; *body* that isn't bytes is sent as JSON."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers or {}))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


@dataclass(frozen=True)
class ProjectFolder:
    """
    A project in a temporary folder; commands run in it as a user would run them.

    Attributes:
        inside: What stands before every command, e.g. one that enters a network namespace.
    """

    folder: Path
    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    inside: Sequence[str] = ()

    def command_environ(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command sees: a path, an empty home, and nothing of the developer's own settings."""
        base = {"PATH": f"{MULTISTACK.parent}:{os.environ['PATH']}", "HOME": str(self.home), "LANG": "C.UTF-8"}
        passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        return {**base, **passed, **driver_environ(), **self.environ, **(env or {})}

    def run(
        self, *args: str, check: bool = True, env: Mapping[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run ``multistack`` with *args*; with *check*, a failure fails the test with its output."""
        command, environ = [*self.inside, str(MULTISTACK), *args], self.command_environ(env)
        fork = forks()
        run = fork.run if fork and not self.inside and can_fork(environ) else run_alone
        done = run(command, cwd=self.folder, env=environ, timeout=timeout)
        if check and done.returncode != 0:
            pytest.fail(f"multistack {' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``multistack`` in a process group of its own and don't wait for it."""
        return subprocess.Popen(
            [*self.inside, str(MULTISTACK), *args],
            cwd=self.folder,
            env=self.command_environ(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def status(self) -> dict[str, dict[str, Any]]:
        """``status --json`` by environment."""
        return {row["environment"]: row for row in json.loads(self.run("status", "--json").stdout)}

    def url(self, environment: str, path: str = "") -> str:
        """Where the proxy serves *path* of *environment*."""
        return f"{self.status()[environment]['url']}{path}"

    def processes(self) -> list[int]:
        """Every process that works in this folder: emulators, the proxy, functions, commands."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    where = (entry / "cwd").readlink()
                except OSError:
                    continue
                if where.is_relative_to(self.folder) and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
        return found

    def left(self) -> list[str]:
        """The same with their command lines: what somebody has to know who reads that there should be none."""
        found = []
        for pid in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(f"{pid}: {' '.join(psutil.Process(pid).cmdline())}")
        return found


def copy_sample(folder: Path) -> Path:
    """The sample service as a user gets it."""
    return Path(
        shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns(".multistack", "__pycache__"), dirs_exist_ok=True)
    )


@pytest.fixture(scope="session", autouse=True)
def _forking() -> Iterator[None]:
    """Commands of :meth:`ProjectFolder.run` are forks of a process that has imported them."""
    with forking():
        yield


@pytest.fixture
def installed_command() -> Iterator[None]:
    """
    For tests that kill a command and run the next one: no fork, which is there before a person could type it.

    A fork's `up` finds emulators that the killed command has told to end, and that still answer for some tenths of a
    second; it says that they no longer do.
    """
    with installed():
        yield


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFolder]:
    """A fresh copy of the sample service; everything it starts is stopped afterwards."""
    (tmp_path / "home").mkdir()
    folder = ProjectFolder(copy_sample(tmp_path / "project"), tmp_path / "home")
    yield folder
    _tear_down(folder)


@pytest.fixture(scope="session")
def running_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The sample service, up in test, staging and prod; for tests that leave it as it is."""
    root = tmp_path_factory.mktemp("running")
    (root / "home").mkdir()
    folder = ProjectFolder(copy_sample(root / "project"), root / "home")
    folder.run("up")
    yield folder
    _tear_down(folder)


def _tear_down(folder: ProjectFolder) -> None:
    """Restore a valid project file first: a test may have broken it, and the emulators must still be stopped."""
    shutil.copyfile(SAMPLE / "multistack.toml", folder.folder / "multistack.toml")
    shutil.copyfile(SAMPLE / "template.yaml", folder.folder / "template.yaml")
    done = folder.run("down", check=False)
    assert done.returncode == 0, done.stderr
    assert folder.left() == []
    assert_nothing_left(folder.folder)
