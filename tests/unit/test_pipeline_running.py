"""In which order steps run, and what becomes of those that don't; the steps themselves are fakes."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from emulator.errors import ConfigError, MultistackError
from emulator.parallel import Cancellation
from emulator.pipelines.plan import Plan, Step, System, Trigger
from emulator.pipelines.results import Ended, Ending, Started, StepResult, Told
from emulator.pipelines.running import only, run_plan


def step(name: str, *needs: str, is_manual: bool = False, may_fail: bool = False) -> Step:
    """A step that does nothing."""
    return Step(id=name, name=name.upper(), line=1, actions=(), needs=needs, is_manual=is_manual, may_fail=may_fail)


def plan(*steps: Step) -> Plan:
    """A plan of those."""
    return Plan(system=System.BITBUCKET, file="ci.yml", trigger=Trigger(branch="main"), steps=steps)


def passed(one: Step, before: Mapping[str, StepResult]) -> StepResult:
    """What a step that works comes to."""
    return StepResult(step=one, ending=Ending.PASSED, outputs=dict.fromkeys(before, "seen"))


def failing(*names: str):
    """Steps of which some fail."""

    def perform(one: Step, before: Mapping[str, StepResult]) -> StepResult:
        ending = Ending.FAILED if one.id in names else Ending.PASSED
        return StepResult(step=one, ending=ending, code=3 if one.id in names else None)

    return perform


def endings(found: Plan, perform=passed, confirm=lambda _: True) -> dict[str, str]:
    """What became of each step."""
    told: list[Told] = []
    results = run_plan(found, perform=perform, confirm=confirm, tell=told.append, cancellation=Cancellation())
    assert {one.result.step.id for one in told if isinstance(one, Ended)} == {one.id for one in found.steps}
    return {one.step.id: one.ending.value for one in results}


def test_a_step_sees_all_that_passed_before_it():
    """Also what it needs only through others."""
    results = run_plan(
        plan(step("a"), step("b", "a"), step("c", "b"), step("d")),
        perform=passed,
        confirm=lambda _: True,
        tell=lambda _: None,
        cancellation=Cancellation(),
    )
    assert [list(one.outputs) for one in results] == [[], ["a"], ["a", "b"], []]


def test_steps_that_need_the_same_run_at_once():
    """Each waits for the other here: one after the other, they would wait for ever."""
    both = threading.Barrier(2, timeout=20)

    def meet(one: Step, before: Mapping[str, StepResult]) -> StepResult:
        if one.id != "a":
            both.wait()
        return passed(one, before)

    assert endings(plan(step("a"), step("b", "a"), step("c", "a")), meet) == dict.fromkeys("abc", "passed")


def test_after_a_failure_later_steps_are_skipped_and_others_finish():
    """What does not need the failed step is not its business."""
    found = plan(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"), step("e", "d"))
    assert endings(found, failing("b")) == {
        "a": "passed", "b": "failed", "c": "passed", "d": "skipped", "e": "skipped"
    }  # fmt: skip


def test_a_step_that_may_fail_stops_nobody():
    """Its failure is shown all the same."""
    assert endings(plan(step("a", may_fail=True), step("b", "a")), failing("a")) == {"a": "failed", "b": "passed"}


@pytest.mark.parametrize("answer", [None, False], ids=["nobody to ask", "no"])
def test_a_manual_step_that_nobody_starts_waits_and_so_does_what_needs_it(answer):
    """That is no failure."""
    found = plan(step("a"), step("b", "a", is_manual=True), step("c", "b"), step("d", "a"))
    assert endings(found, confirm=lambda _: answer) == {
        "a": "passed", "b": "waiting", "c": "waiting", "d": "passed"
    }  # fmt: skip


def test_a_manual_step_is_asked_for_when_it_is_due():
    """Nobody is asked about a step that is skipped anyway."""
    asked: list[str] = []
    found = plan(step("a"), step("b", "a", is_manual=True))
    endings(found, failing("a"), confirm=lambda one: asked.append(one.id))
    assert asked == []
    endings(found, confirm=lambda one: asked.append(one.id))
    assert asked == ["b"]


def test_a_step_that_cannot_run_at_all_has_failed():
    """A full disk is told as the reason of the step."""

    def full(one: Step, before: Mapping[str, StepResult]) -> StepResult:
        raise MultistackError("No space left on device")

    told: list[Told] = []
    (result,) = run_plan(
        plan(step("a")), perform=full, confirm=lambda _: True, tell=told.append, cancellation=Cancellation()
    )
    assert (result.ending, result.reason) == (Ending.FAILED, "No space left on device")
    assert told == [Started(result.step), Ended(result)]


def test_a_bug_in_a_step_ends_the_others_and_is_raised():
    """It is nobody's failed step."""
    cancellation = Cancellation()

    def broken(one: Step, before: Mapping[str, StepResult]) -> StepResult:
        if one.id == "a":
            raise TypeError("bug")
        while True:  # until somebody gives up
            cancellation.check()

    with pytest.raises(TypeError, match="bug"):
        run_plan(
            plan(step("a"), step("b")),
            perform=broken,
            confirm=lambda _: True,
            tell=lambda _: None,
            cancellation=cancellation,
        )


def test_one_step_alone_needs_nothing():
    """It is named as people or the file call it."""
    found = plan(step("a"), step("b", "a"))
    assert [(one.id, one.needs) for one in only(found, "B").steps] == [("b", ())]
    assert [one.id for one in only(found, "b").steps] == ["b"]
    with pytest.raises(ConfigError, match="has no step 'x' for branch main") as caught:
        only(found, "x")
    assert caught.value.hint == "it has: A, B"
