"""What can be ordered from the page, and what becomes of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from emulator.cli import cli
from emulator.dashboard.actions import ACTIONS, order_schemas, read_order
from emulator.proxy.problems import Problem

THERE = {"test": False, "prod": True}


def order(content: Any, *, confirmed: bool = True) -> list[list[str]]:
    return read_order(content, environments=THERE, confirmed=confirmed).commands


def test_order_is_the_command_that_a_person_types() -> None:
    """Arguments become options; what is empty or false is left out."""
    content = {"action": "approve", "environment": "prod", "arguments": {"by": "me", "for": ""}}
    assert order(content) == [["approve", "prod", "--by=me"]]
    promote = {"action": "promote", "environment": "prod", "arguments": {"accept_permissions": True}}
    assert order(promote) == [["promote", "prod", "--accept-permissions"]]
    assert order({"action": "restart", "environment": "test"}) == [["down", "test"], ["up", "test"]]


def test_what_is_typed_is_never_an_option() -> None:
    """A reason that looks like an option stays a reason."""
    content = {"action": "hold", "environment": "prod", "arguments": {"reason": "--lift"}}
    assert order(content) == [["hold", "prod", "--reason=--lift"]]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param([], 422, id="no object"),
        pytest.param({"action": "format", "environment": "test"}, 422, id="no such action"),
        pytest.param({"action": ["up"], "environment": "test"}, 422, id="action of another kind"),
        pytest.param({"action": "up"}, 422, id="no environment"),
        pytest.param({"action": "up", "environment": "qa"}, 404, id="no such environment"),
        pytest.param({"action": "up", "environment": "test", "more": 1}, 422, id="one key too many"),
        pytest.param({"action": "up", "environment": "test", "arguments": {"by": "me"}}, 422, id="no such argument"),
        pytest.param({"action": "hold", "environment": "test", "arguments": {"by": 1}}, 422, id="argument no text"),
        pytest.param({"action": "hold", "environment": "test", "arguments": {"by": "a\nb"}}, 422, id="two lines"),
        pytest.param({"action": "hold", "environment": "test", "arguments": {"by": "a" * 501}}, 422, id="too long"),
        pytest.param(
            {"action": "promote", "environment": "prod", "arguments": {"accept_permissions": "yes"}},
            422,
            id="no switch",
        ),
    ],
)
def test_what_is_no_order_is_refused(content: Any, status: int) -> None:
    """Nothing is run for it."""
    with pytest.raises(Problem) as caught:
        order(content)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({}, "without an effect", id="no effect"),
        pytest.param({"error": "200"}, "--error must be a whole number from 400 to 599", id="no error"),
        pytest.param({"error": "5o3"}, "--error must be", id="no number"),
        pytest.param({"error": "503", "drop": True}, "--drop has no effect beside --error", id="two that exclude"),
        pytest.param({"error": "503", "seed": "-1"}, "--seed must be", id="no seed"),
        pytest.param({"latency": "fast"}, "--latency must be", id="no time"),
        pytest.param({"drop": True, "share": "0%"}, "--share must be", id="no share"),
        pytest.param({"drop": True, "route": "orders"}, "--route must be", id="no route"),
        pytest.param({"drop": True, "for": "soon"}, "--for must be", id="no span"),
        pytest.param({"drop": True, "for": "0s"}, "--for must be longer than nothing", id="no time at all"),
    ],
)
def test_a_fault_that_would_be_refused_is_not_begun(arguments: Any, said: str) -> None:
    """The form is still there then; looked at, it may be unfinished."""
    content = {"action": "disturb", "environment": "test", "arguments": arguments}
    with pytest.raises(Problem, match=re.escape(said)) as caught:
        order(content)
    assert caught.value.status in {409, 422}


def test_a_fault_can_be_ordered_with_its_seed() -> None:
    """The same seed draws the same requests."""
    arguments = {"error": "503", "share": "20%", "seed": "7", "for": "5m", "latency": ""}
    content = {"action": "disturb", "environment": "test", "arguments": arguments}
    (command,) = order(content)
    assert set(command) == {"fault", "set", "test", "--error=503", "--share=20%", "--seed=7", "--for=5m"}
    assert order({**content, "arguments": {}}, confirmed=False) == [["fault", "set", "test"]]


def test_losing_data_of_a_protected_environment_needs_its_name() -> None:
    """Looked at, it may be; done, it is only with the name typed."""
    content: dict[str, Any] = {"action": "reset", "environment": "prod"}
    assert order(content, confirmed=False) == [["reset", "prod", "--yes"]]
    with pytest.raises(Problem) as caught:
        order(content)
    assert caught.value.status == 409
    assert order({**content, "arguments": {"confirm": "prod"}}) == [["reset", "prod", "--yes"]]
    assert order({"action": "reset", "environment": "test"}) == [["reset", "test", "--yes"]]


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_is_a_command_that_there_is(name: str) -> None:
    """With the options that it names."""
    action = ACTIONS[name]
    for place, (group, *rest) in enumerate(action.commands):
        command: Any = cli.commands[group]
        if hasattr(command, "commands"):
            command = command.commands[rest[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {part for part in rest if part.startswith("--")} <= options
        if place == 0:
            assert {one.option for one in action.arguments} <= options


def test_schema_names_every_action() -> None:
    """What programs are told is made of the same table."""
    schemas = json.loads(json.dumps(order_schemas()))
    assert [one["properties"]["action"]["const"] for one in schemas] == list(ACTIONS)
