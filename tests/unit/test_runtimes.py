"""What this machine can't run is told at deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.errors import DeployError
from emulator.events import Event
from emulator.interpreters import Interpreter
from emulator.runtimes import Machine, RuntimeCheck, check_runtimes

_MACHINE = Machine(pythons=(Interpreter((3, 12), Path("/opt/python3.12")),), node="/usr/bin/node")


def template(**runtimes: Any) -> dict[str, Any]:
    """Functions by name."""
    resources = {
        name: {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": of}} for name, of in runtimes.items()
    }
    return {"Resources": {**resources, "Table": {"Type": "AWS::DynamoDB::Table"}}}


def test_what_runs_as_declared_needs_no_word() -> None:
    """Nor does what only CloudFormation knows, or an image."""
    declared = template(a="python3.12", b="nodejs20.x", c={"Ref": "Runtime"}, d=None)
    assert check_runtimes(declared, _MACHINE) == []


def test_each_other_python_is_named_once() -> None:
    """However many functions declare it."""
    lines = check_runtimes(template(a="python3.11", b="python3.11", c="python3.14"), _MACHINE)
    assert [line.partition(" ")[0] for line in lines] == ["python3.11", "python3.14"]


@pytest.mark.parametrize(
    ("machine", "runtimes", "message", "hint"),
    [
        pytest.param(
            _MACHINE,
            {"b": "java21", "a": "java21", "c": "python2.7", "d": "python3.12"},
            "can't run java21 (function a, b); python2.7 (function c)",
            "the embedded emulator runs python3.* and nodejs* functions: declare one of these, "
            "or leave the function out",
            id="other languages",
        ),
        pytest.param(
            Machine(pythons=_MACHINE.pythons, node=None),
            {"a": "nodejs22.x"},
            "can't run nodejs22.x (function a)",
            "there is no node on the PATH; install Node.js, then run `multistack up`",
            id="no Node",
        ),
    ],
)
def test_what_can_never_run_is_refused(machine: Machine, runtimes: dict[str, str], message: str, hint: str) -> None:
    """All of it at once, with what works instead."""
    with pytest.raises(DeployError) as caught:
        check_runtimes(template(**runtimes), machine)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_a_warning_is_told_for_one_environment() -> None:
    """Three environments get the same template; the machine is the same."""
    told: list[Event] = []
    check = RuntimeCheck(lambda _environment: _MACHINE, emit=told.append)
    for environment in ("test", "staging", "prod"):
        check(environment, template(a="python3.13"))
    assert [(event.environment, event.step) for event in told] == [("test", "warning:")]
