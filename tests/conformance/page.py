"""docs/capabilities.md, made from the recorded runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from emulator.capabilities import RECORDED, Capabilities, Case, Outcome, Run, read_capabilities

PAGE = RECORDED.parent.parent / "docs" / "capabilities.md"
_HEAD = """# What the drivers can do

One line per rule of AWS that an environment depends on, held against every driver by `make conformance`. Each case
makes real resources and sends real traffic: an API call that is accepted proves nothing. `multistack capabilities`
prints the same. This page is written by that run; do not edit it.

*embedded* is multistack's default driver, *localstack* a container of the image that `multistack image build` makes.
*ministack* is the emulator inside the embedded driver as it comes, without [multistack's additions](emulator.md#gaps);
the last column names the addition that makes the difference there.
"""
_WORDS = {Outcome.PASSED: "yes", Outcome.NOT_RUN: "not run", Outcome.FAILED: "**no**", Outcome.UNSUPPORTED: "no"}


def write_page(path: Path = PAGE) -> None:
    """Write the page."""
    path.write_text(page_of(read_capabilities()), encoding="utf-8")


def page_of(found: Capabilities) -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_summary(found), *_topics(found)]) + "\n"


def _summary(found: Capabilities) -> Iterator[str]:
    yield "| Driver | Emulator | Rules obeyed | Recorded |"
    yield "|---|---|---|---|"
    for run in found.runs:
        passed = sum(run.outcome(case) is Outcome.PASSED for case in found.cases)
        yield f"| {run.driver} | {run.emulator} | {passed} of {len(found.cases)} | {run.at} |"
    yield ""


def _topics(found: Capabilities) -> Iterator[str]:
    for topic, cases in itertools.groupby(found.cases, key=lambda case: case.id.partition("/")[0]):
        yield f"## {topic.replace('-', ' ').capitalize()}"
        yield ""
        yield f"| Rule | {' | '.join(run.driver for run in found.runs)} | Addition |"
        yield f"|---|{'---|' * len(found.runs)}---|"
        for case in cases:
            cells = " | ".join(_cell(run, case) for run in found.runs)
            yield f"| [{case.title}]({case.source}) | {cells} | {f'`{case.gap}`' if case.gap else ''} |"
        yield ""


def _cell(run: Run, case: Case) -> str:
    word, result = _WORDS[run.outcome(case)], run.results.get(case.id)
    is_told = result is None or not result.reason or result.reason.startswith("filled by ")
    return word if is_told else f"{word}: {result.reason}"
