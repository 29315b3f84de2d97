"""What each driver can do: the recorded runs of the conformance suite, as shipped with this version."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emulator.recorded import read_recorded

RECORDED = Path(__file__).with_name("capabilities.json")
FORMAT = 1


class Outcome(enum.Enum):
    """How a case ended on a driver."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    One rule of AWS, held against every driver.

    Attributes:
        id: E.g. ``lambda-aliases/weights-steer-traffic``; stable, and sorted by it.
        title: The rule in one sentence.
        rule: The number of the rule of environments it belongs to, if any.
        source: Where AWS says so.
        gap: The addition to MiniStack that makes the embedded driver obey it; None when MiniStack does by itself.
    """

    id: str
    title: str
    source: str
    rule: int | None = None
    gap: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A case's outcome; *reason* says why it is unsupported or was not run."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    A recorded run of all cases against one driver.

    Attributes:
        emulator: What answered, with its version.
        at: The day, e.g. ``2026-11-25``.
        results: Case id to result.
    """

    driver: str
    emulator: str
    at: str
    results: Mapping[str, Result]

    def outcome(self, case: Case) -> Outcome:
        """How *case* ended; one made since was not run."""
        result = self.results.get(case.id)
        return result.outcome if result else Outcome.NOT_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The matrix: cases sorted by id, one run per driver."""

    cases: Sequence[Case]
    runs: Sequence[Run]


def read_capabilities(path: Path = RECORDED) -> Capabilities:
    """
    Read the recorded runs.

    Raises:
        MultistackError: The file is missing, broken, or of a newer format: the installation is damaged.
    """
    return read_recorded(path, _capabilities, version=FORMAT, what="the recorded capabilities")


def _capabilities(data: Mapping[str, Any]) -> Capabilities:
    return Capabilities(
        cases=[Case(**case) for case in data["cases"]],
        runs=[_run(driver, run) for driver, run in data["runs"].items()],
    )


def _run(driver: str, run: Mapping[str, object]) -> Run:
    results = run["results"]
    if not isinstance(results, dict):
        raise TypeError("results must be a table")
    return Run(
        driver=driver,
        emulator=str(run["emulator"]),
        at=str(run["at"]),
        results={
            case: Result(outcome=Outcome(result["outcome"]), reason=result.get("reason", ""))
            for case, result in results.items()
        },
    )


def write_capabilities(capabilities: Capabilities, path: Path = RECORDED) -> None:
    """Write the recorded runs, so that a changed result is one changed line."""
    data = {
        "format": FORMAT,
        "cases": [
            {key: value for key, value in asdict(case).items() if value is not None} for case in capabilities.cases
        ],
        "runs": {
            run.driver: {
                "emulator": run.emulator,
                "at": run.at,
                "results": {
                    case: {"outcome": result.outcome.value, **({"reason": result.reason} if result.reason else {})}
                    for case, result in sorted(run.results.items())
                },
            }
            for run in capabilities.runs
        },
    }
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
