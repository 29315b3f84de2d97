"""The answers of several environments to one request, and in what they differ from the first of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from emulator.differences import Difference, Finding, Mask, compare, find_noise, unstable_status, unused
from emulator.differences.content import Binary, Json, content_of
from emulator.model import ComparisonRules, ExpectedDifference, HttpAnswer, Route
from emulator.proxy.problems import Problem
from emulator.proxy.selection import Selection

# What came of asking one environment; the problem stands in for an answer, or for its end.
Entry = tuple[HttpAnswer, Problem | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """
    Attributes:
        differences: By environment, all but the baseline.
        masks: What differed when one environment was asked twice.
        unstable: Environments that answered with two statuses.
    """

    selection: Selection
    entries: Mapping[str, Entry]
    routes: Mapping[str, Route]
    rules: ComparisonRules
    differences: Mapping[str, Difference]
    masks: tuple[Mask, ...] = ()
    unstable: Mapping[str, Finding]

    @classmethod
    def of(
        cls,
        selection: Selection,
        entries: Mapping[str, Entry],
        routes: Mapping[str, Route],
        rules: ComparisonRules,
        masks: tuple[Mask, ...] = (),
    ) -> SideBySide:
        """Hold the answers in *entries* against the baseline's."""
        baseline, *others = selection.environments
        return cls(
            selection=selection,
            entries=entries,
            routes=routes,
            rules=rules,
            differences={
                name: compare(
                    entries[baseline][0], entries[name][0], rules=rules, between=(baseline, name), masks=masks
                )
                for name in others
            },
            masks=masks,
            unstable={},
        )

    @property
    def is_equal(self) -> bool:
        """Whether all answered, and the same but for what is masked and expected."""
        answered = all(problem is None for _, problem in self.entries.values())
        return answered and not self.unstable and all(one.is_empty for one in self.differences.values())

    @property
    def to_ask_again(self) -> tuple[str, ...]:
        """Environments whose answers differ, with the baseline; where all are alike, nothing can be noise."""
        differing = [name for name, one in self.differences.items() if not one.is_empty and self._answered(name)]
        baseline = self.selection.environments[0]
        return (baseline, *differing) if differing and self._answered(baseline) else ()

    def with_second(self, second: Mapping[str, Entry]) -> SideBySide:
        """The same, with what differs between the two answers of one environment masked."""
        masks: dict[Mask, None] = {}
        unstable = {}
        for name, (answer, _) in second.items():
            first = self.entries[name][0]
            masks |= dict.fromkeys(find_noise(first, answer, rules=self.rules))
            if finding := unstable_status(first.status, answer.status):
                unstable[name] = finding
        found = SideBySide.of(self.selection, self.entries, self.routes, self.rules, tuple(masks))
        return replace(found, unstable=unstable)

    def to_json(self) -> dict[str, Any]:
        """The document that ``/_all/`` answers with."""
        baseline = self.selection.environments[0]
        explained = [(name, one) for name, found in self.differences.items() for one in found.expected]
        masked = dict.fromkeys([*self.masks, *(mask for found in self.differences.values() for mask in found.masked)])
        rules = unused(self.rules.expected, (one for _, one in explained), self.selection.environments)
        return {
            "request": {"method": self.selection.method, "target": self.selection.target},
            "baseline": baseline,
            "is_equal": self.is_equal,
            "environments": {name: self._entry(name) for name in self.selection.environments},
            "masked": [mask.to_json() for mask in masked],
            "expected": [{"environment": name, **one.to_json()} for name, one in explained],
            "unused": [_declaration(rule) for rule in rules],
            "warnings": list(
                dict.fromkeys(warning for found in self.differences.values() for warning in found.warnings)
            ),
        }

    def _answered(self, name: str) -> bool:
        return self.entries[name][1] is None

    def _entry(self, name: str) -> dict[str, Any]:
        answer, problem = self.entries[name]
        findings = self.differences[name].findings if name in self.differences else ()
        found = [*([self.unstable[name]] if name in self.unstable else []), *findings]
        body, encoding = _body(answer)
        route = self.routes.get(name)
        entry = {
            "status": answer.status,
            "headers": [list(header) for header in answer.headers],
            "body": body,
            "body_encoding": encoding,
            "body_length": answer.body_length,
            "body_sha256": answer.body_sha256,
            "seconds": round(answer.seconds, 6),
            "release": route.release if route else None,
            "digest": route.digest if route else None,
            "differences": [one.to_json() for one in found],
        }
        return {**entry, "problem": json.loads(problem.to_json(instance=None))} if problem else entry


def _body(answer: HttpAnswer) -> tuple[Any, str]:
    content = content_of(answer)
    if isinstance(content, Json):
        return content.document, "json"
    if not isinstance(content, Binary):
        return content.text, "text"
    try:
        return answer.body.decode(), "text"  # the first bytes of a long one
    except UnicodeDecodeError:
        return base64.b64encode(answer.body).decode(), "base64"


def _declaration(rule: ExpectedDifference) -> dict[str, Any]:
    content = {
        "between": list(rule.between) if rule.between else "all",
        "json_path": rule.json_path,
        "header": rule.header,
        "regex": rule.regex,
        "reason": rule.reason,
    }
    return {key: value for key, value in content.items() if value is not None}
