"""All that the pages and the API show and do, put together."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from emulator.dashboard.comparing import Compare
from emulator.dashboard.environments import (
    DriftNote,
    EnvironmentRow,
    FaultNote,
    describe,
    note_of,
    predecessors,
)
from emulator.dashboard.jobs import Command, Job, Jobs, JobState
from emulator.dashboard.log_feed import LogFeed
from emulator.dashboard.project_check import ProjectCheck
from emulator.dashboard.records import Records
from emulator.dashboard.security import new_token
from emulator.dashboard.space_rows import SpaceRow
from emulator.dashboard.stream import Stream
from emulator.errors import DIFFERENCES, MultistackError
from emulator.faults.fault import Fault, standing
from emulator.inspector.feed import Progress
from emulator.inspector.finding import Requests
from emulator.inspector.rates import Rates
from emulator.inspector.rows import REQUESTS_FILE
from emulator.ledger import Ledger
from emulator.model import Route
from emulator.proxy.keeping import Keeping
from emulator.rules import RULES_FILE

_LOCK = "command.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """
    What the dashboard looks at.

    Attributes:
        routes: What runs where, in promotion order; None when nothing was ever published.
        state: The project's state folder.
        rates: None to count nothing.
        faults: Those that are set, also those whose time is up.
        compare: Answers a request for several environments; None when it is for none or one.
        keeping: What keeps requests; None when nothing does.
        command: None without a project: the pages are then for reading.
        spaces: The project's spaces, as they are now.
        ledger: The one in a store; None for a file in *state*.
    """

    routes: Callable[[], Mapping[str, Route] | None]
    state: Path
    rates: Rates | None = None
    faults: Callable[[], Sequence[Fault]] = tuple
    compare: Compare
    keeping: Keeping | None = None
    command: Command | None = None
    spaces: Callable[[], Sequence[SpaceRow]] = tuple
    ledger: Ledger | None = None


class Dashboard:
    """
    The facts of one project, its jobs and its events; one for each proxy.

    Args:
        sources: Asked each time.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.token = new_token()
        self.records = Records(sources.state, sources.ledger)
        self.logs = LogFeed(sources.command)
        self.jobs = Jobs(sources.command, on_change=self._note, lock=sources.state / _LOCK)
        self.stream = Stream(
            {
                "environments": lambda: {"revision": self._revision()},
                "jobs": lambda: [_brief(job) for job in self.jobs.all()],
                "requests": lambda: {"newest": self.newest_request()},
                "logs": lambda: {"revision": self.logs.revision()},
            }
        )
        rules = sources.state / "proxy" / RULES_FILE  # whoever writes it has read the project
        self._project_check = ProjectCheck(sources.command, since=rules, on_change=self.stream.touch)
        self._drift: dict[str, DriftNote] = {}

    @property
    def command(self) -> Command | None:
        """How to run multistack; None without a project."""
        return self._sources.command

    @property
    def state(self) -> Path:
        """The project's state folder."""
        return self._sources.state

    def routes(self) -> Mapping[str, Route]:
        """What runs where, in promotion order."""
        return self._sources.routes() or {}

    def protection(self) -> Mapping[str, bool]:
        """Each environment, and whether it is protected."""
        return {name: route.protected for name, route in self.routes().items()}

    def rows(self) -> tuple[Sequence[EnvironmentRow], str]:
        """All environments in promotion order, and why ledger or project file can't be read; empty when they can."""
        routes, problem = self.routes(), self._project_check.problem()
        faults = self.faults()
        created: Sequence[str] = ()
        try:
            created = self.records.created()
            records = {name: self.records.of(name) for name in routes}
        except MultistackError as error:
            records, problem = {}, f"{error.message}; {error.hint}"
        before = predecessors(routes, created)
        rows = [
            describe(
                route,
                record=records.get(name),
                rates=self._sources.rates,
                drift=self._drift.get(name),
                faults=[one for one in faults if one.environment == name],
                before=before[name],
                is_created=name in created,
            )
            for name, route in routes.items()
        ]
        return rows, problem

    def spaces(self) -> Sequence[SpaceRow]:
        """The project's spaces."""
        return self._sources.spaces()

    def faults(self) -> Sequence[FaultNote]:
        """The faults that are set."""
        return [note_of(fault) for fault in standing(self._sources.faults(), datetime.now(UTC))]

    @property
    def compare(self) -> Compare:
        """See :class:`Sources`."""
        return self._sources.compare

    @property
    def requests(self) -> Requests:
        """What is kept of the requests that passed."""
        keeping = self._sources.keeping
        return Requests(keeping.path if keeping else self._sources.state / "proxy" / REQUESTS_FILE)

    @property
    def recording_problem(self) -> str | None:
        """Why requests are not kept although they should be."""
        return self._sources.keeping.problem if self._sources.keeping else None

    @property
    def progress(self) -> Progress | None:
        """How far what the proxy answered has been kept; None when nothing is meant to be."""
        return self._sources.keeping.feed.progress() if self._sources.keeping else None

    def keeping_problem(self) -> str:
        """Why requests are not kept, or not all of them; empty while they are."""
        keeping = self._sources.keeping
        if keeping is None or keeping.feed.body_limit is None:
            return "Recording is off."
        lost = f"{keeping.lost} requests came too fast to be kept." if keeping.lost else ""
        return keeping.problem or lost

    def newest_request(self) -> int:
        """The number of the last request that was kept."""
        try:
            return self.requests.newest()
        except sqlite3.Error:
            return 0  # whoever lists them says why

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
        return zlib.crc32(json.dumps([repr(rows), problem, repr(self.spaces())]).encode())


def _brief(job: Job) -> Mapping[str, object]:
    names = ("id", "action", "environment", "lines")
    return {**{name: getattr(job, name) for name in names}, "state": job.state.value}
