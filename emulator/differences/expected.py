"""Differences that a project declares as meant to be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from emulator.differences.alignment import text_of
from emulator.differences.covering import Covering
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
        self._places: dict[ExpectedDifference, Covering[ExpectedDifference]] = {}
        self._patience = dict.fromkeys(declared, PATIENCE)
        self.warnings: list[str] = []

    def explain(self, finding: Finding) -> Explained | None:
        """The first declaration that *finding* is expected by, or None."""
        if finding.place.part in _NEVER:
            return None
        for rule in self._rules:
            if self._is_about(rule, finding.place) and (rule.regex is None or self._fits(rule, rule.regex, finding)):
                return Explained(finding=finding, by=rule)
        return None

    def whatever_it_is(self, place: Place) -> ExpectedDifference | None:
        """A declaration that any difference at *place* is expected by, or None."""
        return next((rule for rule in self._rules if rule.regex is None and self._is_about(rule, place)), None)

    def _is_about(self, rule: ExpectedDifference, place: Place) -> bool:
        if rule.header is not None:
            return place == Place(Part.HEADER, (rule.header.lower(),))
        if rule.json_path is None:
            return True
        if rule not in self._places:  # looked for when something differs only
            found = places(rule.json_path, *self._documents)
            self._places[rule] = Covering((one, rule) for one in found)
        return self._places[rule].first(place) is not None

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
