"""What an action would do, told before it is done."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emulator.dashboard.actions import Argument, Order
from emulator.dashboard.asking import ask_command
from emulator.dashboard.environments import EnvironmentRow
from emulator.dashboard.jobs import Command
from emulator.dashboard.records import Record
from emulator.errors import PromotionRefused

# Actions whose command can say itself what it would do.
_DRY_RUNS = frozenset({"promote", "deploy"})
REFUSED = "does not hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedGate:
    """A gate as it stands now: ``passed``, ``overridden``, ``unknown`` or ``does not hold``."""

    gate: str
    result: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """One resource that would change."""

    action: str
    logical_id: str
    type: str
    replacement: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    Attributes:
        commands: What would be run, as a person types it.
        will: What that does, in sentences.
        refused: Why it would not be done; empty when it would.
        confirm: The environment's name, when that must be typed first.
        interrupts: Whether requests or data are lost.
    """

    action: str
    label: str
    environment: str
    commands: Sequence[str]
    will: Sequence[str]
    gates: Sequence[PlannedGate] = ()
    changes: Sequence[PlannedChange] = ()
    refused: str = ""
    confirm: str = ""
    interrupts: bool = False
    arguments: Sequence[Argument] = ()


def plan(order: Order, row: EnvironmentRow, record: Record, *, command: Command) -> Plan:
    """What *order* would do now; promotions and deployments are asked of the command itself, which takes a while."""
    found = _dry_run(order, command) if order.action.name in _DRY_RUNS else _Found()
    refused = found.refused
    if order.action.name == "rollback" and record.earlier is None and not order.arguments.get("to"):
        refused = f"{order.environment} served no other release before"
    return Plan(
        action=order.action.name,
        label=order.action.label,
        environment=order.environment,
        commands=[shlex.join(["multistack", *arguments]) for arguments in order.commands],
        will=[*(text.format(order.environment) for text in order.action.will), *_more(order, row, record), *found.said],
        gates=found.gates,
        changes=found.changes,
        refused=refused,
        confirm=order.environment if order.action.loses_data and row.protected else "",
        interrupts=order.action.interrupts,
        arguments=order.action.arguments,
    )


def _more(order: Order, row: EnvironmentRow, record: Record) -> list[str]:
    """What this environment adds to what the action does to any."""
    name, earlier = order.action.name, record.earlier
    if name == "rollback" and earlier is not None and not order.arguments.get("to"):
        said = f"Goes back from {record.release} to {earlier.release.id} (digest {earlier.release.digest[:12]})"
        return [f"{said}, deployed {earlier.at:%Y-%m-%d %H:%M} UTC. Data stays as it is."]
    if name == "reset" and record.release:
        return [f"Deploys {record.release} again."]
    if name == "approve" and row.before:
        return [f"What is approved is the artifact that {row.before} serves now."]
    if name == "lift":
        return [f"Held by {record.hold.by}: {record.hold.reason}" if record.hold else f"{row.environment} is not held."]
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    gates: Sequence[PlannedGate] = ()
    changes: Sequence[PlannedChange] = ()
    refused: str = ""
    said: Sequence[str] = ()


def _dry_run(order: Order, command: Command) -> _Found:
    (arguments,) = order.commands
    asked = [*arguments, "--dry-run", "--json", "--no-wait"]
    content, refused = ask_command(command, asked, codes=(0, PromotionRefused.exit_code))
    if content is None:
        return _Found(refused=refused)
    if order.action.name == "promote":
        return _promotion(content)
    (result,) = content
    return _found(result["release"]["id"], result["release"]["digest"], result["changes"])


def _promotion(content: Mapping[str, Any]) -> _Found:
    gates = [PlannedGate(**gate) for gate in content["gates"]]
    refused = [f"{gate.gate}: {gate.detail}" for gate in gates if gate.result == REFUSED]
    found = _found(content["release"], content["digest"], content["changes"])
    return replace(found, gates=gates, refused="; ".join(refused))


def _found(release: str, digest: str, rows: Sequence[Mapping[str, Any]]) -> _Found:
    changes = _changes(rows)
    number = f"{len(changes)} resource{'s' if len(changes) > 1 else ''}" if changes else "no resource"
    return _Found(changes=changes, said=[f"The release is {release}, of digest {digest[:12]}; it changes {number}."])


def _changes(rows: Sequence[Mapping[str, Any]]) -> list[PlannedChange]:
    names = ("action", "logical_id", "type", "replacement")
    return [PlannedChange(**{name: row[name] for name in names}) for row in rows]
