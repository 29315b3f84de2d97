"""Approvals of digests, and holds of environments: appended to the ledger, so that who said what stays on record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from emulator.clock import Clock, clock
from emulator.ledger import Ledger, LedgerFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Somebody's word that *digest* may go into *environment*, until *expires*."""

    environment: str
    digest: str
    by: str
    at: datetime
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """No promotion into *environment* until it is lifted."""

    environment: str
    reason: str
    by: str
    at: datetime


class Permits:
    """
    Approvals and holds in a ledger; raises what :class:`emulator.ledger.Ledger` does.

    Args:
        ledger: Or the path of one that is a file.
        now: Tells the time that is recorded.
    """

    def __init__(self, ledger: Path | Ledger, *, now: Clock | None = None) -> None:
        self._ledger: Ledger = LedgerFile(ledger) if isinstance(ledger, Path) else ledger
        self._now = now or clock()

    def approve(self, environment: str, digest: str, *, by: str, expires: datetime) -> None:
        """Record an approval."""
        values = {"environment": environment, "digest": digest, "by": by}
        with self._ledger.connected() as rows:
            rows.add("approvals", {**values, "at": self._now().isoformat(), "expires": expires.isoformat()})

    def approvals(self, environment: str) -> list[Approval]:
        """All of *environment*, oldest first, also those that have expired."""
        query = "SELECT * FROM approvals WHERE environment = :environment ORDER BY id"
        with self._ledger.connected() as rows:
            found = rows.select(query, {"environment": environment})
        return [
            Approval(
                environment=row["environment"],
                digest=row["digest"],
                by=row["by"],
                at=datetime.fromisoformat(row["at"]),
                expires=datetime.fromisoformat(row["expires"]),
            )
            for row in found
        ]

    def hold(self, environment: str, *, reason: str, by: str) -> None:
        """Hold *environment*."""
        self._add(environment, is_set=True, reason=reason, by=by)

    def lift(self, environment: str, *, reason: str, by: str) -> None:
        """End a hold."""
        self._add(environment, is_set=False, reason=reason, by=by)

    def _add(self, environment: str, *, is_set: bool, reason: str, by: str) -> None:
        values = {"environment": environment, "is_set": int(is_set), "reason": reason, "by": by}
        with self._ledger.connected() as rows:
            rows.add("holds", {**values, "at": self._now().isoformat()})

    def held(self, environment: str) -> Hold | None:
        """The hold of *environment*, if there is one."""
        query = "SELECT * FROM holds WHERE environment = :environment ORDER BY id DESC LIMIT 1"
        with self._ledger.connected() as rows:
            row = next(iter(rows.select(query, {"environment": environment})), None)
        if row is None or not row["is_set"]:
            return None
        return Hold(environment=environment, reason=row["reason"], by=row["by"], at=datetime.fromisoformat(row["at"]))
