"""What a project needs of this machine: its file, the folder for its state, memory, ports."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from emulator import ports, process
from emulator.doctor.check import Check, Verdict
from emulator.drivers.base import Driver
from emulator.drivers.containers import Container
from emulator.errors import ConfigError, MultistackError, NotReady
from emulator.model import Environment, Project

# Megabytes of a running embedded environment with warm functions, measured; and the free disk below which to worry.
ENVIRONMENT_MEMORY = 60
_DISK_PROBLEM, _DISK_WARNING = 50, 500


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


def existing(path: Path) -> Path:
    """The nearest folder that exists, from *path* upwards."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def check_writable(state: Path) -> Check:
    """Whether state can be kept; nothing is left behind, and the folder is not made."""
    folder = existing(state)
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
    Whether memory suffices for the embedded environments that don't run yet.

    Args:
        available: Megabytes.
        stopped: How many of them don't run.
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


def check_proxy_port(project: Project, *, published: Mapping[int, str] = {}) -> Check:
    """Whether the proxy has its port, or can get it; *published* as for :func:`check_emulator_port`."""
    return _check_port(
        "proxy port",
        project.state / "proxy",
        project.proxy.port,
        purpose="the proxy",
        section="proxy",
        published=published,
    )


def check_emulator_port(
    project: Project,
    environment: Environment,
    *,
    container: Container | None = None,
    published: Mapping[int, str] = {},
) -> Check:
    """
    Whether an environment's emulator has its port, or can get it.

    Args:
        container: The environment's own that runs.
        published: Ports of this machine that containers hold, each with the container's name: the system names only
            the engine's own process.
    """
    name = f"port of {environment.name}"
    if container is not None and container.address is not None:
        return _judge_container(name, environment, container.address)
    return _check_port(
        name,
        project.environment_state(environment.name),
        environment.port,
        purpose=f"environment {environment.name}",
        section=f"environments.{environment.name}",
        published=published,
    )


def check_external(environment: Environment, driver: Driver) -> Check:
    """Whether the emulator that somebody else runs for an environment can be used; *driver* is the external one."""
    name = f"emulator of {environment.name}"
    try:
        url = driver.start(environment).url
    except MultistackError as error:
        return Check(name=name, verdict=Verdict.PROBLEM, found=error.message, advice=error.hint or "")
    remark = driver.observe(environment).reason
    verdict = Verdict.WARNING if remark else Verdict.OK
    return Check(name=name, verdict=verdict, found=f"answers at {url}", advice=remark)


def _judge_container(name: str, environment: Environment, address: str) -> Check:
    host, _, port = address.rpartition(":")
    if host != ports.HOST:
        found = f"none published, its container answers at {address}"
        return Check(name=name, verdict=Verdict.OK, found=found)
    return _judge_held(name, port, environment.port, f"the container of environment {environment.name}")


def _judge_held(name: str, port: int | str, wanted: int | None, holder: str) -> Check:
    """A port that one of ours holds, whether or not it is the one it should hold."""
    found = f"{port}, in use by {holder}"
    if wanted is None or str(wanted) == str(port):
        return Check(name=name, verdict=Verdict.OK, found=found)
    moves = f"the project file now says {wanted}; `multistack up` moves it"
    return Check(name=name, verdict=Verdict.WARNING, found=found, advice=moves)


def _check_port(
    name: str, folder: Path, wanted: int | None, *, purpose: str, section: str, published: Mapping[int, str]
) -> Check:
    record = process.read_record(folder) if process.is_running(folder) else None
    if record is not None:
        return _judge_held(name, record.port, wanted, f"{purpose} (pid {record.process.pid})")
    if wanted is None:
        return Check(name=name, verdict=Verdict.OK, found="a free one when it starts")
    way = f'set `port = "auto"` under [{section}]'
    if holder := published.get(wanted):
        found = f"port {wanted} for {purpose} is taken by the container {holder}"
        return Check(name=name, verdict=Verdict.PROBLEM, found=found, advice=f"`docker stop {holder}`, or {way}")
    try:
        ports.listen(port=wanted, candidates=(), purpose=purpose).close()
    except NotReady as error:
        return Check(name=name, verdict=Verdict.PROBLEM, found=error.message, advice=f"stop that program, or {way}")
    return Check(name=name, verdict=Verdict.OK, found=f"{wanted}, free")
