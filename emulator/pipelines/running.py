"""Runs a plan: each step as soon as those that it needs have passed, and all that are ready at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from emulator.errors import ConfigError, MultistackError
from emulator.parallel import Cancellation
from emulator.pipelines.plan import Plan, Step
from emulator.pipelines.results import Ended, Ending, Started, StepResult, Tell

Perform = Callable[[Step, Mapping[str, StepResult]], StepResult]
Confirm = Callable[[Step], bool | None]
"""Whether a manual step starts; None when there is nobody to ask."""

# Seconds after which a Ctrl-C is noticed at the latest.
_LATENCY = 0.1
_MOST_AT_ONCE = 10


def only(plan: Plan, name: str) -> Plan:
    """
    The plan of the steps of that name or id alone; what they need is taken as done.

    Raises:
        ConfigError: There is none.
    """
    steps = [replace(step, needs=()) for step in plan.steps if name in {step.id, step.name}]
    if not steps:
        names = ", ".join(step.name for step in plan.steps)
        raise ConfigError(f"--step: {plan.file} has no step {name!r} for {plan.trigger.shown}", hint=f"it has: {names}")
    return replace(plan, steps=steps)


def run_plan(
    plan: Plan, *, perform: Perform, confirm: Confirm, tell: Tell, cancellation: Cancellation
) -> Sequence[StepResult]:
    """
    Run *plan*.

    Args:
        perform: Runs one step, in a thread of its own.
        confirm: Asked in this thread.

    Returns:
        What became of each step, in the order of the plan.

    Raises:
        KeyboardInterrupt: After every step has ended; each is told through *cancellation*.
    """
    return _Runner(plan, perform, confirm, tell, cancellation).run()


class _Runner:
    def __init__(self, plan: Plan, perform: Perform, confirm: Confirm, tell: Tell, cancellation: Cancellation) -> None:
        self._plan = plan
        self._perform = perform
        self._confirm = confirm
        self._tell = tell
        self._cancellation = cancellation
        self._results: dict[str, StepResult] = {}
        self._running: dict[Future[StepResult], Step] = {}

    def run(self) -> Sequence[StepResult]:
        with ThreadPoolExecutor(max_workers=_MOST_AT_ONCE) as pool:
            try:
                while self._start_ready(pool) or self._running:
                    self._collect()
            except BaseException:
                self._cancellation.cancel()
                raise
        return [self._results[step.id] for step in self._plan.steps]

    def _start_ready(self, pool: ThreadPoolExecutor) -> bool:
        """Start, skip or leave waiting what can be decided now; whether anything was."""
        begun = {step.id for step in self._running.values()} | self._results.keys()
        ready = [step for step in self._plan.steps if step.id not in begun and set(step.needs) <= self._results.keys()]
        for step in ready:
            obstacle = next((one for need in step.needs if (one := self._results[need]).stops_others), None)
            if obstacle is not None:
                is_waiting = obstacle.ending is Ending.WAITING
                self._settle(step, Ending.WAITING if is_waiting else Ending.SKIPPED, f"after {obstacle.step.name}")
            elif step.is_manual and (answer := self._confirm(step)) is not True:
                self._settle(step, Ending.WAITING, "for --yes" if answer is None else "as you said")
            else:
                self._tell(Started(step))
                before = self._before(step)
                self._running[pool.submit(self._perform, step, before)] = step
        return bool(ready)

    def _before(self, step: Step) -> Mapping[str, StepResult]:
        """What passed on the way to *step*, earliest first."""
        by_id = {one.id: one for one in self._plan.steps}
        wanted, pending = set(), list(step.needs)
        while pending:
            need = pending.pop()
            if need not in wanted:
                wanted.add(need)
                pending += by_id[need].needs
        return {name: self._results[name] for name in by_id if name in wanted}

    def _settle(self, step: Step, ending: Ending, reason: str) -> None:
        self._results[step.id] = StepResult(step=step, ending=ending, reason=reason)
        self._tell(Ended(self._results[step.id]))

    def _collect(self) -> None:
        # In steps: a signal that comes just before the main thread blocks would wake it only at the end.
        done = wait(self._running, timeout=_LATENCY, return_when=FIRST_COMPLETED).done
        for future in done:
            step = self._running.pop(future)
            try:
                result = future.result()
            except MultistackError as error:
                result = StepResult(step=step, ending=Ending.FAILED, code=error.exit_code, reason=error.message)
            self._results[step.id] = result
            self._tell(Ended(result))
