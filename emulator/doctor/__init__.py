"""What this machine has and lacks for running environments: found, judged, with what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from emulator import process
from emulator.doctor import containers, machine
from emulator.doctor import project as projects
from emulator.doctor.check import Check, Verdict
from emulator.doctor.engine import Engine, look
from emulator.doctor.shared_store import examine_store
from emulator.doctor.swarm import examine_swarm
from emulator.drivers.choice import settle
from emulator.drivers.containers import TOKEN
from emulator.drivers.external import ExternalDriver
from emulator.errors import ConfigError, NotReady
from emulator.model import DriverName, Project

__all__ = ["Check", "Verdict", "examine"]

_MEGABYTE = 1024 * 1024


def examine(
    project: Project | None,
    error: ConfigError | None,
    *,
    environ: Mapping[str, str],
    searched: Path,
    allow_remote: bool = False,
) -> list[Check]:
    """
    Look at everything.

    Args:
        project: None outside a project, or when *error* says why it can't be loaded.
        environ: The variables of the command.
        searched: The folder where the search for the project file began.
        allow_remote: The Docker engine, and a swarm's managers, may be on other machines.
    """
    path = environ.get("PATH", "")
    images = containers.images_of(project.environments) if project else {}
    engine = look(project, images=images, environ=environ, allow_remote=allow_remote)
    checks = [
        machine.check_python(sys.version_info[:3]),
        machine.check_versions(importlib.metadata.version, importlib.metadata.requires),
        projects.check_project(project, error, searched=searched),
    ]
    if project is not None:
        checks += [
            projects.check_writable(project.state),
            projects.check_disk(project.state, _free_disk(project.state)),
            *examine_store(project),
        ]
    checks += _on_containers(project, engine, environ)
    if project is not None:
        checks += examine_swarm(project, environ=environ, allow_remote=allow_remote)
    return [
        *checks,
        machine.check_localhost(machine.addresses("localhost")),
        machine.check_http_proxy(environ),
        machine.check_pip(importlib.util.find_spec("pip") is not None),
        machine.check_node(machine.version_of([shutil.which("node", path=path) or "node", "--version"], environ)),
    ]


def _on_containers(project: Project | None, engine: Engine | NotReady, environ: Mapping[str, str]) -> list[Check]:
    """What depends on which driver runs what: the engine, images, memory, ports."""
    if project is None:
        return [containers.check_engine(engine, needed_by=())]
    settled, choice = settle(project, environ=environ)
    undecided = [one.name for one in project.environments if one.driver is DriverName.AUTO]
    contained = [one.name for one in settled.environments if one.driver is DriverName.LOCALSTACK]
    checks = [containers.check_engine(engine, needed_by=contained)]
    if choice is not None:
        checks.append(containers.check_choice(choice, undecided))
    if isinstance(engine, Engine):
        checks += [
            containers.check_image(
                name,
                engine.images.get(name),
                engine,
                is_needed=any(one in contained for one in names),
                token=environ.get(TOKEN),
            )
            for name, names in containers.images_of(project.environments).items()
        ]
    return [*checks, *_on_memory(settled, engine), *_on_ports(settled, engine)]


def _on_memory(project: Project, engine: Engine | NotReady) -> list[Check]:
    available = psutil.virtual_memory().available // _MEGABYTE
    embedded = [one for one in project.environments if one.driver is DriverName.EMBEDDED]
    contained = [one for one in project.environments if one.driver is DriverName.LOCALSTACK]
    stopped = sum(not process.is_running(project.environment_state(one.name)) for one in embedded)
    checks = [projects.check_memory(available, stopped)] if embedded else []
    if contained and isinstance(engine, Engine):
        room = containers.room_for_containers(available, engine, embedded=stopped * projects.ENVIRONMENT_MEMORY)
        checks.append(containers.check_container_memory(room, containers.limits_of(contained, engine.running)))
    return checks


def _on_ports(project: Project, engine: Engine | NotReady) -> list[Check]:
    known = engine if isinstance(engine, Engine) else None
    published = known.published if known else {}
    return [
        projects.check_proxy_port(project, published=published),
        *(
            projects.check_emulator_port(
                project, one, container=known.running.get(one.name) if known else None, published=published
            )
            for one in project.environments
            if one.driver not in (DriverName.EXTERNAL, DriverName.SWARM)  # their ports are other machines'
        ),
        *(
            projects.check_external(one, ExternalDriver(project))
            for one in project.environments
            if one.driver is DriverName.EXTERNAL
        ),
    ]


def _free_disk(state: Path) -> int:
    return shutil.disk_usage(projects.existing(state)).free // _MEGABYTE
