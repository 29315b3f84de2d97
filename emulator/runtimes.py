"""
Whether this machine can run the functions of a template: told at deploy, and not at the first request.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import interpreters
from emulator.errors import DeployError
from emulator.events import Emit, Event
from emulator.interpreters import Interpreter

_FUNCTION = "AWS::Lambda::Function"
_DOCKER = (
    "the container has Python only: use the driver embedded, or under [localstack] "
    'image = "localstack/localstack:4.14.0" with lambda = "docker"'
)
_WORKS = "the embedded emulator runs python3.* and nodejs* functions: declare one of these, or leave the function out"


@dataclass(frozen=True, slots=True)
class Machine:
    """
    What of this machine functions run on.

    Attributes:
        pythons: At least the one that runs multistack.
        node: The program, or None without one.
        where: Completes "is not …".
        refusal: What to do about other functions; empty for what suits this machine.
    """

    pythons: tuple[Interpreter, ...]
    node: str | None
    where: str = "on this machine"
    refusal: str = ""


# What the image of `multistack image build` has. Source: compose/localstack/Dockerfile.
CONTAINER = Machine(
    pythons=(Interpreter((3, 13), Path("in the container")),), node=None, where="in the container", refusal=_DOCKER
)


def machine(folders: Sequence[str], *, path: str) -> Machine:
    """
    Look.

    Args:
        folders: Where Pythons are searched; see :func:`interpreters.search_path`.
        path: Where Node is.
    """
    return Machine(pythons=interpreters.find(folders), node=shutil.which("node", path=path))


class RuntimeCheck:
    """
    What a deployment asks before it touches anything.

    Args:
        look: What runs the functions of an environment; None where nothing can be said about it.
    """

    def __init__(self, look: Callable[[str], Machine | None], *, emit: Emit) -> None:
        self._look = look
        self._emit = emit
        self._told: dict[str, str] = {}

    def __call__(self, environment: str, template: Mapping[str, Any]) -> None:
        """
        Warn of what runs on something else than it says, once however many environments it concerns.

        Raises:
            DeployError: See :func:`check_runtimes`.
        """
        machine = self._look(environment)
        for line in check_runtimes(template, machine) if machine else ():
            if self._told.setdefault(line, environment) == environment:
                self._emit(Event(environment, "warning:", line))


def check_runtimes(template: Mapping[str, Any], machine: Machine) -> list[str]:
    """
    Compare the runtimes of a plain *template* with *machine*.

    Returns:
        A line for each runtime that runs on something else than it says.

    Raises:
        DeployError: A function could never run here; all runtimes of that kind are named, each once.
    """
    users = _functions_by_runtime(template)
    refused = {runtime: why for runtime in users if (why := _why_not(runtime, machine))}
    if refused:
        names = [f"{runtime} (function {', '.join(sorted(users[runtime]))})" for runtime in refused]
        raise DeployError(f"can't run {'; '.join(names)}", hint="; ".join(dict.fromkeys(refused.values())))
    found = [
        interpreters.warning(runtime, interpreters.choose(runtime, machine.pythons), where=machine.where)
        for runtime in users
    ]
    return [line for line in found if line]


def _functions_by_runtime(template: Mapping[str, Any]) -> dict[str, list[str]]:
    """Runtime to logical ids; what is an image, or known only to CloudFormation, is not ours to judge."""
    found: dict[str, list[str]] = {}
    for logical_id, resource in template.get("Resources", {}).items():
        properties = resource.get("Properties") or {}
        runtime = properties.get("Runtime")
        if resource.get("Type") == _FUNCTION and isinstance(runtime, str):
            found.setdefault(runtime, []).append(logical_id)
    return found


def _why_not(runtime: str, machine: Machine) -> str:
    if interpreters.version_of(runtime) is not None:
        return ""
    if machine.refusal:
        return machine.refusal
    if runtime.startswith("nodejs"):
        return "" if machine.node else "there is no node on the PATH; install Node.js, then run `multistack up`"
    return _WORKS
