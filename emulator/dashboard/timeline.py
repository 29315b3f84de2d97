"""Deployments as the history page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from emulator.model import Deployment, Gate, GateResult, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineGate:
    """A gate of a deployment: before it, or at its last verification."""

    gate: str
    phase: str
    result: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One deployment; the names of the attributes are the keys of the JSON.

    Attributes:
        kind: ``deploy``, ``promote``, ``rollback``, ``redeploy``, ``restore`` or ``canary``.
        outcome: ``succeeded``, ``failed``, ``interrupted``, ``canary`` or ``running``.
        failed_gates: Names of those of its last verification that did not pass.
        note: Where it came from and why, and why it did not succeed.
    """

    id: int
    environment: str
    kind: str
    outcome: str
    at: datetime
    seconds: float | None
    release: str
    digest: str
    config_hash: str
    by: str
    promoted_from: str | None
    is_verified: bool
    failed_gates: Sequence[str]
    note: str
    gates: Sequence[TimelineGate]


def timeline(deployments: Sequence[Deployment]) -> list[Entry]:
    """An entry for each, in the order given."""
    return [_entry(one) for one in deployments]


def _entry(one: Deployment) -> Entry:
    outcome = one.outcome.value if one.outcome else "running" if one.is_running else "interrupted"
    said = (one.cause.source, one.cause.reason, one.detail)
    gates = [*(gate for gate in one.gates if gate.phase is Phase.BEFORE), *one.gates_after]
    return Entry(
        id=one.id,
        environment=one.environment,
        kind=one.cause.kind.value,
        outcome=outcome,
        at=one.at,
        seconds=(one.ended - one.at).total_seconds() if one.ended else None,
        release=one.release.id,
        digest=one.release.digest,
        config_hash=one.release.config_hash,
        by=one.cause.by,
        promoted_from=one.cause.promoted_from,
        is_verified=one.is_verified,
        failed_gates=[gate.name for gate in one.gates_after if gate.result is GateResult.FAILED],
        note="; ".join(text for text in said if text),
        gates=[_gate(gate) for gate in gates],
    )


def _gate(gate: Gate) -> TimelineGate:
    return TimelineGate(gate=gate.name, phase=gate.phase.value, result=gate.result.value, detail=gate.detail)
