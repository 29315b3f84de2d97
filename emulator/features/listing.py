"""The created environments as a table of plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from emulator.created import read_created
from emulator.features.removing import environment_of
from emulator.known import Known
from emulator.model import Creation, Status
from emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedStatus:
    """
    One created environment; the names of the attributes are the keys of ``list --json``.

    Attributes:
        expires_in: Seconds, below 0 when it is over; None when it never expires.
        status: As :class:`emulator.status.EnvironmentStatus` has it, or ``ending``.
    """

    environment: str
    like: str
    branch: str | None
    release: str | None
    digest: str | None
    created: datetime
    expires: datetime | None
    expires_in: float | None
    status: str
    url: str | None


def statuses(workspace: Workspace, *, now: datetime) -> list[CreatedStatus]:
    """One row per created environment, oldest first, observed just now."""
    declared = {environment.name for environment in workspace.project.promotion_order}
    found = read_created(workspace.project.state).environments
    created = {name: creation for name, creation in found.items() if name not in declared}
    environments = [environment_of(workspace.project, name, creation) for name, creation in created.items()]
    observed = workspace.lifecycle.observe(environments) if environments else {}
    known = workspace.known(list(created))
    return [
        _row(workspace, name, creation, status=observed[name].status, known=known[name], now=now)
        for name, creation in created.items()
    ]


def _row(
    workspace: Workspace, name: str, creation: Creation, *, status: Status, known: Known, now: datetime
) -> CreatedStatus:
    return CreatedStatus(
        environment=name,
        like=creation.like,
        branch=creation.branch,
        release=known.release,
        digest=known.digest,
        created=creation.at,
        expires=creation.expires,
        expires_in=(creation.expires - now).total_seconds() if creation.expires else None,
        status="ending" if creation.is_ending else status.value,
        url=workspace.front.environment_url(name) if known.release is None or known.apis else None,
    )
