"""
Every deployment: one row when it begins, a second one, its outcome, when it ends, and one for each gate.

A row without an outcome whose process is gone was interrupted.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from emulator.clock import Clock, clock
from emulator.errors import PromotionRefused
from emulator.ledger import Ledger
from emulator.model import (
    Api,
    Cause,
    Deployment,
    Gate,
    GateResult,
    Kind,
    Outcome,
    Phase,
    ProcessId,
    Release,
)
from emulator.process import is_alive, start_time


class History:
    """
    The deployments in a ledger; raises what :class:`emulator.ledger.Ledger` does.

    Args:
        now: Tells the time that is recorded.
        ended: Environment to the last row of an earlier environment of that name, which is no past of this one.
    """

    def __init__(self, path: Path, *, now: Clock | None = None, ended: Mapping[str, int] = {}) -> None:
        self._ledger = Ledger(path)
        self._ended = ended
        self._now = now or clock()

    def begin(
        self,
        environment: str,
        release: Release,
        *,
        cause: Cause | None = None,
        template_hash: str = "",
        gates: Sequence[Gate] = (),
    ) -> int:
        """Record that a deployment starts, and the *gates* that let it; returns its id."""
        pid, cause = os.getpid(), cause or Cause()
        values = {
            "environment": environment,
            "release": release.id,
            "digest": release.digest,
            "config_hash": release.config_hash,
            "config": json.dumps(dict(release.config), sort_keys=True),
            "secrets": json.dumps(dict(release.secrets), sort_keys=True),
            "template_hash": template_hash,
            "kind": cause.kind.value,
            "by": cause.by,
            "promoted_from": cause.promoted_from,
            "source": cause.source,
            "reason": cause.reason,
            "at": self._now().isoformat(),
            "pid": pid,
            "process_started": start_time(pid),
        }
        with self._ledger.connected() as connection:
            columns, marks = ", ".join(values), ", ".join("?" * len(values))
            cursor = connection.execute(
                f"INSERT INTO deployments ({columns}) VALUES ({marks})",  # noqa: S608 (the names are those above)
                tuple(values.values()),
            )
            deployment = int(cursor.lastrowid or 0)
            self._add_gates(connection, deployment, gates)
        return deployment

    def add_gates(self, deployment: int, gates: Sequence[Gate]) -> list[Gate]:
        """Record what was found out about a deployment; returns it as recorded."""
        with self._ledger.connected() as connection:
            return self._add_gates(connection, deployment, gates)

    def _add_gates(self, connection: sqlite3.Connection, deployment: int, gates: Sequence[Gate]) -> list[Gate]:
        at = self._now()
        recorded = [replace(gate, at=at) for gate in gates]
        connection.executemany(
            "INSERT INTO gates (deployment, name, phase, result, detail, at) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (deployment, gate.name, gate.phase.value, gate.result.value, gate.detail, at.isoformat())
                for gate in recorded
            ],
        )
        return recorded

    def end(
        self,
        deployment: int,
        outcome: Outcome,
        *,
        detail: str = "",
        apis: Sequence[Api] = (),
        skipped: Sequence[str] = (),
    ) -> None:
        """Record how a deployment ended."""
        apis_json = json.dumps([asdict(api) for api in apis])
        with self._ledger.connected() as connection:
            connection.execute(
                "INSERT INTO outcomes (deployment, outcome, at, detail, apis, skipped) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    deployment,
                    outcome.value,
                    self._now().isoformat(),
                    detail,
                    apis_json,
                    json.dumps(list(skipped)),
                ),
            )

    def close_interrupted(self) -> list[Deployment]:
        """Give every deployment whose process is gone the outcome ``interrupted``; returns those."""
        with self._ledger.connected() as connection:
            rows = connection.execute(_SELECT + " WHERE o.outcome IS NULL ORDER BY d.id").fetchall()
        lost = [row for row in rows if not _is_running(row)]
        for row in lost:
            self.end(row["id"], Outcome.INTERRUPTED, detail="the command was killed")
        return [_deployment(row) for row in lost]

    def current(self, environment: str) -> Deployment | None:
        """The last deployment into *environment* that succeeded."""
        return self._one(" AND o.outcome = 'succeeded'", environment)

    def last(self, environment: str) -> Deployment | None:
        """The last deployment into *environment*, however it ended."""
        return self._one("", environment)

    def canary(self, environment: str) -> Deployment | None:
        """The deployment that serves a share of the calls beside the current one; None when there is none."""
        last = self._one(" AND o.outcome IN ('succeeded', 'canary')", environment)
        return last if last is not None and last.outcome is Outcome.CANARY else None

    def of_now(self, environment: str) -> list[Deployment]:
        """The deployments into *environment* that succeeded, oldest first, without those of an earlier namesake."""
        first = self._ended.get(environment, 0)
        return [one for one in self.deployments(environment) if one.id > first and one.outcome is Outcome.SUCCEEDED]

    def check_no_canary(self, environment: str) -> None:
        """
        Refuse what would end a canary by the way.

        Raises:
            PromotionRefused: One runs in *environment*.
        """
        if running := self.canary(environment):
            raise PromotionRefused(
                f"a canary of {running.release.id} runs in {environment}",
                hint=f"`multistack canary promote {environment}` or `multistack canary abort {environment}` first",
            )

    def _one(self, more: str, environment: str) -> Deployment | None:
        query = f"{_SELECT} WHERE d.environment = ? AND d.id > ?{more} ORDER BY d.id DESC LIMIT 1"
        with self._ledger.connected() as connection:
            row = connection.execute(query, (environment, self._ended.get(environment, 0))).fetchone()
            return _deployment(row, _gates(connection, row["id"])) if row else None

    def deployments(self, environment: str | None = None, *, last: int | None = None) -> list[Deployment]:
        """
        Deployments, oldest first; also those into earlier environments of that name.

        Args:
            environment: None for those into all environments.
            last: Only the last so many.
        """
        where, values = (" WHERE d.environment = ?", [environment]) if environment else ("", [])
        query = f"{_SELECT}{where} ORDER BY d.id DESC LIMIT ?"
        with self._ledger.connected() as connection:
            rows = connection.execute(query, (*values, -1 if last is None else last)).fetchall()[::-1]
            gates: dict[int, list[Gate]] = {}
            first = rows[0]["id"] if rows else 0
            for row in connection.execute("SELECT * FROM gates WHERE deployment >= ? ORDER BY id", (first,)):
                gates.setdefault(row["deployment"], []).append(_gate(row))
        return [_deployment(row, gates.get(row["id"], ())) for row in rows]


_SELECT = """
SELECT d.*, o.outcome, o.at AS ended, o.detail, o.apis, o.skipped
FROM deployments d LEFT JOIN outcomes o ON o.deployment = d.id
"""


def _gates(connection: sqlite3.Connection, deployment: int) -> list[Gate]:
    rows = connection.execute("SELECT * FROM gates WHERE deployment = ? ORDER BY id", (deployment,)).fetchall()
    return [_gate(row) for row in rows]


def _gate(row: sqlite3.Row) -> Gate:
    return Gate(
        name=row["name"],
        phase=Phase(row["phase"]),
        result=GateResult(row["result"]),
        detail=row["detail"],
        at=datetime.fromisoformat(row["at"]),
    )


def _deployment(row: sqlite3.Row, gates: Sequence[Gate] = ()) -> Deployment:
    return Deployment(
        id=row["id"],
        environment=row["environment"],
        release=Release(
            id=row["release"],
            digest=row["digest"],
            config_hash=row["config_hash"],
            config=json.loads(row["config"]),
            secrets=json.loads(row["secrets"]),
        ),
        at=datetime.fromisoformat(row["at"]),
        cause=Cause(
            kind=Kind(row["kind"]),
            by=row["by"],
            promoted_from=row["promoted_from"],
            source=row["source"],
            reason=row["reason"],
        ),
        template_hash=row["template_hash"],
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        is_running=row["outcome"] is None and _is_running(row),
        ended=datetime.fromisoformat(row["ended"]) if row["ended"] else None,
        detail=row["detail"] or "",
        gates=tuple(gates),
        apis=tuple(Api(**api) for api in json.loads(row["apis"] or "[]")),
        skipped=tuple(json.loads(row["skipped"] or "[]")),
    )


def _is_running(row: sqlite3.Row) -> bool:
    return is_alive(ProcessId(pid=row["pid"], started=row["process_started"]))
