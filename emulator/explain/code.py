"""Where functions of a template have their code from, and what of it asks the stage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from emulator.explain.survey import FUNCTIONS
from emulator.references import names_in
from emulator.template import Template

_SUFFIXES = (".cjs", ".js", ".mjs", ".py", ".ts")
_READ = re.compile(r"stage_?variables", re.IGNORECASE)
# Bytes; what is larger was not written by hand.
_LARGEST = 2_000_000


def code_in_buckets(template: Template) -> Iterator[str]:
    """Functions whose code lies in a bucket, by logical id."""
    for logical_id, resource in template["Resources"].items():
        value = resource.get("Properties", {}).get(_key(resource))
        if value is not None and _is_in_bucket(value):
            yield logical_id


def take_code(template: Template, folder: str) -> None:
    """Let these functions take it from *folder*, and drop the parameters that named the bucket."""
    named: set[str] = set()
    for logical_id in list(code_in_buckets(template)):
        resource = template["Resources"][logical_id]
        named |= set(names_in(resource["Properties"][_key(resource)]))
        resource["Properties"][_key(resource)] = folder
    parameters = template.get("Parameters", {})
    rest = [{key: value for key, value in template.items() if key != "Parameters"}]
    for name in named & parameters.keys() - set(names_in(rest)):
        del parameters[name]


def reads_of_stage_variables(paths: Iterable[Path]) -> Iterator[tuple[str, int]]:
    """File and line of each line of code that names them, in the order of the files' names."""
    for path in dict.fromkeys(paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            is_code = file.suffix in _SUFFIXES and "node_modules" not in file.parts
            if is_code and file.is_file() and file.stat().st_size <= _LARGEST:
                lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
                shown = str(file.relative_to(path.parent))
                yield from ((shown, number) for number, line in enumerate(lines, 1) if _READ.search(line))


def _key(resource: dict[str, Any]) -> str:
    if resource["Type"] not in FUNCTIONS:
        return ""
    return "CodeUri" if resource["Type"].startswith("AWS::Serverless") else "Code"


def _is_in_bucket(value: Any) -> bool:
    if isinstance(value, dict):
        return not {"ZipFile", "ImageUri"} & value.keys()
    return "://" in str(value)
