"""Which driver the projects of tests run on, and what they leave in an engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.config import process_environ
from emulator.drivers.containers import ENVIRONMENT, PROJECT
from emulator.drivers.engine import connect
from emulator.process import read_record

# Set by the option --multistack-driver.
DRIVER = "MULTISTACK_DRIVER"
_PASSED = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


def driver_environ() -> Mapping[str, str]:
    """The variables with which commands of a test use its driver."""
    if is_embedded():
        return {}
    return {name: os.environ[name] for name in (DRIVER, *_PASSED) if name in os.environ}


def is_embedded() -> bool:
    """Whether projects of tests run on the embedded driver."""
    return DRIVER not in os.environ


def driver_name() -> str:
    """The driver of all environments of functional tests."""
    return "embedded" if is_embedded() else "localstack"


def emulator_of(folder: Path, environment: str) -> str:
    """What tells the emulator of an environment of the project in *folder* from a later one."""
    if is_embedded():
        return str(emulator_pid(folder, environment))
    found = _container(folder, environment)
    return f"{found.id} {found.attrs['State']['StartedAt']}"


def kill_emulator(folder: Path, environment: str) -> None:
    """End the emulator of an environment without any order."""
    if is_embedded():
        os.kill(emulator_pid(folder, environment), signal.SIGKILL)
    else:
        _container(folder, environment).kill()


def emulator_pid(folder: Path, environment: str) -> int:
    record = read_record(folder / f".multistack/environments/{environment}")
    assert record is not None
    return record.process.pid


def _container(folder: Path, environment: str) -> Any:
    engine = connect(process_environ(), allow_remote=False)
    filters = {"label": [f"{PROJECT}={folder}", f"{ENVIRONMENT}={environment}"]}
    (found,) = engine.containers.list(all=True, filters=filters)
    return found


def left_of(client: Any, folder: Path) -> list[str]:
    """Names of all containers, networks and volumes that say they are of the project in *folder*."""
    label = {"label": f"{PROJECT}={folder}"}
    return sorted(
        [f"container {one['Names'][0]}" for one in client.api.containers(all=True, filters=label)]
        + [f"network {one['Name']}" for one in client.api.networks(filters=label)]
        + [f"volume {one['Name']}" for one in client.api.volumes(filters=label)["Volumes"] or ()]
    )


def assert_nothing_left(folder: Path) -> None:
    """Fail if the engine has anything of the project in *folder*."""
    if not is_embedded():
        assert left_of(connect(process_environ(), allow_remote=False), folder) == []
