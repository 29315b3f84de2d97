"""The sections of a project file that the running proxy goes by, as its rules."""

from __future__ import annotations

from emulator.model import ComparisonRules, ExpectedDifference, InspectorSettings, Rules
from emulator.schema import CompareTable, ExpectedTable, InspectorTable, ProjectTable


def rules_of(table: ProjectTable) -> Rules:
    """What *table* says about requests that are compared and kept."""
    return Rules(comparison=_comparison(table.compare), inspector=_inspector(table.inspector))


def _comparison(table: CompareTable) -> ComparisonRules:
    return ComparisonRules(
        ignore_order=tuple(table.ignore_order), expected=tuple(_expected(one) for one in table.expected)
    )


def _expected(table: ExpectedTable) -> ExpectedDifference:
    return ExpectedDifference(
        between=None if table.between == "all" else (table.between[0], table.between[1]),
        json_path=table.json_path,
        header=table.header,
        regex=table.regex,
        reason=table.reason,
    )


def _inspector(table: InspectorTable) -> InspectorSettings:
    return InspectorSettings(
        enabled=table.enabled,
        max_requests=table.max_requests,
        max_bytes=table.max_size,
        max_age=table.max_age,
        redact=tuple(table.redact),
    )
