"""
Every deployment: one row when it begins, a second one, its outcome, when it ends, and one for each gate.

A row without an outcome whose process is gone was interrupted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from emulator.clock import Clock, clock
from emulator.errors import MultistackError, PromotionRefused
from emulator.ledger import NO_LIMIT, Ledger, LedgerFile, Row, Rows
from emulator.model import (
    Api,
    Cause,
    Deployment,
    Gate,
    GateResult,
    Kind,
    Outcome,
    Phase,
    Release,
)
from emulator.process import start_time


class History:
    """
    The deployments in a ledger; raises what :class:`emulator.ledger.Ledger` does.

    Args:
        ledger: Or the path of one that is a file.
        now: Tells the time that is recorded.
        ended: Environment to the last row of an earlier environment of that name, which is no past of this one.
    """

    def __init__(self, ledger: Path | Ledger, *, now: Clock | None = None, ended: Mapping[str, int] = {}) -> None:
        self.ledger: Ledger = LedgerFile(ledger) if isinstance(ledger, Path) else ledger
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
        with self.ledger.connected() as rows:
            deployment = rows.add("deployments", values)
            self._add_gates(rows, deployment, gates)
            rows.hold(deployment)
        return deployment

    def add_gates(self, deployment: int, gates: Sequence[Gate]) -> list[Gate]:
        """Record what was found out about a deployment; returns it as recorded."""
        with self.ledger.connected() as rows:
            return self._add_gates(rows, deployment, gates)

    def _add_gates(self, rows: Rows, deployment: int, gates: Sequence[Gate]) -> list[Gate]:
        recorded = [replace(gate, at=self._now()) for gate in gates]
        for gate in recorded:
            values = {
                "deployment": deployment,
                "name": gate.name,
                "phase": gate.phase.value,
                "result": gate.result.value,
                "detail": gate.detail,
                "at": gate.at.isoformat() if gate.at else "",
            }
            rows.add("gates", values)
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
        """
        Record how a deployment ended.

        Raises:
            MultistackError: Somebody else has: its command seemed to be gone.
        """
        if not self._end(deployment, outcome, detail=detail, apis=apis, skipped=skipped):
            raise MultistackError(
                f"deployment {deployment} is on record as ended: while this command couldn't reach the store, another"
                " one took it for interrupted",
                hint="run the same command again",
            )

    def _end(
        self, deployment: int, outcome: Outcome, *, detail: str, apis: Sequence[Api] = (), skipped: Sequence[str] = ()
    ) -> bool:
        values = {
            "deployment": deployment,
            "outcome": outcome.value,
            "at": self._now().isoformat(),
            "detail": detail,
            "apis": json.dumps([asdict(api) for api in apis]),
            "skipped": json.dumps(list(skipped)),
        }
        return self.ledger.put_outcome(values)

    def check_turn(self) -> None:
        """See :meth:`emulator.ledger.Ledger.check_turn`."""
        self.ledger.check_turn()

    def interrupt(self, deployment: int, detail: str) -> None:
        """Record that a deployment was interrupted, unless somebody who took its command for gone has."""
        self._end(deployment, Outcome.INTERRUPTED, detail=detail)

    def close_interrupted(self) -> list[Deployment]:
        """Give every deployment whose process is gone the outcome ``interrupted``; returns those."""
        with self.ledger.connected() as rows:
            found = rows.select(_SELECT + " WHERE o.outcome IS NULL ORDER BY d.id")
            lost = [_deployment(row, rows) for row in found if not rows.is_running(row)]
        return [one for one in lost if self._end(one.id, Outcome.INTERRUPTED, detail="the command was killed")]

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
        query = f"{_SELECT} WHERE d.environment = :environment AND d.id > :past{more} ORDER BY d.id DESC LIMIT 1"
        values = {"environment": environment, "past": self._ended.get(environment, 0)}
        with self.ledger.connected() as rows:
            found = rows.select(query, values)
            return _deployment(found[0], rows, _gates(rows, found[0]["id"])) if found else None

    def deployments(self, environment: str | None = None, *, last: int | None = None) -> list[Deployment]:
        """
        Deployments, oldest first; also those into earlier environments of that name.

        Args:
            environment: None for those into all environments.
            last: Only the last so many.
        """
        where, values = (
            (" WHERE d.environment = :environment", {"environment": environment}) if environment else ("", {})
        )
        query = f"{_SELECT}{where} ORDER BY d.id DESC LIMIT :last"
        with self.ledger.connected() as rows:
            found = rows.select(query, {**values, "last": NO_LIMIT if last is None else last})[::-1]
            gates: dict[int, list[Gate]] = {}
            first = found[0]["id"] if found else 0
            for row in rows.select("SELECT * FROM gates WHERE deployment >= :first ORDER BY id", {"first": first}):
                gates.setdefault(row["deployment"], []).append(_gate(row))
            return [_deployment(row, rows, gates.get(row["id"], ())) for row in found]


_SELECT = """
SELECT d.*, o.outcome, o.at AS ended, o.detail, o.apis, o.skipped
FROM deployments d LEFT JOIN outcomes o ON o.deployment = d.id
"""


def _gates(rows: Rows, deployment: int) -> list[Gate]:
    query = "SELECT * FROM gates WHERE deployment = :deployment ORDER BY id"
    return [_gate(row) for row in rows.select(query, {"deployment": deployment})]


def _gate(row: Row) -> Gate:
    return Gate(
        name=row["name"],
        phase=Phase(row["phase"]),
        result=GateResult(row["result"]),
        detail=row["detail"],
        at=datetime.fromisoformat(row["at"]),
    )


def _deployment(row: Row, rows: Rows, gates: Sequence[Gate] = ()) -> Deployment:
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
        is_running=row["outcome"] is None and rows.is_running(row),
        ended=datetime.fromisoformat(row["ended"]) if row["ended"] else None,
        detail=row["detail"] or "",
        gates=tuple(gates),
        apis=tuple(Api(**api) for api in json.loads(row["apis"] or "[]")),
        skipped=tuple(json.loads(row["skipped"] or "[]")),
    )
