"""
What each framework can and can't do here, said by the tests that show it.

``docs/frameworks.md`` holds the table; ``python -m tests.frameworks`` writes it anew, and a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


_features: list[Feature] = []


def shows(framework: str, text: str, answer: str = "yes") -> Callable[[Test], Test]:
    """Mark a test that shows what a framework's services can do."""

    def mark(test: Test) -> Test:
        where = f"{test.__module__.replace('.', '/')}.py::{test.__qualname__}"
        feature = Feature(framework, text, answer, where[where.index("tests/") :])
        if feature not in _features:  # pytest may have its own name for a module that is imported again
            _features.append(feature)
        return test

    return mark


def table(files: Sequence[str]) -> str:
    """All features that tests in *files* show, as Markdown: framework by framework, in the order of the files."""
    found = [one for file in files for one in _features if one.test.startswith(f"{file}::")]
    order = list(dict.fromkeys(feature.framework for feature in found))
    rows = ["| Framework | What | Here | Shown by |", "|---|---|---|---|"]
    for feature in sorted(found, key=lambda one: order.index(one.framework)):
        file, _, name = feature.test.partition("::")
        rows.append(f"| {feature.framework} | {feature.text} | {feature.answer} | `{name}` in `{file}` |")
    return "\n".join(rows) + "\n"
