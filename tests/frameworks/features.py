"""
What each framework can and can't do here, said by the tests that show it.

``docs/frameworks.md`` holds the table; ``python -m tests.frameworks`` writes it anew, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Feature:
    """*answer* is ``yes``, or what happens instead; *test* shows it."""

    framework: str
    text: str
    answer: str
    test: str


FEATURES: list[Feature] = []


def shows(framework: str, text: str, answer: str = "yes") -> Callable[[Test], Test]:
    """Mark a test that shows what a framework's services can do."""

    def mark(test: Test) -> Test:
        where = f"{test.__module__.replace('.', '/')}.py::{test.__qualname__}"
        FEATURES.append(Feature(framework, text, answer, where[where.index("tests/") :]))
        return test

    return mark


def table() -> str:
    """All features as Markdown, those of one framework together."""
    rows = ["| Framework | What | Here | Shown by |", "|---|---|---|---|"]
    order = list(dict.fromkeys(feature.framework for feature in FEATURES))
    for feature in sorted(FEATURES, key=lambda one: order.index(one.framework)):
        name = feature.test.rpartition("::")[2]
        file = feature.test.partition("::")[0]
        rows.append(f"| {feature.framework} | {feature.text} | {feature.answer} | `{name}` in `{file}` |")
    return "\n".join(rows) + "\n"
