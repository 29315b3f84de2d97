"""What changed from one artifact to the next: which functions run other code, and whether nothing else differs."""

from __future__ import annotations

import ast
import json
import sys
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from emulator.comparison.code import code_changes
from emulator.comparison.structure import Kind
from emulator.interpreters import version_of
from emulator.model import Artifact
from emulator.template import Placed, all_resources
from emulator.watching.batches import few

_VERSION = "AWS::Lambda::Version"


def changed_code(before: Artifact, after: Artifact) -> Mapping[str, Path]:
    """Logical id to its new zip, of functions in both whose code differs; empty when the template does as well."""
    if _without_code(before) != _without_code(after):
        return {}
    placed = _placed(after)  # what is in a loop is not known by the name it has in an environment
    known = {(name, code.sha256) for code in before.code for name in code.functions}
    return {
        name: code.path
        for code in after.code
        for name in code.functions
        if (name, code.sha256) not in known and name in placed and not _is_layer(placed[name])
    }


def _is_layer(placed: Placed) -> bool:
    return str(placed.resource["Type"]).endswith("::LayerVersion")


def _placed(artifact: Artifact) -> Mapping[str, Placed]:
    return {one.logical_id: one for one in all_resources(artifact.template)}


def _without_code(artifact: Artifact) -> str:
    """The template as far as it doesn't follow from code, as digests and the names of published versions do."""
    template: Mapping[str, Any] = artifact.template
    resources = template["Resources"]
    versions = [name for name, one in resources.items() if one.get("Type") == _VERSION]
    others = {name: one for name, one in resources.items() if name not in versions}
    text = json.dumps({**template, "Resources": others}, sort_keys=True)
    for code in artifact.code:
        text = text.replace(code.sha256, " ".join(sorted(code.functions)))
    for name in versions:
        text = text.replace(name, _VERSION)
    return text


def hold_up(problems: Mapping[str, str], changed: Collection[str]) -> str:
    """
    What is said of functions that can't be imported, and of those that wait for them; empty without problems.

    Args:
        problems: Function to what is raised.
        changed: All functions that would have got new code.
    """
    if not problems:
        return ""
    first, *others = problems
    also = f"; nor can {few(others)} be imported" if others else ""
    waiting = sorted(set(changed) - problems.keys())
    return f"{first}: {problems[first]}{also}" + (f"; that holds up {few(waiting)}" if waiting else "")


def syntax_problem(before: Artifact, after: Artifact) -> str:
    """
    What is wrong with a Python file that differs in *after*; empty when nothing is, or it can't be told here.

    That is so for functions whose Python is newer than this one, which may know syntax that this one doesn't.
    """
    zips = {name: code.path for code in after.code for name in code.functions}
    for change in code_changes(before, after):
        if change.kind is Kind.REMOVED or not change.file.endswith(".py"):
            continue
        if any(_is_newer(after, name) for name in change.functions):
            continue
        with zipfile.ZipFile(zips[change.functions[0]]) as content:
            try:
                ast.parse(content.read(change.file), change.file)
            except (SyntaxError, ValueError) as error:
                line = f" line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
                return f"{change.file}{line}: {getattr(error, 'msg', error)}"
    return ""


def _is_newer(artifact: Artifact, name: str) -> bool:
    placed = _placed(artifact).get(name)
    wanted = version_of(str(placed.effective("Runtime"))) if placed else None
    return wanted is not None and wanted > sys.version_info[:2]
