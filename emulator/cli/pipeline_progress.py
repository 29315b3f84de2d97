"""What a person sees of a pipeline while it runs, and what a machine gets at its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

import click

from emulator.pipelines.plan import Plan
from emulator.pipelines.results import Ended, Ending, Printed, Started, StepResult, Told

_COLOURS = {Ending.PASSED: "green", Ending.FAILED: "red", Ending.SKIPPED: "bright_black", Ending.WAITING: "yellow"}


class Progress:
    """
    One line on stderr when a step starts or ends; what steps print goes to stdout, labelled where several may run.

    Args:
        as_json: Stdout is for the result; what steps print goes to stderr too.
    """

    def __init__(self, plan: Plan, *, as_json: bool) -> None:
        needs = [step.needs for step in plan.steps]
        self._width = max(len(step.name) for step in plan.steps) if len(set(needs)) < len(needs) else 0
        self._is_output_on_stderr = as_json
        self._lock = threading.Lock()

    def note(self, *notes: str) -> None:
        """Lines on stderr before anything runs."""
        for text in notes:
            self._say(f"{click.style('note:', fg='cyan')} {text}", err=True)

    def __call__(self, told: Told) -> None:
        """One event; callable from several threads."""
        if isinstance(told, Printed):
            label = f"{click.style(f'{told.step.name:{self._width}}', dim=True)}  " if self._width else ""
            self._say(f"{label}{told.line}", err=self._is_output_on_stderr)
        elif isinstance(told, Started):
            where = f" ({told.step.environment})" if told.step.environment else ""
            self._say(click.style(f"{told.step.name}: started{where}", bold=True), err=True)
        elif isinstance(told, Ended):
            self._say(_ended(told.result), err=True)

    def _say(self, line: str, *, err: bool) -> None:
        """When nobody reads any more, the work goes on and the exit code tells."""
        with self._lock, contextlib.suppress(OSError):
            click.echo(line, err=err)


def _ended(result: StepResult) -> str:
    word = click.style(result.ending.value, fg=_COLOURS[result.ending], bold=True)
    took = click.style(f" ({result.seconds:.1f} s)", dim=True) if result.seconds else ""
    reason = f", {result.reason}" if result.reason else ""
    return f"{result.step.name}: {word}{reason}{took}"


def as_plain(plan: Plan, results: Sequence[StepResult]) -> dict[str, object]:
    """The result of a run for machines."""
    return {
        "file": plan.file,
        "system": plan.system.value,
        "trigger": plan.trigger,
        "notes": list(plan.notes),
        "steps": [
            {
                "step": one.step.name,
                "id": one.step.id,
                "line": one.step.line,
                "environment": one.step.environment,
                "ending": one.ending.value,
                "exit_code": one.code,
                "reason": one.reason or None,
                "seconds": round(one.seconds, 3),
            }
            for one in results
        ],
    }
