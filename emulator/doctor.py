"""What this machine has and lacks for running environments: found, judged, with what to do about it."""

from __future__ import annotations

import enum
import importlib.metadata
import importlib.util
import ipaddress
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from emulator import ports, process
from emulator.config import scrubbed_environ
from emulator.errors import ConfigError, NotReady
from emulator.model import Environment, Project

PYTHON = (3, 11)
# Megabytes of a running environment with warm functions, measured; and the free disk below which to worry.
ENVIRONMENT_MEMORY = 60
_DISK_PROBLEM, _DISK_WARNING = 50, 500
_MEGABYTE = 1024 * 1024
_DISTRIBUTIONS = ("multistack-emulator", "ministack", "boto3", "botocore")
_EXACT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*==\s*([^\s;,]+)\s*$")
# Seconds that another program may take to tell its version.
_PATIENCE = 5.0


class Verdict(enum.Enum):
    """How good or bad a finding is."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    One thing looked at; the names of the attributes are the keys of ``doctor --json``.

    Attributes:
        found: What is there.
        advice: What it means and what to do; empty when all is well.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine(
    project: Project | None, error: ConfigError | None, *, environ: Mapping[str, str], searched: Path
) -> list[Check]:
    """
    Look at everything.

    Args:
        project: None outside a project, or when *error* says why it can't be loaded.
        environ: The variables of the command.
        searched: The folder where the search for the project file began.
    """
    path = environ.get("PATH", "")
    checks = [
        check_python(sys.version_info[:3]),
        check_versions(importlib.metadata.version, importlib.metadata.requires),
        check_project(project, error, searched=searched),
    ]
    if project is not None:
        checks += [
            check_writable(project.state),
            check_disk(project.state, _free_disk(project.state)),
            check_memory(psutil.virtual_memory().available // _MEGABYTE, _stopped(project)),
            check_proxy_port(project),
            *(check_emulator_port(project, environment) for environment in project.environments),
        ]
    return [
        *checks,
        check_localhost(_addresses("localhost")),
        check_http_proxy(environ),
        check_pip(importlib.util.find_spec("pip") is not None),
        check_node(_version_of([shutil.which("node", path=path) or "node", "--version"], environ)),
        check_docker(
            shutil.which("docker", path=path),
            _version_of(["docker", "version", "--format", "{{.Server.Version}}"], environ),
        ),
    ]


def check_python(version: Sequence[int]) -> Check:
    """Whether this Python is new enough."""
    found = ".".join(str(part) for part in version)
    if tuple(version[:2]) >= PYTHON:
        return Check(name="python", verdict=Verdict.OK, found=found)
    least = ".".join(str(part) for part in PYTHON)
    return Check(
        name="python",
        verdict=Verdict.PROBLEM,
        found=found,
        advice=f"multistack needs Python {least} or newer, e.g. `uv tool install --python {least} multistack-emulator`",
    )


def check_versions(version: Callable[[str], str], requires: Callable[[str], Sequence[str] | None]) -> Check:
    """
    Whether what is installed is what the exact pins of multistack and MiniStack ask for.

    Args:
        version: As ``importlib.metadata.version``.
        requires: As ``importlib.metadata.requires``.
    """
    installed, missing = {}, []
    for name in _DISTRIBUTIONS:
        try:
            installed[name] = version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    found = ", ".join(f"{name} {number}" for name, number in installed.items())
    repair = "reinstall: `pip install --force-reinstall multistack-emulator`"
    if missing:
        advice = f"{', '.join(missing)} not installed; {repair}"
        return Check(name="packages", verdict=Verdict.PROBLEM, found=found or "none", advice=advice)
    pins = [
        (owner, match[1], match[2])
        for owner in ("multistack-emulator", "ministack")
        for requirement in requires(owner) or ()
        if (match := _EXACT.fullmatch(requirement)) and match[1] in installed
    ]
    wrong = [f"{owner} needs {name} {pin}" for owner, name, pin in pins if installed[name] != pin]
    if wrong:
        advice = f"{'; '.join(wrong)}: another package has replaced it; install multistack in an environment of its own"
        return Check(name="packages", verdict=Verdict.PROBLEM, found=found, advice=advice)
    return Check(name="packages", verdict=Verdict.OK, found=found)


def check_project(project: Project | None, error: ConfigError | None, *, searched: Path) -> Check:
    """Whether there is a valid project file; none at all is no fault."""
    if error is not None:
        further = "".join(f"; {line}" for line in error.details)
        return Check(
            name="project file",
            verdict=Verdict.PROBLEM,
            found=error.message + further,
            advice=error.hint or "correct it: no command works before",
        )
    if project is None:
        found = f"none in {searched} or above"
        return Check(name="project file", verdict=Verdict.INFO, found=found, advice="`multistack init` writes one")
    names = ", ".join(environment.name for environment in project.environments)
    return Check(name="project file", verdict=Verdict.OK, found=f"{project.file} ({names})")


def check_writable(state: Path) -> Check:
    """Whether state can be kept; nothing is left behind, and the folder is not made."""
    folder = _existing(state)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Check(name="state folder", verdict=Verdict.OK, found=f"{state} can be written")
    except OSError as error:
        return Check(
            name="state folder",
            verdict=Verdict.PROBLEM,
            found=f"{folder} can't be written: {error.strerror}",
            advice="environments keep their state there: give yourself write permission",
        )


def check_disk(state: Path, free: int) -> Check:
    """Whether there is space for artifacts and data; *free* in megabytes."""
    found = f"{free} MB free for {state}"
    if free >= _DISK_WARNING:
        return Check(name="disk", verdict=Verdict.OK, found=found)
    verdict = Verdict.PROBLEM if free < _DISK_PROBLEM else Verdict.WARNING
    return Check(name="disk", verdict=verdict, found=found, advice="free some space, else data and artifacts get lost")


def check_memory(available: int, stopped: int) -> Check:
    """
    Whether memory suffices for the environments that don't run yet.

    Args:
        available: Megabytes.
        stopped: How many environments don't run.
    """
    needed = stopped * ENVIRONMENT_MEMORY
    if stopped == 0:
        return Check(name="memory", verdict=Verdict.OK, found=f"{available} MB available, every environment runs")
    found = f"{available} MB available, {stopped} stopped environments need about {needed} MB"
    if available >= 2 * needed:
        return Check(name="memory", verdict=Verdict.OK, found=found)
    verdict = Verdict.WARNING if available >= needed else Verdict.PROBLEM
    return Check(
        name="memory", verdict=verdict, found=found, advice="close other programs, or start fewer: multistack up test"
    )


def check_proxy_port(project: Project) -> Check:
    """Whether the proxy has its port, or can get it."""
    return _check_port(
        "proxy port",
        project.state / "proxy",
        project.proxy.port,
        purpose="the proxy",
        advice='stop that program, or set `port = "auto"` under [proxy]',
    )


def check_emulator_port(project: Project, environment: Environment) -> Check:
    """Whether an environment's emulator has its port, or can get it."""
    return _check_port(
        f"port of {environment.name}",
        project.environment_state(environment.name),
        environment.port,
        purpose=f"environment {environment.name}",
        advice=f'stop that program, or set `port = "auto"` under [environments.{environment.name}]',
    )


