"""Spaces as rows of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from emulator.events import Emit, Event
from emulator.model import Environment, Instance, Space, Status
from emulator.parallel import raise_first, run_parallel
from emulator.spaces.spaces import Spaces

_WIDTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceStatus:
    """
    One space; the names of the attributes are the keys of ``space list --json``.

    Attributes:
        status: ``ready``, ``asleep``, ``stopped``, ``partial`` where only some of its environments run, ``unfinished``
            while its creation did not come to its end, ``ending`` while it is removed.
        ready: How many environments serve.
        releases: Environment to the release that it serves; None for nothing yet.
        expires_in: Seconds; None: never.
        is_joined: Its join token was used.
        url: Where the proxy serves it; None when it does not run.
    """

    space: str
    status: str
    driver: str
    ready: int
    environments: int
    releases: dict[str, str | None]
    created: datetime
    expires_in: float | None
    is_joined: bool
    account_ids: tuple[str, ...]
    url: str | None


def statuses(spaces: Spaces, *, now: datetime) -> Sequence[SpaceStatus]:
    """
    One row per space, observed just now.

    Raises:
        MultistackError: What one of them was made of is no longer there, or its ledger can't be read.
    """
    listed, told = spaces.listed(), set[str]()

    def tell(event: Event) -> None:
        if event.detail not in told:  # the same of every space
            told.add(event.detail)
            spaces.workspace.emit(event)

    found = run_parallel(
        list(listed), lambda name: _status(spaces, listed[name], now, tell), spaces.workspace.cancellation, width=_WIDTH
    )
    raise_first(found)
    return [row for row in found.values() if isinstance(row, SpaceStatus)]


def _status(spaces: Spaces, space: Space, now: datetime, tell: Emit) -> SpaceStatus:
    found, proxy = spaces.open(space), spaces.workspace.front.url()
    environments = found.project.environments
    observed = found.lifecycle.observe(environments)
    known = found.known([one.name for one in environments], emit=tell)
    return SpaceStatus(
        space=space.name,
        status=_word(space, environments, observed),
        driver=", ".join(dict.fromkeys(one.driver.value for one in environments)),
        ready=sum(one.status is Status.READY for one in observed.values()),
        environments=len(environments),
        releases={name: one.release for name, one in known.items()},
        created=space.at,
        expires_in=(space.expires - now).total_seconds() if space.expires else None,
        is_joined=space.is_joined,
        account_ids=tuple(one.account_id for one in environments),
        url=f"{proxy}/{space.name}/" if proxy else None,
    )


def _word(space: Space, environments: Sequence[Environment], observed: Mapping[str, Instance]) -> str:
    if space.is_ending:
        return "ending"
    if not space.is_complete:
        return "unfinished"
    if space.is_asleep:
        return "asleep"
    ready = sum(one.status is Status.READY for one in observed.values())
    return "ready" if ready == len(environments) else "partial" if ready else "stopped"
