"""What the ledger says about environments, read only, and again only when it changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.errors import StoreAway
from emulator.history import History
from emulator.ledger import LEDGER_FILE, Ledger
from emulator.model import Deployment, Gate, GateResult
from emulator.permits import Hold, Permits
from emulator.served import line_of, served_since

if TYPE_CHECKING:
    from emulator.created import Created

_CREATED = "created.json"
# Seconds that what a store said is good for.
_FRESH = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """
    The last verification of what an environment serves.

    Attributes:
        detail: What failed; empty when nothing did.
    """

    is_good: bool
    at: datetime | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    What is on record for one environment.

    Attributes:
        since: When it began to serve its release.
        by: Who brought the release there.
        promoted_from: The environment that it came from, if it was promoted.
        canary: The release that gets a share of the calls.
        running: What is being done to it now, e.g. ``promote``.
        failed: Why the last deployment did not succeed; empty when it did.
        earlier: The release that a rollback goes back to.
    """

    release: str | None = None
    digest: str | None = None
    config_hash: str | None = None
    since: datetime | None = None
    by: str = ""
    promoted_from: str | None = None
    verified: Verified | None = None
    hold: Hold | None = None
    canary: str | None = None
    running: str | None = None
    failed: str = ""
    earlier: Deployment | None = None


class Records:
    """
    The ledger of one project as its pages show it.

    Args:
        state: The project's state folder.
        shared: The ledger, if it is in a store.

    Raises:
        MultistackError: By every use: the ledger can't be read.
    """

    def __init__(self, state: Path, shared: Ledger | None = None) -> None:
        self._state = state
        self._shared = shared
        self._known: tuple[object, dict[str, Record]] | None = None
        # Until when a store that is away isn't asked again, and why: a server that doesn't answer takes its time.
        self._away: tuple[float, StoreAway] | None = None

    @property
    def _ledger(self) -> Path | Ledger:
        return self._shared or self._state / LEDGER_FILE

    def _is_there(self) -> bool:
        """Reading must not make one."""
        return self._shared is not None or (self._state / LEDGER_FILE).exists()

    def of(self, name: str) -> Record:
        """What is on record for environment *name*."""
        if not self._is_there():
            return Record()
        signature = self._signature()
        if self._known is None or self._known[0] != signature:
            self._known = (signature, {})
        known = self._known[1]
        if name not in known:
            record = self._ask(name)
            if record.running:
                return record  # it ends without a row when its process is killed
            known[name] = record
        return known[name]

    def deployments(self, environment: str | None = None, *, last: int | None = None) -> Sequence[Deployment]:
        """Deployments, the latest first."""
        return self._history().deployments(environment, last=last)[::-1] if self._is_there() else []

    def created(self) -> Sequence[str]:
        """Environments that a command created: nothing is promoted into or out of them."""
        return list(self._created().environments) if (self._state / _CREATED).exists() else []

    def _ask(self, name: str) -> Record:
        if self._away is not None and time.monotonic() < self._away[0]:
            raise self._away[1]
        try:
            return self._read(name)
        except StoreAway as error:
            self._away = (time.monotonic() + _FRESH, error)
            raise

    def _read(self, name: str) -> Record:
        history = self._history()
        current, last, canary = history.current(name), history.last(name), history.canary(name)
        hold = Permits(self._ledger).held(name)
        running = last.cause.kind.value if last and last.is_running else None
        failed = last.failure if last else ""
        if current is None:
            return Record(hold=hold, running=running, failed=failed)
        done = history.of_now(name)
        line = line_of(done)
        return Record(
            release=current.release.id,
            digest=current.release.digest,
            config_hash=current.release.config_hash,
            since=served_since(done),
            by=current.cause.by,
            promoted_from=current.cause.promoted_from,
            verified=_verified(_last_gates(done)),
            hold=hold,
            canary=canary.release.id if canary else None,
            running=running,
            failed=failed,
            earlier=line[-2] if len(line) > 1 else None,
        )

    def _history(self) -> History:
        ended = self._created().ended if (self._state / _CREATED).exists() else {}
        return History(self._ledger, ended=ended)

    def _created(self) -> Created:
        """Loaded late: few projects have created environments, and reading them takes pydantic."""
        from emulator.created import read_created

        return read_created(self._state)

    def _signature(self) -> object:
        """Changes whenever somebody wrote to the ledger or to the list of created environments."""
        found: list[object] = [] if self._shared is None else [int(time.monotonic() / _FRESH)]
        for name in (LEDGER_FILE, f"{LEDGER_FILE}-wal", _CREATED):
            try:
                stat = (self._state / name).stat()
            except FileNotFoundError:
                continue
            if stat.st_size:
                found.append((name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(found)


def _last_gates(done: Sequence[Deployment]) -> Sequence[Gate]:
    """The last verification of the release that is served: one from before a rollback to it holds."""
    same = (one for one in reversed(done) if one.release.id == done[-1].release.id)
    return next((one.gates_after for one in same if one.gates_after), ())


def _verified(gates: Sequence[Gate]) -> Verified | None:
    if not gates:
        return None
    failed = [gate for gate in gates if gate.result is not GateResult.PASSED]
    detail = "; ".join(f"{gate.name}: {gate.detail}" for gate in failed)
    return Verified(is_good=not failed, at=gates[-1].at, detail=detail)
