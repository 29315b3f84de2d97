"""Spaces as rows of plain values."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from emulator.errors import MultistackError, StoreAway
from emulator.events import Emit, Event
from emulator.model import Space, Status
from emulator.parallel import run_parallel
from emulator.space_list import changed
from emulator.spaces.spaces import Spaces
from emulator.store.opening import published_of

_WIDTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceStatus:
    """
    One space; the names of the attributes are the keys of ``space list --json``.

    Attributes:
        status: ``ready``, ``asleep``, ``stopped``, ``partial`` where only some of its environments run, ``unfinished``
            while its creation did not come to its end, ``ending`` while it is removed, ``unknown`` where who runs its
            environments can't be asked: they may serve.
        ready: How many environments serve.
        not_ready: Those that don't, while others of the space do.
        releases: Environment to the release that it serves; None for nothing yet.
        expires_in: Seconds; None: never.
        is_joined: Its join token was used.
        last_request: Seconds since the last that was let in; None for none since the proxy started.
        requests: That were let in since then; None, as for the next two, when no proxy of the project runs.
        failed: Of these, those that an environment answered with 500 or more.
        refused: That were not let in.
        url: Where the proxy serves it; None when it does not run.
    """

    space: str
    status: str
    driver: str
    ready: int
    environments: int
    not_ready: tuple[str, ...]
    releases: dict[str, str | None]
    created: datetime
    expires_in: float | None
    is_joined: bool
    last_request: float | None
    requests: int | None
    failed: int | None
    refused: int | None
    account_ids: tuple[str, ...]
    url: str | None


def statuses(spaces: Spaces, *, now: datetime) -> Mapping[str, SpaceStatus | MultistackError]:
    """Per space its row, observed just now; or why there is none: its ledger can't be read."""
    listed, told = with_joined(spaces), set[str]()
    uses = spaces.workspace.front.space_uses() or {}

    def tell(event: Event) -> None:
        if event.detail not in told:  # the same of every space
            told.add(event.detail)
            spaces.workspace.emit(event)

    def status(name: str) -> SpaceStatus:
        return _status(spaces, listed[name], uses.get(name, {}), now, tell)

    return run_parallel(list(listed), status, spaces.workspace.cancellation, width=_WIDTH)


def with_joined(spaces: Spaces) -> Mapping[str, Space]:
    """All of them, those as joined that somebody joined through a proxy on another machine."""
    listed, published = spaces.listed(), published_of(spaces.project)
    with contextlib.suppress(StoreAway):
        for name, there in (published.spaces() if published and listed else {}).items():
            if there.is_joined and name in listed and there.generation == listed[name].generation:
                listed = changed(listed, name, is_joined=True)
    return listed


def _status(spaces: Spaces, space: Space, use: Mapping[str, float], now: datetime, tell: Emit) -> SpaceStatus:
    found, proxy = spaces.open(space), spaces.workspace.front.url()
    environments = found.project.environments
    observed = found.lifecycle.observe(environments)
    not_ready = tuple(one.name for one in environments if observed[one.name].status is not Status.READY)
    known = found.known([one.name for one in environments], emit=tell)
    unknown = next((one.reason for one in observed.values() if one.is_unknown), "")
    if unknown:
        tell(Event(None, "warning:", unknown))
    return SpaceStatus(
        space=space.name,
        status="unknown"
        if unknown and space.is_awake
        else space.status(len(environments) - len(not_ready), len(environments)),
        driver=", ".join(dict.fromkeys(one.driver.value for one in environments)),
        ready=len(environments) - len(not_ready),
        environments=len(environments),
        not_ready=not_ready if len(not_ready) < len(environments) else (),
        releases={name: one.release for name, one in known.items()},
        created=space.at,
        expires_in=(space.expires - now).total_seconds() if space.expires else None,
        is_joined=space.is_joined,
        last_request=use["idle"] if use.get("requests") else None,
        requests=_count(use, "requests"),
        failed=_count(use, "failed"),
        refused=_count(use, "refused"),
        account_ids=tuple(one.account_id for one in environments),
        url=f"{proxy}/{space.name}/" if proxy else None,
    )


def _count(use: Mapping[str, float], key: str) -> int | None:
    return int(use[key]) if key in use else None
