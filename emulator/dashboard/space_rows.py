"""Spaces as the home page tells of them to whoever looks after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulator.model import Space
from emulator.proxy.spaces import SpaceGate, Use
from emulator.spans import show_span

_MINUTE = timedelta(minutes=1)
# How the page shows what it has no style for.
_KINDS = {"ending": "working", "unfinished": "working", "asleep": "stopped", "partial": "unhealthy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceRow:
    """
    One space.

    Attributes:
        status: As ``space list`` says; also a class of the page's styles by *kind*.
        down: The environments that don't run, while it should.
        last: When it was asked last, in whole minutes, so that a row changes once a minute; empty for never.
        failed: How many of its answers were 500 or more, since the proxy started.
        left: Until its end, in whole minutes; empty where it has none.
    """

    space: str
    status: str
    kind: str
    running: int
    environments: int
    down: Sequence[str]
    is_joined: bool
    last: str
    failed: int
    left: str


def space_rows(gate: SpaceGate, *, now: datetime) -> Sequence[SpaceRow]:
    """All spaces, in the order of their creation."""
    uses = gate.uses()
    return [_row(space, gate.running(name), uses.get(name), now) for name, space in gate.spaces().items()]


def _row(space: Space, running: Mapping[str, bool], use: Use | None, now: datetime) -> SpaceRow:
    status = space.status(sum(running.values()), len(running))
    return SpaceRow(
        space=space.name,
        status=status,
        kind=_KINDS.get(status, status),
        running=sum(running.values()),
        environments=len(running),
        down=[name for name, is_up in running.items() if not is_up and space.is_awake],
        is_joined=space.is_joined,
        last=_minutes(timedelta(seconds=use.idle), " ago", "just now") if use and use.requests else "",
        failed=use.failed if use else 0,
        left=_minutes(space.expires - now, "", "less than 1m") if space.expires else "",
    )


def _minutes(span: timedelta, after: str, least: str) -> str:
    return f"{show_span(span - span % _MINUTE)}{after}" if span >= _MINUTE else least
