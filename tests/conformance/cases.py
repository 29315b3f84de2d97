"""How a case declares itself, and which cases a driver can't pass."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from emulator.capabilities import Case

_UNSUPPORTED = Path(__file__).with_name("unsupported.toml")
# One more is a reason to build it instead.
MOST_UNSUPPORTED = 4
# Characters of a rule's sentence: `multistack capabilities` then fits a terminal of 140 columns.
_LONGEST_TITLE = 95


def case(*, source: str, rule: int | None = None, gap: str | None = None) -> pytest.MarkDecorator:
    """
    Declare a test a conformance case; its docstring's first sentence is what the matrix shows.

    Args:
        source: Where AWS says so: a page of its documentation, an API model, or an issue.
        rule: The number of the rule in docs/capabilities.md it belongs to.
        gap: The module in ``emulator/drivers/launcher/gaps`` that makes it pass; plain MiniStack must then fail it.
    """
    return pytest.mark.case(source=source, rule=rule, gap=gap)


def case_of(item: pytest.Item) -> Case:
    """What a collected test declared."""
    marker = item.get_closest_marker("case")
    function: Any = getattr(item, "function", None)
    text = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0]
    if marker is None or not text:
        raise pytest.UsageError(f"{item.nodeid}: a conformance case needs @case(source=…) and a docstring")
    if len(text) > _LONGEST_TITLE + 1:
        raise pytest.UsageError(f"{item.nodeid}: say the rule in at most {_LONGEST_TITLE} characters")
    module = Path(str(item.path)).stem.removeprefix("test_").replace("_", "-")
    name = function.__name__.removeprefix("test_").replace("_", "-")
    return Case(
        id=f"{module}/{name}",
        title=text.rstrip("."),
        rule=marker.kwargs.get("rule"),
        source=marker.kwargs["source"],
        gap=marker.kwargs.get("gap"),
    )


def unsupported(driver: str) -> Mapping[str, str]:
    """Case id to the reason why *driver* can't pass it."""
    return dict(tomllib.loads(_UNSUPPORTED.read_text(encoding="utf-8")).get(driver, {}))
