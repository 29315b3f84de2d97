"""A result of the lab, for tests that change some of it."""

from __future__ import annotations

from typing import Any

from emulator.lab.results import Outcome, Result


def make_result(**changes: Any) -> Result:
    """X03 in a single stack, where prod answered with test's data."""
    fields: dict[str, Any] = {
        "experiment": "X03",
        "topology": "single",
        "driver": "embedded",
        "emulator": "ministack 1.5.33",
        "at": "2026-11-26T20:00:00+00:00",
        "seed": 1,
        "outcome": Outcome.AS_EXPECTED,
        "expected": "200 with wrong data",
        "seen": "wrong data",
        "told": "200 with wrong data on 100% of the calls",
        "share": 1.0,
        "first_failure_after": 0.02,
        "recovered_after": 0.03,
    }
    return Result(**{**fields, **changes})
