"""What must hold before a promotion: decisions on facts, without any I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from emulator.errors import PromotionRefused
from emulator.model import Deployment, Gate, GateResult, Phase
from emulator.permits import Approval, Hold
from emulator.spans import show_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a gate does not hold, and what to do about it."""

    gate: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    All that the gates before a promotion look at.

    Attributes:
        since: When the source began to serve the release: later deployments only brought it back.
        skipped: Environments between source and target.
        approvals: Of the target.
        gained: What the release lets somebody do beyond what the target's does.
    """

    source: Deployment
    target: str
    needs_verification: bool
    is_protected: bool
    soak: timedelta
    since: datetime
    now: datetime
    clock_offset: timedelta = timedelta()
    skipped: Sequence[str] = ()
    approvals: Sequence[Approval] = ()
    hold: Hold | None = None
    gained: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What whoever promotes takes on themselves."""

    override: str = ""
    accept_permissions: bool = False


def gates_before(facts: Facts, consent: Consent) -> list[Gate]:
    """
    All gates before, each passed or overridden.

    Raises:
        PromotionRefused: One or more don't hold; details are the others.
    """
    found = judge(facts, consent)
    refusals = [one for one in found if isinstance(one, Refusal)]
    if refusals:
        first = refusals[0]
        raise PromotionRefused(
            f"{facts.source.release.id} can't be promoted to {facts.target}: {first.reason}",
            hint=first.hint,
            details=[f"{one.gate}: {one.reason}; {one.hint}" for one in refusals[1:]],
        )
    return [one for one in found if isinstance(one, Gate)]


def judge(facts: Facts, consent: Consent) -> list[Gate | Refusal]:
    """Every gate before, as it is found."""
    return [
        _order(facts, consent),
        _verified(facts),
        _not_held(facts),
        _soaked(facts),
        _permissions(facts, consent),
        _approved(facts),
    ]


def _passed(name: str, detail: str = "", *, overridden: bool = False) -> Gate:
    result = GateResult.OVERRIDDEN if overridden else GateResult.PASSED
    return Gate(name=name, phase=Phase.BEFORE, result=result, detail=detail)


def _order(facts: Facts, consent: Consent) -> Gate | Refusal:
    source = facts.source.environment
    if not facts.skipped:
        return _passed("order", f"from {source}")
    between = ", ".join(facts.skipped)
    if consent.override:
        return _passed("order", f"from {source}, past {between}: {consent.override}", overridden=True)
    return Refusal(
        gate="order",
        reason=f"that would skip {between}",
        hint=f"promote to {facts.skipped[0]} first, or say why not with --override REASON",
    )


def _verified(facts: Facts) -> Gate | Refusal:
    source = facts.source
    if source.is_verified or not facts.needs_verification:
        said = "verified" if source.is_verified else "deployed, code compared; the project has no [verify]"
        return _passed("source", f"{said} in {source.environment}")
    return Refusal(
        gate="source",
        reason=f"it {'did not pass its verification' if source.gates_after else 'is not verified'} in"
        f" {source.environment}",
        hint=f"multistack verify {source.environment}",
    )


def _not_held(facts: Facts) -> Gate | Refusal:
    hold = facts.hold
    if hold is None:
        return _passed("hold", "none")
    return Refusal(
        gate="hold",
        reason=f"{facts.target} is held since {hold.at:%Y-%m-%d %H:%M} UTC by {hold.by}: {hold.reason}",
        hint=f"multistack hold {facts.target} --lift",
    )


def _soaked(facts: Facts) -> Gate | Refusal:
    since, served = facts.since, facts.now - facts.since
    if served >= facts.soak and facts.soak and facts.clock_offset:
        detail = (
            f"{show_span(served)} in {facts.source.environment}, by a clock moved by {show_span(facts.clock_offset)}"
        )
        return _passed("soak", detail, overridden=True)
    if served >= facts.soak:
        return _passed("soak", f"{show_span(served)} in {facts.source.environment}" if facts.soak else "none needed")
    if served < timedelta():
        reason = f"the clock went back: it came into {facts.source.environment} at {since:%Y-%m-%d %H:%M} UTC"
        return Refusal(gate="soak", reason=reason, hint="set the clock right, then run the same command again")
    return Refusal(
        gate="soak",
        reason=f"it served in {facts.source.environment} for {show_span(served)} of {show_span(facts.soak)}",
        hint=f"wait {show_span(facts.soak - served + timedelta(seconds=1))}, then run the same command again",
    )


def _permissions(facts: Facts, consent: Consent) -> Gate | Refusal:
    if not facts.gained:
        return _passed("permissions", "none gained")
    gained = f"{len(facts.gained)} gained: {'; '.join(facts.gained)}"
    if consent.accept_permissions:
        return _passed("permissions", gained, overridden=True)
    return Refusal(gate="permissions", reason=f"permissions are {gained}", hint="--accept-permissions takes them on")


def _approved(facts: Facts) -> Gate | Refusal:
    if not facts.is_protected:
        return _passed("approval", "none needed")
    digest = facts.source.release.digest
    own = [one for one in facts.approvals if one.digest == digest]
    valid = [one for one in own if one.at <= facts.now < one.expires]
    if valid:
        return _passed("approval", f"by {valid[-1].by} until {valid[-1].expires:%Y-%m-%d %H:%M} UTC")
    if own and facts.now < own[-1].at:
        reason = f"its approval by {own[-1].by} is of {own[-1].at:%Y-%m-%d %H:%M} UTC, and it is not that late yet"
    elif own:
        reason = f"its approval by {own[-1].by} expired at {own[-1].expires:%Y-%m-%d %H:%M} UTC"
    elif facts.approvals:
        reason = f"{facts.target} is protected, and what was approved is {facts.approvals[-1].digest[:12]}"
    else:
        reason = f"{facts.target} is protected, and nobody approved {digest[:12]}"
    return Refusal(gate="approval", reason=reason, hint=f"multistack approve {facts.target} --by NAME")
