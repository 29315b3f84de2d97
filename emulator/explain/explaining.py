"""Explains a template, and writes the multi-stack one that it could be."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.errors import ConfigError
from emulator.explain.code import code_in_buckets, reads_of_stage_variables
from emulator.explain.editing import edited
from emulator.explain.finding import Finding
from emulator.explain.finding_patterns import find
from emulator.explain.fixing import Fixed, fix
from emulator.explain.source import Source
from emulator.explain.survey import survey
from emulator.explain.words import Words
from emulator.explain.yaml_text import block
from emulator.template import Template, local_code

_INDENT = re.compile(r"\n([ \t]+)\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """
    What was found in a template.

    Attributes:
        environments: Those that live in one stack of it.
        findings: Those that risk something, then those that don't.
    """

    environments: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_single_stack(self) -> bool:
        """Whether anything found risks something."""
        return any(finding.risks for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """
    The multi-stack template.

    Attributes:
        text: All of it.
        diff: Unified, from the text before; empty when nothing changes.
        config: Environment to parameter to the value that it has had.
        notes: What a person must look at.
        left: What would be found in it.
    """

    text: str
    diff: str
    config: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]
    left: tuple[Finding, ...]


def explain(source: Source, words: Words) -> Explained:
    """Find single-stack patterns in a template."""
    found = survey(source.template, words)
    findings = sorted(find(found), key=lambda finding: not finding.risks)
    return Explained(environments=tuple(found.environments), findings=tuple(findings))


def rewrite(source: Source, words: Words, target: Path, *, shown: str, code: Path | None = None) -> Rewritten:
    """
    Make the multi-stack template for *target*, which is not written; *source* stays as it is.

    Args:
        shown: How messages call *target*.
        code: A folder that functions take their code from instead of a bucket.

    Raises:
        ConfigError: *target* is in another folder than the template, which names code as seen from its own.
    """
    folder = target.absolute().parent
    local = [] if source.path is None else list(local_code(source.template, source.path.parent))
    if source.path is not None and local and source.path.absolute().parent != folder:
        raise ConfigError(
            f"{source.shown} names code by the folder that it is in itself, and {shown} is in another one",
            hint=f"--output {source.path.parent / target.name}",
        )
    fixed = fix(survey(source.template, words), code=os.path.relpath(code, folder) if code else None)
    notes = [*fixed.notes, *_about_code(fixed.template, [one.path for one in local] + ([code] if code else []))]
    text = _text(source, fixed)
    before = block(source.template) + "\n" if source.text is None else source.text
    return Rewritten(
        text=text,
        diff=_diff(before, text, source.shown, shown),
        config=fixed.config,
        notes=tuple(notes),
        left=explain(Source(shown, fixed.template), words).findings,
    )


def _text(source: Source, fixed: Fixed) -> str:
    if source.text is None:
        return block(fixed.template) + "\n"
    if fixed.template == source.template:
        return source.text
    if source.is_json:
        indent = _INDENT.search(source.text)
        return json.dumps(fixed.template, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"
    return edited(source.text, source.template, fixed.template, fixed.renamed)


def _about_code(template: Template, folders: Sequence[Path]) -> Iterator[str]:
    """What the template alone can't mend: code from a bucket, code that asks its stage."""
    of_bucket = list(code_in_buckets(template))
    if of_bucket:
        names = ", ".join(of_bucket)
        yield f"the code of {names} comes from a bucket; with --code FOLDER multistack builds it, once for all"
    for path, line in reads_of_stage_variables(folders):
        yield f"{path}:{line} reads a stage variable; read a variable of the function, and the stage needs none"


def _diff(before: str, after: str, old: str, new: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="")
    return "\n".join(lines)
