"""The command on what drivers can do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from emulator.capabilities import Capabilities, Case, Outcome, Run


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def capabilities(as_json: bool) -> None:
    """
    Show which rules of AWS each driver obeys.

    From the last recorded run of the conformance suite; nothing is run.
    """
    from emulator.capabilities import read_capabilities
    from emulator.render import print_json, table

    found = read_capabilities()
    if as_json:
        print_json(found)
        return
    drivers = [run.driver for run in found.runs]
    click.echo(table(["topic", "rule", *drivers], list(_rows(found))))
    click.echo()
    for run in found.runs:
        click.echo(_summary(run, found.cases))
        for line in _reasons(run, found.cases):
            click.echo(f"  {line}")


def _rows(found: Capabilities) -> Iterator[Sequence[str]]:
    before = ""
    for case in found.cases:
        topic = case.id.partition("/")[0]
        yield [topic if topic != before else " ", case.title, *(_cell(run, case) for run in found.runs)]
        before = topic


def _cell(run: Run, case: Case) -> str:
    from emulator.capabilities import Outcome

    outcome = run.outcome(case)
    word = {Outcome.PASSED: "yes", Outcome.NOT_RUN: "not run"}.get(outcome, "no")
    return click.style(word, fg={"yes": "green", "no": "red"}.get(word))


def _summary(run: Run, cases: Sequence[Case]) -> str:
    from emulator.capabilities import Outcome

    passed = _count(run, cases, Outcome.PASSED)
    return f"{run.driver}: {passed} of {len(cases)} ({run.emulator}, recorded {run.at})"


def _count(run: Run, cases: Sequence[Case], outcome: Outcome) -> int:
    return sum(run.outcome(case) is outcome for case in cases)


def _reasons(run: Run, cases: Sequence[Case]) -> Iterator[str]:
    """Why a case is unsupported; one that an addition of ours fills needs no words, the other column says it."""
    for case in cases:
        result = run.results.get(case.id)
        if result is not None and result.reason and not result.reason.startswith("filled by "):
            yield f"{case.title}: {result.reason}"


COMMANDS = (capabilities,)
