"""Differences that a project declares as meant to be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from emulator.differences.alignment import text_of
from emulator.differences.findings import Explained, Finding, Part, Place
from emulator.differences.json_paths import places
from emulator.differences.timed_regex import PATIENCE, is_same_beside
from emulator.model import ExpectedDifference

# A changed status, or no answer at all, is never meant to be.
_NEVER = {Part.STATUS, Part.PROBLEM}


class Expectations:
    """
    The declarations that hold between two environments, applied to what was found between their answers.

    Attributes:
        warnings: Declarations that were given up.
    """

    def __init__(
        self, declared: Sequence[ExpectedDifference], documents: Sequence[Any], *, between: tuple[str, str]
    ) -> None:
        self._documents = documents
        self._rules = [rule for rule in declared if rule.concerns(*between)]
        self._places: dict[ExpectedDifference, frozenset[Place] | None] = {}
        self._patience = dict.fromkeys(declared, PATIENCE)
        self.warnings: list[str] = []

    def explain(self, finding: Finding) -> Explained | None:
        """The first declaration that *finding* is expected by, or None."""
        if finding.place.part in _NEVER:
            return None
        for rule in self._rules:
            where = self._where(rule)
            if where is not None and not any(place.covers(finding.place) for place in where):
                continue
            if rule.regex is None or self._fits(rule, rule.regex, finding):
                return Explained(finding=finding, by=rule)
        return None

    def _where(self, rule: ExpectedDifference) -> frozenset[Place] | None:
        """What a rule is about; None for everything."""
        if rule.header is not None:
            return frozenset({Place(Part.HEADER, (rule.header.lower(),))})
        if rule not in self._places:  # looked for when something differs only
            self._places[rule] = None if rule.json_path is None else places(rule.json_path, *self._documents)
        return self._places[rule]

    def _fits(self, rule: ExpectedDifference, pattern: str, finding: Finding) -> bool:
        if self._patience[rule] <= 0:
            return False
        started = time.monotonic()
        try:
            return is_same_beside(pattern, _shown(finding.baseline), _shown(finding.value), self._patience[rule])
        except TimeoutError:
            self.warnings.append(
                f"the expected difference with regex {pattern!r} was given up at {finding.place}: "
                f"it takes more than {PATIENCE:g} s"
            )
            return False
        finally:
            self._patience[rule] -= time.monotonic() - started


def unused(
    declared: Iterable[ExpectedDifference], explained: Iterable[Explained], environments: Sequence[str]
) -> list[ExpectedDifference]:
    """
    Declarations that explained nothing, though they are about environments that were compared.

    Args:
        environments: The baseline first, then those that were compared with it.
    """
    baseline, *others = environments
    used = {one.by for one in explained}
    return [rule for rule in declared if rule not in used and any(rule.concerns(baseline, one) for one in others)]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else text_of(value)