def _check_port(name: str, folder: Path, wanted: int | None, *, purpose: str, advice: str) -> Check:
    record = process.read_record(folder) if process.is_running(folder) else None
    if record is not None:
        found = f"{record.port}, in use by {purpose} (pid {record.process.pid})"
        if wanted in (None, record.port):
            return Check(name=name, verdict=Verdict.OK, found=found)
        moves = f"the project file now says {wanted}; `multistack up` moves it"
        return Check(name=name, verdict=Verdict.WARNING, found=found, advice=moves)
    if wanted is None:
        return Check(name=name, verdict=Verdict.OK, found="a free one when it starts")
    try:
        ports.listen(port=wanted, candidates=(), purpose=purpose).close()
    except NotReady as error:
        return Check(name=name, verdict=Verdict.PROBLEM, found=error.message, advice=advice)
    return Check(name=name, verdict=Verdict.OK, found=f"{wanted}, free")


def check_localhost(addresses: Sequence[str]) -> Check:
    """Whether ``localhost`` means this machine."""
    found = ", ".join(addresses) or "does not resolve"
    if addresses and all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses):
        return Check(name="localhost", verdict=Verdict.OK, found=found)
    return Check(
        name="localhost",
        verdict=Verdict.PROBLEM if addresses else Verdict.WARNING,
        found=found,
        advice="add `127.0.0.1 localhost` to /etc/hosts; multistack itself uses 127.0.0.1, other tools may not",
    )


def check_http_proxy(environ: Mapping[str, str]) -> Check:
    """Whether requests to this machine would go through an HTTP proxy."""
    names = [name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if environ.get(name)]
    if not names:
        return Check(name="http proxy", verdict=Verdict.OK, found="none set")
    hosts = {host.strip() for name in ("no_proxy", "NO_PROXY") for host in environ.get(name, "").split(",")}
    if "*" in hosts or "127.0.0.1" in hosts:
        return Check(name="http proxy", verdict=Verdict.OK, found=f"{names[0]} set, 127.0.0.1 excepted")
    return Check(
        name="http proxy",
        verdict=Verdict.WARNING,
        found=f"{names[0]} set, 127.0.0.1 not excepted",
        advice="curl and AWS tools would ask it for 127.0.0.1: add `127.0.0.1,localhost` to NO_PROXY and no_proxy",
    )


def check_pip(is_importable: bool) -> Check:
    """Whether a function's requirements can be installed."""
    if is_importable:
        return Check(name="pip", verdict=Verdict.OK, found="can be imported")
    return Check(
        name="pip",
        verdict=Verdict.WARNING,
        found=f"not in {sys.prefix}",
        advice=f"functions with a requirements.txt can't be built: `{sys.executable} -m ensurepip`, "
        "or with uv: `uv tool install --with pip multistack-emulator`",
    )


def check_node(version: str | None) -> Check:
    """Which Node runs Node functions."""
    if version is not None:
        return Check(name="node", verdict=Verdict.OK, found=version)
    advice = "needed for functions with a nodejs runtime only"
    return Check(name="node", verdict=Verdict.INFO, found="not found", advice=advice)


def check_docker(client: str | None, engine: str | None) -> Check:
    """Which Docker there is."""
    if engine is not None:
        return Check(name="docker", verdict=Verdict.OK, found=f"engine {engine}")
    found = f"{client}, but no engine answers" if client else "not found"
    advice = "the embedded driver does not need it"
    return Check(name="docker", verdict=Verdict.INFO, found=found, advice=advice)


def _existing(path: Path) -> Path:
    """The nearest folder that exists, from *path* upwards."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _free_disk(state: Path) -> int:
    return shutil.disk_usage(_existing(state)).free // _MEGABYTE


def _stopped(project: Project) -> int:
    folders = [project.environment_state(environment.name) for environment in project.environments]
    return sum(not process.is_running(folder) for folder in folders)


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(address[4][0]) for address in found})


def _version_of(command: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The first line that *command* prints, or None when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            list(command),
            env=scrubbed_environ(environ),
            cwd=os.sep,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.split("\n"))).strip() or None
