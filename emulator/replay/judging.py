"""Holds what was answered against what should have been, without secrets and without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from emulator.differences import Difference, compare, find_noise, unstable_status
from emulator.inspector.redaction import Redaction
from emulator.model import ComparisonRules, HttpAnswer, HttpRequest
from emulator.replay.headers import answer_headers
from emulator.replay.redacting import as_exchange

_REQUEST = HttpRequest(method="GET", target="/")


class Judge:
    """
    Compares answers by the rules of one project.

    Args:
        between: Where the expected answer comes from, and where the other one.
        is_recorded: The expected answer was recorded: what is noise then shows in the other environment.
    """

    def __init__(
        self, *, rules: ComparisonRules, redaction: Redaction, between: tuple[str, str], is_recorded: bool
    ) -> None:
        self._rules = rules
        self._redaction = redaction
        self._between = between
        self._is_recorded = is_recorded

    def compare(
        self, expected: HttpAnswer, answer: HttpAnswer, *, again: Callable[[], HttpAnswer | None]
    ) -> Difference | None:
        """
        In what *answer* differs; None when it is the very same.

        Args:
            again: Asks the environment that shows what is noise a second time; called only if something differs.
        """
        if _are_same(expected, answer):
            return None
        left, right = self._clean(expected), self._clean(answer)
        found = compare(left, right, rules=self._rules, between=self._between)
        if found.is_empty:
            return found
        second = again()
        if second is None:
            return found
        first, second = right if self._is_recorded else left, self._clean(second)
        masks = find_noise(first, second, rules=self._rules)
        if masks:
            found = compare(left, right, rules=self._rules, between=self._between, masks=masks)
        unstable = unstable_status(first.status, second.status)
        return replace(found, findings=(unstable, *found.findings)) if unstable else found

    def _clean(self, answer: HttpAnswer) -> HttpAnswer:
        """Without secrets, as a recording has it."""
        cleaned = self._redaction.redact(as_exchange(_REQUEST, answer)).answer
        return replace(cleaned, headers=answer_headers(cleaned.headers))


def _are_same(expected: HttpAnswer, answer: HttpAnswer) -> bool:
    """Whether there is nothing to compare: most answers of a good release."""
    return (
        expected.status == answer.status
        and expected.body == answer.body
        and expected.body_length == answer.body_length
        and expected.problem == answer.problem
        and answer_headers(expected.headers) == answer_headers(answer.headers)
    )
