"""Experiments by topology: what the report, the dashboard and the documentation have in common."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emulator.lab.experiment import Experiment, Variant
from emulator.lab.results import Outcome, Result, TypedLine
from emulator.lab.topologies import Topology

# From what hurts most to what hurts least.
COLUMNS = (Topology.SINGLE, Topology.SAME_ACCOUNT, Topology.MULTI)
HEADINGS = {
    Topology.SINGLE: "single-stack",
    Topology.SAME_ACCOUNT: "multi-stack, one account",
    Topology.MULTI: "multi-stack, an account each",
}


class Sign(enum.Enum):
    """What became of prod; the value is shown before the words, so that colour is not needed to tell."""

    HURT = "✗"
    WELL = "✓"
    UNKNOWN = "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """
    One experiment in one topology.

    Attributes:
        result: None when it wasn't run.
        note: What differs from what was expected, or why it couldn't be run.
    """

    topology: Topology
    variant: Variant
    result: Result | None
    sign: Sign
    told: str
    note: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether the driver can't do it; *note* says why."""
        return self.result is not None and self.result.outcome is Outcome.NOT_ON_DRIVER

    @property
    def mistake(self) -> Sequence[TypedLine]:
        """The commands of the mistake."""
        return [line for line in self.result.typed if line.phase == "mistake"] if self.result else []

    @property
    def times(self) -> str:
        """How many requests were hurt, how soon, and how soon prod was well again; empty where none was."""
        if self.result is None or self.result.first_failure_after is None:
            return ""
        count = f"{self.result.failures + self.result.wrong} of {self.result.requests} requests since the mistake"
        first = f"{count}, the first after {seconds(self.result.first_failure_after)}"
        if self.result.recovered_after is None:
            return f"{first}; not well again by undoing it"
        return f"{first}; well {seconds(self.result.recovered_after)} after the undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One experiment."""

    experiment: Experiment
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many experiments hurt prod in one topology, of those that could be run there."""

    topology: Topology
    hurt: int
    run: int

    @property
    def heading(self) -> str:
        """The topology as the report calls it."""
        return HEADINGS[self.topology]


def rows_of(experiments: Iterable[Experiment], results: Iterable[Result], *, driver: str) -> list[Row]:
    """Every experiment with what was seen of it on *driver*, run or not."""
    found = {(one.experiment, one.topology): one for one in results if one.driver == driver}
    return [
        Row(
            experiment=experiment,
            cells=[
                _cell(topology, experiment.variants[topology], found.get((experiment.id, topology.value)))
                for topology in COLUMNS
            ],
        )
        for experiment in experiments
    ]


def _cell(topology: Topology, variant: Variant, result: Result | None) -> Cell:
    if result is None:
        return Cell(topology=topology, variant=variant, result=None, sign=Sign.UNKNOWN, told="not run")
    if result.outcome is Outcome.NOT_ON_DRIVER:
        return Cell(
            topology=topology,
            variant=variant,
            result=result,
            sign=Sign.UNKNOWN,
            told=result.outcome.value,
            note=result.reason,
        )
    return Cell(
        topology=topology,
        variant=variant,
        result=result,
        sign=Sign.HURT if result.is_hurt else Sign.WELL,
        told=("; ".join(result.findings) or result.told) if result.is_hurt else "unhurt",
        note=f"not as expected: {result.reason}" if result.outcome is Outcome.DIFFERS else "",
    )


def scores_of(rows: Iterable[Row]) -> list[Score]:
    """One per topology; controls don't count, for they hurt prod everywhere."""
    cells = [cell for row in rows if not row.experiment.is_control for cell in row.cells]
    return [
        Score(
            topology=topology,
            hurt=sum(cell.sign is Sign.HURT for cell in cells if cell.topology is topology),
            run=sum(cell.sign is not Sign.UNKNOWN for cell in cells if cell.topology is topology),
        )
        for topology in COLUMNS
    ]


def seconds(value: float) -> str:
    """A time as a person reads it."""
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def subtitle(results: Iterable[Result], *, driver: str) -> str:
    """When, and on what, the results were made."""
    found = [one for one in results if one.driver == driver]
    if not found:
        return f"nothing was run on the driver {driver} yet"
    emulators = ", ".join(sorted({one.emulator for one in found}))
    first, last = (choose(one.at for one in found)[:10] for choose in (min, max))
    days = f"run on {last}" if first == last else f"run from {first} to {last}"
    return f"{days}, driver {driver} ({emulators})"
