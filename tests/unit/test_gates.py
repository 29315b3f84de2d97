"""What lets a promotion happen, as decisions on facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from emulator.errors import PromotionRefused
from emulator.model import Cause, Deployment, Gate, GateResult, Kind, Outcome, Phase, Release
from emulator.permits import Approval, Hold
from emulator.promotion.gates import Consent, Facts, Refusal, gates_before, judge
from emulator.served import line_of, served_since

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
PASSED = Gate(name="smoke tests", phase=Phase.AFTER, result=GateResult.PASSED, at=NOON)
FAILED = replace(PASSED, result=GateResult.FAILED)


def release(number: int) -> Release:
    """One of many."""
    return Release(id=f"r{number}", digest=f"d{number}", config_hash="c", config={})


SOURCE = Deployment(
    id=1, environment="staging", release=release(1), at=NOON, ended=NOON, outcome=Outcome.SUCCEEDED, gates=[PASSED]
)
FACTS = Facts(
    source=SOURCE,
    target="prod",
    needs_verification=True,
    is_protected=True,
    soak=timedelta(hours=1),
    since=NOON,
    now=NOON + timedelta(hours=2),
    approvals=[Approval(environment="prod", digest="d1", by="Ada", at=NOON, expires=NOON + timedelta(days=1))],
)
HOLD = Hold(environment="prod", reason="freeze", by="Bob", at=NOON)


def test_all_gates_that_hold_are_recorded() -> None:
    """Also those that ask for nothing."""
    assert [(gate.name, gate.result) for gate in gates_before(FACTS, Consent())] == [
        (name, GateResult.PASSED) for name in ("order", "source", "hold", "soak", "permissions", "approval")
    ]


@pytest.mark.parametrize(
    ("change", "gate", "reason"),
    [
        pytest.param({"skipped": ["staging"]}, "order", "that would skip staging", id="skips"),
        pytest.param({"source": replace(SOURCE, gates=[])}, "source", "not verified in staging", id="never verified"),
        pytest.param(
            {"source": replace(SOURCE, gates=[PASSED, replace(FAILED, at=NOON + timedelta(1))])},
            "source",
            "did not pass its verification in staging",
            id="failed since",
        ),
        pytest.param(
            {"source": replace(SOURCE, gates=[FAILED, PASSED])}, "source", "did not pass", id="one of a run failed"
        ),
        pytest.param({"hold": HOLD}, "hold", "held since 2026-01-02 12:00 UTC by Bob: freeze", id="held"),
        pytest.param({"soak": timedelta(hours=3)}, "soak", "for 2h of 3h", id="soaks"),
        pytest.param({"now": NOON - timedelta(hours=1)}, "soak", "the clock went back", id="clock went back"),
        pytest.param({"gained": ["Role may a on *"]}, "permissions", "1 gained: Role may a on *", id="permissions"),
        pytest.param({"approvals": []}, "approval", "nobody approved d1", id="no approval"),
        pytest.param(
            {"approvals": [replace(FACTS.approvals[0], digest="d2")]}, "approval", "what was approved is d2", id="other"
        ),
        pytest.param({"now": NOON + timedelta(days=2)}, "approval", "by Ada expired", id="expired"),
    ],
)
def test_a_gate_that_does_not_hold_says_why_and_what_to_do(change: dict[str, object], gate: str, reason: str) -> None:
    """The first one is the error."""
    facts = replace(FACTS, **change)  # type: ignore[arg-type]
    with pytest.raises(PromotionRefused) as caught:
        gates_before(facts, Consent())
    refusals = [one for one in judge(facts, Consent()) if isinstance(one, Refusal)]
    assert gate in [one.gate for one in refusals]
    told = caught.value.message + "\n".join(caught.value.details)
    assert reason in told
    assert caught.value.hint


def test_a_release_soaks_from_when_it_first_came() -> None:
    """That its emulator was lost meanwhile, or that it was deployed once more, is no new release."""
    other = replace(SOURCE, release=release(2), ended=NOON - timedelta(days=1))
    again = replace(SOURCE, id=3, ended=NOON + timedelta(days=1), cause=Cause(kind=Kind.REDEPLOY))
    assert served_since([SOURCE, other, SOURCE, again]) == NOON


def test_what_somebody_takes_on_is_recorded_as_overridden() -> None:
    """With the reason."""
    facts = replace(FACTS, skipped=["staging"], gained=["Role may a on *"])
    consent = Consent(override="hotfix", accept_permissions=True)
    found = {gate.name: gate for gate in gates_before(facts, consent)}
    assert found["order"].result is found["permissions"].result is GateResult.OVERRIDDEN
    assert "hotfix" in found["order"].detail


def test_without_verification_code_was_compared() -> None:
    """A project that says nothing about it can still promote."""
    facts = replace(FACTS, source=replace(SOURCE, gates=[]), needs_verification=False)
    assert "no [verify]" in gates_before(facts, Consent())[1].detail


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        pytest.param("1 2 3", "1 2 3", id="forward"),
        pytest.param("1 1 2 2", "1 2", id="the same again"),
        pytest.param("1 2 <1", "1", id="rolled back"),
        pytest.param("1 2 3 <1 4", "1 4", id="rolled back over two, then on"),
        pytest.param("1 2 1", "1 2 1", id="deployed again is forward"),
        pytest.param("2 <1", "2 1", id="rolled back to what the ledger does not know"),
    ],
)
def test_a_rollback_takes_away_what_it_went_back_over(happened: str, line: str) -> None:
    """So that two in a row go back two releases, and never forward to what was bad."""
    done = [
        replace(
            SOURCE,
            id=number,
            release=release(int(one.strip("<"))),
            cause=Cause(kind=Kind.ROLLBACK if one.startswith("<") else Kind.DEPLOY),
        )
        for number, one in enumerate(happened.split())
    ]
    assert [one.release.id.strip("r") for one in line_of(done)] == line.split()
