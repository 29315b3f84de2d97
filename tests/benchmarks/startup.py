"""Figure 1: from nothing to three answering environments, beside three serverless-offline processes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.benchmarks import serverless, where
from tests.benchmarks.figures import Figure, Result, Table, say, spread
from tests.benchmarks.sample import Up, fresh_project, median_milestones, up

_ROUNDS = 5
_REQUIRED_RATIO = 1.5
_REQUIRED_BUILT = 3.0
_REQUIRED_AGAIN = 1.0


@dataclass(kw_only=True)
class Rounds:
    """
    What all rounds showed.

    Attributes:
        missing: Why there is no comparison; empty when there is.
    """

    missing: str
    fresh: list[Up] = field(default_factory=list)
    built: list[Up] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    theirs: list[serverless.Started] = field(default_factory=list)


def run() -> Result:
    """Measure; the first round is a warm-up of the machine's file cache and is not counted."""
    rounds = Rounds(missing=serverless.find_comparison())
    for number in range(_ROUNDS + 1):
        # Who goes first changes, so that neither always finds the machine as the other left it.
        for turn in (_ours, _theirs) if number % 2 else (_theirs, _ours):
            turn(rounds)
        _tell(number, rounds)
    for counted in (rounds.fresh, rounds.built, rounds.again, rounds.theirs):
        del counted[:1]
    return Result(
        title="Starting",
        figures=_figures(rounds),
        tables=[_rounds_table(rounds), *_timelines(rounds), *where.tables()],
    )


def _ours(rounds: Rounds) -> None:
    with fresh_project() as folder:
        rounds.fresh.append(up(folder))
        folder.run("down")
        rounds.built.append(up(folder))
        started = time.monotonic()
        folder.run("up")
        rounds.again.append(time.monotonic() - started)


def _theirs(rounds: Rounds) -> None:
    if rounds.missing:
        return
    try:
        rounds.theirs.append(serverless.start_three())
    except RuntimeError as error:
        rounds.missing = f"serverless-offline failed: {error}"
        rounds.theirs.clear()


def _tell(number: int, rounds: Rounds) -> None:
    beside = f"three serverless-offline {rounds.theirs[-1].seconds:.2f} s" if rounds.theirs else rounds.missing
    say(
        f"startup {number}/{_ROUNDS}: up {rounds.fresh[-1].seconds:.2f} s, built {rounds.built[-1].seconds:.2f} s, "
        f"again {rounds.again[-1]:.2f} s, {beside}"
    )


def _figures(rounds: Rounds) -> list[Figure]:
    ours = statistics.median(each.seconds for each in rounds.fresh)
    built, again = statistics.median(each.seconds for each in rounds.built), statistics.median(rounds.again)
    passed, measured = None, f"{ours:.2f} s; no comparison: {rounds.missing}"
    if rounds.theirs:
        theirs = statistics.median(each.seconds for each in rounds.theirs)
        passed, measured = ours / theirs <= _REQUIRED_RATIO, f"{ours / theirs:.2f} x ({ours:.2f} s to {theirs:.2f} s)"
    return [
        Figure(
            name="`up` from nothing, to three serverless-offline",
            required=f"<= {_REQUIRED_RATIO} x",
            measured=measured,
            passed=passed,
            how=f"medians of {_ROUNDS} rounds, alternating. Ours: `multistack up` in a fresh copy of the sample, until "
            "the command has ended and all three environments have answered 200 through the proxy. Theirs: three "
            "processes started at once with one trivial Python handler and no AWS behind it, until all have answered. "
            "Both are installed and have run before on this machine: a first round is not counted, and serverless "
            "keeps its own cache.",
        ),
        Figure(
            name="`up` with everything built",
            required=f"< {_REQUIRED_BUILT:g} s on two idle cores",
            measured=f"{built:.2f} s",
            passed=built < _REQUIRED_BUILT,
            how="the same after `multistack down`, until all three have answered 200.",
        ),
        Figure(
            name="`up` with nothing to do",
            required=f"< {_REQUIRED_AGAIN:g} s",
            measured=f"{again:.2f} s",
            passed=again < _REQUIRED_AGAIN,
            how="`multistack up` once more; the command alone.",
        ),
    ]


def _rounds_table(rounds: Rounds) -> Table:
    rows = [
        ["up from nothing", *spread([each.seconds for each in rounds.fresh])],
        ["of it, slowest first request", *spread([each.first_request for each in rounds.fresh])],
        ["up with everything built", *spread([each.seconds for each in rounds.built])],
        ["of it, slowest first request", *spread([each.first_request for each in rounds.built])],
        ["up with nothing to do", *spread(rounds.again)],
    ]
    if rounds.theirs:
        rows.append(["three serverless-offline", *spread([each.seconds for each in rounds.theirs])])
        rows.append(["one of them, resident", *spread([each.resident for each in rounds.theirs], unit="MB", digits=0)])
    return Table(title="Start to answer", columns=["what", "median", "least", "greatest"], rows=rows)


def _timelines(rounds: Rounds) -> list[Table]:
    return [
        Table(
            title=f"Where the time goes: `up` {name}, as its progress tells",
            columns=["reached", "after", "step"],
            rows=_steps(median_milestones(ups)),
            note="Medians. Environments go side by side, so a step is the time between the last ones of all.",
        )
        for name, ups in (("from nothing", rounds.fresh), ("with everything built", rounds.built))
    ]


def _steps(milestones: Sequence[tuple[str, float]]) -> list[list[str]]:
    before = 0.0
    rows = []
    for name, at in milestones:
        rows.append([name, f"{at:.2f} s", f"{at - before:.2f} s"])
        before = at
    return rows
