"""What experiments showed on each driver: the recorded runs of all of them, as shipped with this version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.errors import MultistackError
from emulator.lab.results import Outcome, Result
from emulator.recorded import read_recorded

RECORDED = Path(__file__).with_name("seen.json")
FORMAT = 1
# What is kept of a result, beside its outcome; the rest is of that run alone.
_KEPT = ("seen", "told", "findings", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """
    A run of all experiments on one driver.

    Attributes:
        emulator: What answered, with its version, e.g. ``localstack 4.14.0``.
        at: The day, e.g. ``2026-11-26``.
        since: Experiment to the day since when the same was seen; without those that this driver can't do.
        results: Of every experiment in every topology.
    """

    driver: str
    emulator: str
    at: str
    since: Mapping[str, str]
    results: Sequence[Result]

    def told(self, experiment: str) -> str:
        """Whether an experiment was seen, in words; empty where it was not run."""
        name = f"{self.driver} ({self.emulator})" if self.driver not in self.emulator else self.emulator
        if experiment in self.since:
            return f"{name} since {self.since[experiment]}"
        reasons = [one.reason for one in self.results if one.experiment == experiment]
        return f"not on {name}: {reasons[0]}" if reasons else ""


def read_seen(path: Path = RECORDED) -> list[Recorded]:
    """
    Read the recorded runs, one per driver.

    Raises:
        MultistackError: The file is missing, broken, or of a newer format: the installation is damaged.
    """
    return read_recorded(path, _by_driver, version=FORMAT, what="what was seen of experiments in")


def _by_driver(data: Mapping[str, Any]) -> list[Recorded]:
    return [_recorded(driver, run) for driver, run in data["runs"].items()]


def _recorded(driver: str, run: Mapping[str, Any]) -> Recorded:
    common = {"driver": driver, "emulator": run["emulator"], "at": run["at"], "seed": run["seed"], "expected": ""}
    return Recorded(
        driver=driver,
        emulator=run["emulator"],
        at=run["at"],
        since={name: one["since"] for name, one in run["experiments"].items() if "since" in one},
        results=[
            Result(**common, experiment=name, topology=topology, outcome=_outcome(kept), **kept)
            for name, one in run["experiments"].items()
            for topology, kept in one["topologies"].items()
        ],
    )


def _outcome(kept: Mapping[str, Any]) -> Outcome:
    """Only what ended as expected is recorded, and what could not be run."""
    return Outcome.AS_EXPECTED if kept.get("seen") else Outcome.NOT_ON_DRIVER


def record(results: Sequence[Result], before: Sequence[Recorded]) -> list[Recorded]:
    """
    What to write after a run of all experiments on one driver, in place of an earlier one.

    Raises:
        MultistackError: An experiment ended otherwise than expected, so that there is nothing to be shipped.
    """
    if others := sorted({one.experiment for one in results if one.outcome is Outcome.DIFFERS}):
        raise MultistackError(f"not recorded: {', '.join(others)} ended otherwise than expected")
    driver = results[0].driver
    at = max(one.at for one in results)[:10]
    known = {one.driver: one for one in before}
    known[driver] = Recorded(
        driver=driver,
        emulator=results[0].emulator,
        at=at,
        since=_since(results, known.get(driver), at=at),
        results=list(results),
    )
    return [known[name] for name in sorted(known)]


def _since(results: Sequence[Result], before: Recorded | None, *, at: str) -> dict[str, str]:
    now, then = _effects(results), _effects(before.results if before else ())
    return {
        name: before.since.get(name, at) if before and then.get(name) == effects else at
        for name, effects in now.items()
        if all(effects.values())
    }


def _effects(results: Sequence[Result]) -> dict[str, dict[str, str]]:
    """Experiment to what prod saw in each topology."""
    found: dict[str, dict[str, str]] = {}
    for one in results:
        found.setdefault(one.experiment, {})[one.topology] = one.seen
    return found


def write_seen(runs: Sequence[Recorded], path: Path = RECORDED) -> None:
    """Write the recorded runs, so that a changed result is one changed line."""
    data = {"format": FORMAT, "runs": {one.driver: _written(one) for one in runs}}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _written(run: Recorded) -> dict[str, Any]:
    experiments: dict[str, Any] = {}
    for one in run.results:
        since = {"since": run.since[one.experiment]} if one.experiment in run.since else {}
        entry = experiments.setdefault(one.experiment, {**since, "topologies": {}})
        entry["topologies"][one.topology] = {name: value for name in _KEPT if (value := getattr(one, name))}
    return {"emulator": run.emulator, "at": run.at, "seed": run.results[0].seed, "experiments": experiments}
