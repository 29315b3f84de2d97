"""Runs an experiment against a topology, with traffic flowing to prod all the time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from emulator.capabilities import Outcome as Case
from emulator.capabilities import read_capabilities
from emulator.errors import MultistackError, NotReady
from emulator.lab.experiment import Effect, Experiment, Script
from emulator.lab.laboratory import Laboratory
from emulator.lab.operator import Operator
from emulator.lab.results import Moment, Outcome, Result, TypedLine
from emulator.lab.topologies import Topology, World
from emulator.lab.traffic import Measurement, Traffic, Verdict, enough, well

# Requests that must be good in a row for prod to count as well.
_WELL = 5
# Seconds in which prod is still looked at where nothing can be typed to bring it back.
_SEEN_WITHIN = 1.0
# What an emulator answers to a call that it doesn't know.
_UNKNOWN_CALLS = {
    "InvalidAction",
    "NotImplemented",
    "NotImplementedError",
    "UnknownOperation",
    "UnknownOperationException",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    What the results of one run have in common.

    Attributes:
        cancelled: Asked while waiting; raises to stop.
        patience: Seconds in which prod must be well, or have been asked often enough; a busy machine takes its time.
    """

    emulator: str
    seed: int
    cancelled: Callable[[], None] = lambda: None
    patience: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """What came of a script: how prod fared, what was typed, and what the operator found and doubts."""

    measured: Measurement
    typed: Sequence[TypedLine]
    findings: Sequence[str]
    doubts: Sequence[str]

    @property
    def seen(self) -> Effect:
        """What prod saw."""
        if self.measured.count(Verdict.FAILED):
            return Effect.FAILS
        if self.measured.count(Verdict.WRONG):
            return Effect.WRONG_DATA
        return Effect.UNSEEN if self.findings else Effect.UNHURT


def run_experiments(
    laboratory: Laboratory,
    experiments: Sequence[Experiment],
    topologies: Sequence[Topology],
    *,
    seed: int,
    timeout: float,
    tell: Callable[[Result], None],
) -> list[Result]:
    """
    Run *experiments* one after the other, each in all *topologies* at once; the lab begins as it was made.

    Args:
        timeout: Seconds that an emulator may take to start.
        tell: Called with each result.

    Raises:
        MultistackError: The lab can't be brought up, or prod isn't well before a mistake.
    """
    laboratory.fresh(topologies, timeout=timeout)
    run = Run(emulator=laboratory.emulator, seed=seed, cancelled=laboratory.cancelled)
    worlds = _worlds(laboratory, topologies)
    results: list[Result] = []
    for experiment in experiments:
        wanted = [name for name in worlds if Topology(name) in experiment.variants]
        found = laboratory.at_once(wanted, lambda name: perform_experiment(experiment, worlds[name], run))  # noqa: B023
        for result in found.values():
            tell(result)
        results += found.values()
        is_cheap = laboratory.restores_quickly and experiment is not experiments[-1]
        spoilt = [Topology(name) for name, one in found.items() if is_cheap or _spoils(experiment, one)]
        if spoilt and laboratory.restore(spoilt, timeout=timeout):
            worlds = _worlds(laboratory, topologies)
    return results


def _worlds(laboratory: Laboratory, topologies: Sequence[Topology]) -> dict[str, World]:
    """Every topology as it runs now."""
    return {one.value: laboratory.world(one) for one in topologies}


def _spoils(experiment: Experiment, result: Result) -> bool:
    """Whether what the experiment left behind is known to be seen by whoever comes next."""
    return experiment.restores or result.outcome is Outcome.DIFFERS


def perform_experiment(experiment: Experiment, world: World, run: Run) -> Result:
    """
    Make the mistake, look, undo it.

    Raises:
        NotReady: Prod wasn't well before, so nothing could be told.
        MultistackError: A call was refused that should work: somebody else works in this lab.
        KeyboardInterrupt: Somebody gave up.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    variant = experiment.variants[world.topology]
    blank = Result(
        experiment=experiment.id,
        topology=world.topology.value,
        driver=world.driver,
        emulator=run.emulator,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=run.seed,
        outcome=Outcome.NOT_ON_DRIVER,
        expected=variant.expected.told(world.driver),
    )
    if reason := why_not_on(experiment, world.driver):
        return replace(blank, reason=reason)
    operator = Operator(world.places)
    try:
        observed = _observe(experiment, variant.script, operator, world, run)
    except ClientError as error:
        if error.response["Error"]["Code"] in _UNKNOWN_CALLS:
            return replace(blank, reason=str(error))
        raise _cut(experiment, world, error) from error
    except BotoCoreError as error:
        raise _cut(experiment, world, error) from error
    return _judged(blank, experiment, world, observed)


def _cut(experiment: Experiment, world: World, error: Exception) -> MultistackError:
    return MultistackError(
        f"{experiment.id} in {world.topology.value} could not go on: {error}",
        hint="multistack lab reset, and leave the lab alone while an experiment runs",
    )


def why_not_on(experiment: Experiment, driver: str) -> str:
    """Why the experiment can't be run on the driver, e.g. a rule it was recorded not to obey; empty if it can."""
    if driver in experiment.not_on:
        return experiment.not_on[driver]
    for run in read_capabilities().runs:
        for need in experiment.needs if run.driver == driver else ():
            # What was kept from being run has its reason, too; what nobody has tried yet is tried.
            result = run.results.get(need)
            if result and result.outcome is not Case.PASSED:
                return f"{need}: {result.reason or result.outcome.value}"
    return ""


