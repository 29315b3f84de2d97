"""
What MiniStack lacks, and what a test of ``tests/conformance`` or ``tests/unit`` therefore wants.

Each module is one gap: its first line names it, ``apply()`` fills it in the running process.
"""

from __future__ import annotations

from emulator.drivers.launcher.gaps import (
    alias_rules,
    alias_weights,
    any_method,
    http_api_body,
    service_models,
    unbounded_logs,
    unbounded_metrics,
    version_rules,
)

GAPS = (
    alias_rules,
    alias_weights,
    any_method,
    http_api_body,
    service_models,
    unbounded_logs,
    unbounded_metrics,
    version_rules,
)


def apply() -> None:
    """Fill every gap; once per process, before the first request."""
    for gap in GAPS:
        gap.apply()
