"""All that the pages and the API show and do, put together."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.dashboard.environments import DriftNote, EnvironmentRow, describe, predecessors
from emulator.dashboard.jobs import Command, Job, Jobs, JobState
from emulator.dashboard.log_feed import LogFeed
from emulator.dashboard.records import Records
from emulator.dashboard.security import new_token
from emulator.dashboard.stream import Stream
from emulator.errors import DIFFERENCES, MultistackError
from emulator.inspector.rates import Rates
from emulator.model import Route

_LOCK = "command.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """
    What the dashboard looks at.

    Attributes:
        routes: What runs where, in promotion order; None when nothing was ever published.
        state: The project's state folder.
        rates: None to count nothing.
        command: None without a project: the pages are then for reading.
    """

    routes: Callable[[], Mapping[str, Route] | None]
    state: Path
    rates: Rates | None = None
    command: Command | None = None


class Dashboard:
    """
    The facts of one project, its jobs and its events; one for each proxy.

    Args:
        sources: Asked each time.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.token = new_token()
        self.records = Records(sources.state)
        self.logs = LogFeed(sources.command)
        self.jobs = Jobs(sources.command, on_change=self._note, lock=sources.state / _LOCK)
        self.stream = Stream(
            {
                "environments": lambda: {"revision": self._revision()},
                "jobs": lambda: [_brief(job) for job in self.jobs.all()],
                "logs": lambda: {"revision": self.logs.revision()},
            }
        )
        self._drift: dict[str, DriftNote] = {}

    @property
    def command(self) -> Command | None:
        """How to run multistack; None without a project."""
        return self._sources.command

    def routes(self) -> Mapping[str, Route]:
        """What runs where, in promotion order."""
        return self._sources.routes() or {}

    def protection(self) -> Mapping[str, bool]:
        """Each environment, and whether it is protected."""
        return {name: route.protected for name, route in self.routes().items()}

    def rows(self) -> tuple[Sequence[EnvironmentRow], str]:
        """All environments in promotion order, and why the ledger says nothing; empty when it does."""
        routes, problem = self.routes(), ""
        try:
            before = predecessors(routes, self.records.created())
            records = {name: self.records.of(name) for name in routes}
        except MultistackError as error:
            before, records, problem = predecessors(routes), {}, f"{error.message}; {error.hint}"
        rows = [
            describe(
                route,
                record=records.get(name),
                rates=self._sources.rates,
                drift=self._drift.get(name),
                before=before[name],
            )
            for name, route in routes.items()
        ]
        return rows, problem

    def close(self) -> None:
        """End streams and what waits, so that the server can stop at once."""
        self.stream.close()
        self.logs.close()
        self.jobs.close()

    def _note(self, job: Job) -> None:
        if job.action == "drift" and job.ended and job.state is JobState.SUCCEEDED:
            self._drift[job.environment] = DriftNote(at=job.ended, is_drifted=job.exit_code == DIFFERENCES)
        elif job.ended and job.action not in {"approve", "hold", "lift", "verify", "drift"}:
            self._drift.pop(job.environment, None)  # what was found was of what stood there before
        self.stream.touch()

    def _revision(self) -> int:
        rows, problem = self.rows()
        return zlib.crc32(json.dumps([repr(rows), problem]).encode())


def _brief(job: Job) -> Mapping[str, object]:
    return {"id": job.id, "action": job.action, "environment": job.environment, "state": job.state.value}
