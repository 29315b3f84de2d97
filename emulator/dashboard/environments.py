"""Each environment as the home page shows it: its route, its record, and what went through it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from emulator.addresses import origin_of
from emulator.dashboard.records import Record, Verified
from emulator.faults.fault import Fault
from emulator.inspector.rates import Rate, Rates
from emulator.model import OWN_TOPOLOGY, Route, Status
from emulator.permits import Hold
from emulator.process import is_alive

# Seconds that an emulator without a process of ours may take to accept a connection.
_PATIENCE = 0.5
# Of the chart: five minutes in spans of ten seconds.
_SECONDS, _POINTS = 300.0, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftNote:
    """
    When drift was last looked for in an environment, and what was found.

    Attributes:
        is_drifted: Whether something differed.
    """

    at: datetime
    is_drifted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultNote:
    """
    A fault that is set.

    Attributes:
        route: Method and path that it is for.
        effect: What it does, in words.
        share: Of the requests of its route, from above 0 to 1.
        seed: What is drawn follows from it.
    """

    id: int
    environment: str
    route: str
    effect: str
    share: float
    seed: int
    expires: datetime | None


def note_of(fault: Fault) -> FaultNote:
    """*fault* in words."""
    return FaultNote(
        id=fault.id,
        environment=fault.environment,
        route=fault.route,
        effect=str(fault),
        share=fault.share,
        seed=fault.seed,
        expires=fault.expires,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """
    What went through the proxy to one environment in the last minute.

    Attributes:
        error_rate: The part that failed, 0 to 1.
        p50: Seconds; None without requests.
        series: The last five minutes, oldest first.
    """

    requests_per_minute: float
    error_rate: float
    p50: float | None
    p95: float | None
    series: Sequence[Rate]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRow:
    """
    One environment; the names of the attributes are the keys of the JSON.

    Attributes:
        status: ``ready``, ``stopped`` or ``unhealthy``.
        path: Where the proxy serves it.
        page: A path of it that a browser can show.
        endpoint: Its AWS API, or None when it isn't running.
        apis: Logical id to a path that a browser can show.
        topology: Of which layout it is: ``multi`` is the project's own. No command about environments knows others,
            which the lab laid out.
        is_created: Whether a command created it beside the declared ones; it is none of the steps of a promotion.
        next: The command that would make it ready, or None.
        since: When it began to serve its release.
        running: What is being done to it now.
        failed: Why the last deployment did not succeed.
        before: The environment that promotions into it come from; None for the first.
        traffic: None where nobody counts.
    """

    environment: str
    status: str
    path: str
    page: str
    endpoint: str | None
    account_id: str
    region: str
    driver: str
    protected: bool
    release: str | None
    digest: str | None
    config_hash: str | None
    since: datetime | None
    by: str
    promoted_from: str | None
    canary: str | None
    verified: Verified | None
    hold: Hold | None
    drift: DriftNote | None
    running: str | None
    failed: str
    faults: Sequence[FaultNote]
    traffic: Traffic | None
    apis: dict[str, str]
    topology: str
    is_created: bool
    before: str | None
    next: str | None


def describe(
    route: Route,
    *,
    record: Record | None = None,
    rates: Rates | None = None,
    drift: DriftNote | None = None,
    faults: Sequence[FaultNote] = (),
    before: str | None = None,
    is_created: bool = False,
) -> EnvironmentRow:
    """All that is known of one; checks the emulator's process, or its port where that is elsewhere."""
    status, record = _status(route), record or Record()
    default = next((api for api in route.apis if api.logical_id == route.default_api), None)
    is_own = route.topology == OWN_TOPOLOGY
    step = "up" if status is not Status.READY else "deploy" if route.digest is None else None
    if step == "deploy" and before is not None:
        step = "promote"
    return EnvironmentRow(
        environment=route.environment,
        status=status.value,
        path=f"/{route.environment}/",
        page=f"/{route.environment}/{default.example if default else ''}",
        endpoint=route.url if status is Status.READY else None,
        account_id=route.account_id,
        region=route.region,
        driver=route.driver,
        protected=route.protected,
        # While a canary runs the route doesn't say which of the two answers.
        release=route.release or record.release,
        digest=route.digest,
        config_hash=record.config_hash,
        since=record.since,
        by=record.by,
        promoted_from=record.promoted_from,
        canary=record.canary,
        verified=record.verified,
        hold=record.hold,
        drift=drift,
        running=record.running,
        failed=record.failed,
        faults=faults,
        traffic=_traffic(rates, route.environment) if rates is not None else None,
        apis={api.logical_id: f"/{route.environment}/_api/{api.logical_id}/{api.example}" for api in route.apis},
        topology=route.topology,
        is_created=is_created,
        before=before,
        next=f"multistack {step} {route.environment}" if step and is_own else None,
    )


def predecessors(routes: Mapping[str, Route], created: Sequence[str] = ()) -> Mapping[str, str | None]:
    """Which environment promotions into each come from; only into declared ones is anything promoted."""
    steps = [name for name, route in routes.items() if name not in created and route.topology == OWN_TOPOLOGY]
    return dict.fromkeys(routes) | dict(zip(steps, [None, *steps], strict=False)) | dict.fromkeys(created)


def _status(route: Route) -> Status:
    if route.url is None:
        return Status.STOPPED
    is_there = is_alive(route.process) if route.process else _listens(route.url)
    return Status.READY if is_there else Status.UNHEALTHY


def _listens(url: str) -> bool:
    origin = origin_of(url)
    try:
        socket.create_connection((origin.host, origin.port), timeout=_PATIENCE).close()
    except OSError:
        return False
    return True


def _traffic(rates: Rates, name: str) -> Traffic:
    last = rates.of(name)
    return Traffic(
        requests_per_minute=last.per_minute,
        error_rate=last.error_rate,
        p50=last.p50,
        p95=last.p95,
        series=rates.series(name, seconds=_SECONDS, points=_POINTS),
    )
