"""Approvals of digests, and holds of environments: appended to the ledger, so that who said what stays on record."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from emulator.clock import Clock, clock
from emulator.ledger import Ledger


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
        now: Tells the time that is recorded.
    """

    def __init__(self, path: Path, *, now: Clock | None = None) -> None:
        self._ledger = Ledger(path)
        self._now = now or clock()

    def approve(self, environment: str, digest: str, *, by: str, expires: datetime) -> None:
        """Record an approval."""
        with self._ledger.connected() as connection:
            connection.execute(
                "INSERT INTO approvals (environment, digest, by, at, expires) VALUES (?, ?, ?, ?, ?)",
                (environment, digest, by, self._now().isoformat(), expires.isoformat()),
            )

    def approvals(self, environment: str) -> list[Approval]:
        """All of *environment*, oldest first, also those that have expired."""
        with self._ledger.connected() as connection:
            rows = connection.execute(
                "SELECT * FROM approvals WHERE environment = ? ORDER BY id", (environment,)
            ).fetchall()
        return [
            Approval(
                environment=row["environment"],
                digest=row["digest"],
                by=row["by"],
                at=datetime.fromisoformat(row["at"]),
                expires=datetime.fromisoformat(row["expires"]),
            )
            for row in rows
        ]

    def hold(self, environment: str, *, reason: str, by: str) -> None:
        """Hold *environment*."""
        self._add(environment, is_set=True, reason=reason, by=by)

    def lift(self, environment: str, *, reason: str, by: str) -> None:
        """End a hold."""
        self._add(environment, is_set=False, reason=reason, by=by)

    def _add(self, environment: str, *, is_set: bool, reason: str, by: str) -> None:
        with self._ledger.connected() as connection:
            connection.execute(
                "INSERT INTO holds (environment, is_set, reason, by, at) VALUES (?, ?, ?, ?, ?)",
                (environment, is_set, reason, by, self._now().isoformat()),
            )

    def held(self, environment: str) -> Hold | None:
        """The hold of *environment*, if there is one."""
        with self._ledger.connected() as connection:
            row: sqlite3.Row | None = connection.execute(
                "SELECT * FROM holds WHERE environment = ? ORDER BY id DESC LIMIT 1", (environment,)
            ).fetchone()
        if row is None or not row["is_set"]:
            return None
        return Hold(environment=environment, reason=row["reason"], by=row["by"], at=datetime.fromisoformat(row["at"]))
