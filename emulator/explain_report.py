"""What explain says, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from emulator.explain.explaining import Explained, Rewritten
from emulator.explain.finding import Finding
from emulator.explain.source import Source
from emulator.lab.experiments import find_experiment
from emulator.lab.showing import in_a_line
from emulator.render import prose

_LABEL = 9


def as_plain(source: Source, explained: Explained) -> Mapping[str, Any]:
    """For ``--json``."""
    return {
        "source": source.shown,
        "environments": list(explained.environments),
        "findings": [
            {
                "pattern": finding.pattern,
                "line": source.line(finding.path),
                "path": list(finding.path),
                "message": finding.message,
                "change": finding.change,
                "risks": {name: in_a_line(find_experiment(name)) for name in finding.risks},
            }
            for finding in explained.findings
        ],
    }


def report(source: Source, explained: Explained) -> str:
    """For a terminal: a paragraph per finding, and what to do with them all."""
    if not explained.findings:
        return f"{source.shown}: nothing in it is shared by environments; each can be a stack of it"
    return "\n\n".join([*(_paragraph(source, finding) for finding in explained.findings), _summary(source, explained)])


def _paragraph(source: Source, finding: Finding) -> str:
    line = source.line(finding.path)
    where = source.shown if line is None else f"{source.shown}:{line}"
    lines = [f"{click.style(where, bold=True)}: {click.style(finding.pattern, fg='red')}: {finding.message}"]
    lines += [f"  {name:{_LABEL}}{prose(in_a_line(find_experiment(name)))}" for name in finding.risks]
    return "\n".join([*lines, f"  {'instead':{_LABEL}}{prose(finding.change)}"])


def _summary(source: Source, explained: Explained) -> str:
    if not explained.is_single_stack:
        return "nothing that one environment could do to another"
    risks = sorted({risk for finding in explained.findings for risk in finding.risks})
    count = sum(bool(finding.risks) for finding in explained.findings)
    shared = f", {len(explained.environments)} environments in one stack" if len(explained.environments) > 1 else ""
    again = f"--stack {source.shown.split()[1]}" if source.text is None else source.shown
    return "\n".join(
        [
            f"{count} found{shared}; at risk: {', '.join(risks)}",
            f"see one happen: multistack lab run {risks[0]}",
            f"write the multi-stack template: multistack explain {again} --fix",
        ]
    )


def next_steps(rewritten: Rewritten, target: Path) -> str:
    """What to do with a template that was written."""
    if not rewritten.diff:
        return "nothing to change: each environment can be a stack of it as it is"
    return "\n".join(
        [
            f"{target} written; a stack of it is one environment",
            *(f"note: {note}" for note in rewritten.notes),
            *_config_lines(rewritten.config),
        ]
    )


def _config_lines(config: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if config:
        yield "what differs is config now; for multistack.toml:"
    for environment, values in config.items():
        yield f"\n[environments.{environment}.config]"
        for name, value in values.items():
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
