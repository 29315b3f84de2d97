"""The gap that ``emulator.drivers.launcher.gaps.rule_creation`` fills."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from emulator.drivers.launcher.gaps import rule_creation

_KIND = "AWS::Events::Rule"
_RULE = {"Name": "hourly", "ScheduleExpression": "rate(1 hour)"}


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Callable[..., Any]]]:
    """What makes and changes rules; neither that nor a rule is left changed."""
    handlers = dict(provisioners._RESOURCE_HANDLERS[_KIND])
    monkeypatch.setitem(provisioners._RESOURCE_HANDLERS, _KIND, handlers)
    yield handlers
    eventbridge._rules.clear()
    eventbridge._targets.clear()


def _made() -> Any:
    return eventbridge._rules[eventbridge._rule_key("hourly", "default")].get("CreationTime")


def test_ministack_still_forgets_when_a_stack_made_a_rule(handlers: dict[str, Callable[..., Any]]) -> None:
    """When this fails, MiniStack notes it itself: delete rule_creation.py and this file."""
    handlers["create"]("Hourly", _RULE, "shop-test")
    assert _made() is None


def test_a_rule_of_a_stack_is_as_old_as_it_is(handlers: dict[str, Callable[..., Any]]) -> None:
    """A change of it starts no new countdown."""
    rule_creation.apply()
    before = time.time()
    handlers["create"]("Hourly", _RULE, "shop-test")
    made = _made()
    assert before <= made <= time.time()
    handlers["update"]("hourly", _RULE, {**_RULE, "Description": "x"}, "shop-test", "Hourly")
    assert _made() == made
