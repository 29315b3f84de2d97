"""Spaces that nobody asks sleep, and those whose time is over go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from emulator.model import Space
from emulator.proxy.caretaking import Caretaker, due

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIRED = Space(name="alice", number=1, at=NOON, idle=MINUTE, is_complete=True)


@pytest.mark.parametrize(
    ("space", "idle", "commands"),
    [
        pytest.param(TIRED, 59.0, [], id="asked"),
        pytest.param(TIRED, 60.0, [["space", "sleep", "--wakeable", "alice"]], id="idle"),
        pytest.param(replace(TIRED, idle=None), 9e9, [], id="never"),
        pytest.param(replace(TIRED, is_asleep=True), 60.0, [], id="asleep"),
        pytest.param(replace(TIRED, is_complete=False), 60.0, [], id="being created"),
        pytest.param(replace(TIRED, is_ending=True), 60.0, [], id="being removed"),
        pytest.param(replace(TIRED, expires=NOON + MINUTE), 0.0, [], id="not over"),
        pytest.param(replace(TIRED, expires=NOON), 60.0, [["space", "destroy", "--expired"]], id="over"),
    ],
)
def test_what_is_due(space: Space, idle: float, commands: list[list[str]]) -> None:
    """One that goes isn't put to sleep before."""
    assert due({"alice": space}, {"alice": idle}, NOON, ending={}) == commands


def test_one_command_puts_all_to_sleep() -> None:
    """A class that went home is thirty spaces at once."""
    spaces = {name: replace(TIRED, name=name) for name in ("alice", "bob")}
    assert due(spaces, {"alice": 60.0, "bob": 61.0}, NOON, ending={}) == [
        ["space", "sleep", "--wakeable", "alice", "bob"]
    ]


def test_a_space_that_was_just_started_is_not_tired() -> None:
    """Its last request was before it fell asleep: by that it would be put to sleep again at once."""
    ran: list[Sequence[str]] = []
    at, spaces = [0.0], {"alice": replace(TIRED, is_asleep=True)}
    asked: Mapping[str, float] = {"alice": 1000.0}
    caretaker = Caretaker(lambda: spaces, lambda: asked, lambda args: ran.append(args) or 0, clock=lambda: at[0])
    caretaker.look()
    spaces["alice"] = TIRED
    for at[0] in (10.0, 69.0):
        caretaker.look()
    assert ran == []
    at[0] = 70.0
    caretaker.look()
    assert ran == [["space", "sleep", "--wakeable", "alice"]]


def test_a_removal_is_finished_when_it_was_cut() -> None:
    """Not while somebody is about it: that command would outlive a proxy which is stopped meanwhile."""
    ran: list[Sequence[str]] = []
    at, spaces = [0.0], {"alice": replace(TIRED, is_ending=True)}
    caretaker = Caretaker(lambda: spaces, dict, lambda args: ran.append(args) or 0, clock=lambda: at[0])
    for at[0] in (0.0, 29.0):
        caretaker.look()
    assert ran == []
    at[0] = 30.0
    caretaker.look()
    assert ran == [["space", "destroy", "--expired"]]
    spaces.clear()
    caretaker.look()
    spaces["alice"] = replace(TIRED, is_ending=True)
    at[0] = 60.0
    caretaker.look()
    assert len(ran) == 1