def _observe(experiment: Experiment, script: Script, operator: Operator, world: World, run: Run) -> _Observed:
    traffic = Traffic(
        port=world.port,
        path=world.places["prod"].path,
        probes=experiment.probes,
        seed=f"{run.seed} {experiment.id} {world.topology.value}",
        cancelled=run.cancelled,
    )
    typed: list[TypedLine] = []
    with contextlib.closing(_steps(script, operator, typed)) as steps, traffic.flowing():
        next(steps)
        if not traffic.wait_for(well(_WELL), since=traffic.now(), within=run.patience):
            answers = ", ".join(f"{one.status or 'none'}" for one in traffic.samples[-_WELL:]) or "none yet"
            raise NotReady(
                f"prod of {world.topology.value} is not well before the mistake of {experiment.id}:"
                f" its last answers were {answers}",
                hint="multistack lab reset",
            )
        mistake = traffic.now()
        next(steps)
        made = traffic.now()
        traffic.wait_for(enough(experiment.calls), since=made, within=run.patience)
        undo = traffic.now()
        next(steps, None)
        is_hopeless = experiment.restores and not any(one.phase == "undo" for one in typed)
        within = _SEEN_WITHIN if is_hopeless else run.patience
        is_recovered = traffic.wait_for(well(_WELL), since=traffic.now(), within=within)
    measured = Measurement(samples=traffic.samples, mistake=mistake, made=made, undo=undo, is_recovered=is_recovered)
    return _Observed(measured=measured, typed=typed, findings=operator.findings, doubts=operator.doubts)


def _steps(script: Script, operator: Operator, typed: list[TypedLine]) -> Generator[None, None, None]:
    """The three steps of a script, with what was typed in each."""
    with contextlib.closing(script(operator)) as steps:
        for phase in ("set-up", "mistake", "undo"):
            before = len(operator.typed)
            next(steps, None)
            typed += [TypedLine(phase=phase, line=one.line, answer=one.answer) for one in operator.typed[before:]]
            yield


def rehearse(script: Script, operator: Operator) -> list[TypedLine]:
    """What a script types, without doing it: for an operator that only shows."""
    typed: list[TypedLine] = []
    for _ in _steps(script, operator, typed):
        pass
    return typed


def _judged(blank: Result, experiment: Experiment, world: World, observed: _Observed) -> Result:
    measured, seen = observed.measured, observed.seen
    reason = experiment.variants[world.topology].expected.differs(seen, measured, world.driver)
    if not reason and not measured.is_recovered and not experiment.restores:
        reason = "prod did not recover after the mistake was undone"
    reason = "; ".join([*([reason] if reason else []), *observed.doubts])
    return replace(
        blank,
        outcome=Outcome.DIFFERS if reason else Outcome.AS_EXPECTED,
        reason=reason,
        seen=seen.value,
        told=_told(seen, measured),
        findings=tuple(observed.findings),
        requests=sum(measured.count(verdict) for verdict in Verdict),
        failures=measured.count(Verdict.FAILED),
        wrong=measured.count(Verdict.WRONG),
        share=measured.share,
        first_failure_after=measured.first_failure_after,
        recovered_after=measured.recovered_after,
        undone_at=measured.undo - measured.mistake,
        typed=observed.typed,
        timeline=[
            Moment(at=round(one.ended - measured.mistake, 4), status=one.status, verdict=one.verdict.value)
            for one in measured.samples
        ],
    )


def _told(seen: Effect, measured: Measurement) -> str:
    if seen is Effect.FAILS:
        statuses = " and ".join(str(status or "no answer") for status in sorted(measured.failed_statuses))
        return f"{statuses} on {measured.share:.0%} of the calls"
    if seen is Effect.WRONG_DATA:
        return f"200 with wrong data on {measured.share:.0%} of the calls"
    return "harm that no request shows" if seen is Effect.UNSEEN else "nothing"
