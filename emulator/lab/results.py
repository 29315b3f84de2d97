"""What came out of experiments, as the file that reports, the dashboard and the documentation are made from."""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from emulator.errors import MultistackError
from emulator.process import write_atomically

RESULTS_FILE = "results.json"
FORMAT = 1


class Outcome(enum.Enum):
    """How an experiment ended in one topology."""

    AS_EXPECTED = "as expected"
    DIFFERS = "differs"
    NOT_ON_DRIVER = "not on this driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """
    One request to prod.

    Attributes:
        at: Seconds from the mistake, to the request's end; negative before it.
        verdict: ``good``, ``failed`` or ``wrong``.
    """

    at: float
    status: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedLine:
    """A command of the operator; *phase* is ``set-up``, ``mistake`` or ``undo``, *answer* why it was refused."""

    phase: str
    line: str
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    One experiment in one topology.

    Attributes:
        seen: What prod saw: a value of :class:`emulator.lab.experiment.Effect`; empty when nothing could be seen.
        told: The same in words, e.g. ``502 on 100 % of the calls``.
        expected: In words.
        reason: Why it differs, or is not on this driver; empty when it is as expected.
        findings: Harm that no request shows.
        requests: Sent to prod since the mistake; *failures* and *wrong* of them were hurt.
        share: Of the calls while the mistake was in force, how many were hurt; from 0 to 1.
        first_failure_after: Seconds from the mistake; None when no request was hurt.
        recovered_after: Seconds from the undo; None when none was hurt, or prod did not recover.
        undone_at: Seconds from the mistake to its undo.
        at: When it was run, UTC.
    """

    experiment: str
    topology: str
    driver: str
    emulator: str
    at: str
    seed: int
    outcome: Outcome
    expected: str
    seen: str = ""
    told: str = ""
    reason: str = ""
    findings: Sequence[str] = ()
    requests: int = 0
    failures: int = 0
    wrong: int = 0
    share: float = 0.0
    first_failure_after: float | None = None
    recovered_after: float | None = None
    undone_at: float = 0.0
    typed: Sequence[TypedLine] = ()
    timeline: Sequence[Moment] = field(default=(), repr=False)

    @property
    def is_hurt(self) -> bool:
        """Whether prod was."""
        return self.seen not in ("", "unhurt")


def read_results(path: Path) -> list[Result]:
    """
    All results of the file; none when there is no file.

    Raises:
        MultistackError: It is broken, or of a newer format.
    """
    try:
        data = json.loads(path.read_bytes())
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']}")
        return [_result(entry) for entry in data["results"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MultistackError(f"{path} can't be read: {error}", hint=f"remove it: rm {path}") from error


def _result(entry: dict[str, object]) -> Result:
    typed, timeline = entry["typed"], entry["timeline"]
    if not isinstance(typed, list) or not isinstance(timeline, list):
        raise TypeError("typed and timeline must be lists")
    given = {
        **entry,
        "outcome": Outcome(entry["outcome"]),
        "typed": [TypedLine(**one) for one in typed],
        "timeline": [Moment(**one) for one in timeline],
    }
    return Result(**given)  # type: ignore[arg-type]


def keep_results(path: Path, results: Sequence[Result]) -> None:
    """Put *results* into the file, each in the place of an earlier one of the same experiment, topology and driver."""
    kept = {_key(one): one for one in (*read_results(path), *results)}
    entries = [{**asdict(kept[key]), "outcome": kept[key].outcome.value} for key in sorted(kept)]
    write_atomically(path, json.dumps({"format": FORMAT, "results": entries}, indent=1).encode())


def _key(result: Result) -> tuple[str, str, str]:
    return result.experiment, result.topology, result.driver
