"""
The project file's rules for the running proxy, pushed to it as one file next to the routes.

They are read again when the file changes, so an edit counts without a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from emulator.model import ComparisonRules, ExpectedDifference, InspectorSettings, Rules
from emulator.process import write_atomically
from emulator.watched_file import WatchedFile

RULES_FILE = "rules.json"

_T = TypeVar("_T")


def publish_rules(path: Path, rules: Rules) -> None:
    """Replace the file at *path*, whose folder need not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(rules), indent=1, default=timedelta.total_seconds).encode())


def load_rules(path: Path) -> Rules:
    """
    The rules at *path*.

    Raises:
        FileNotFoundError: Nothing was ever published.
    """
    content = json.loads(path.read_bytes())
    comparison, inspector = content["comparison"], content["inspector"]
    return Rules(
        comparison=_read(
            ComparisonRules,
            {**comparison, "expected": tuple(_read(ExpectedDifference, one) for one in comparison["expected"])},
        ),
        inspector=_read(InspectorSettings, {**inspector, "max_age": timedelta(seconds=inspector["max_age"])}),
    )


def _read(kind: type[_T], content: Mapping[str, Any]) -> _T:
    """A dataclass from JSON; what another version of multistack published beside what this one knows is passed over."""
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in content.items()}
    return kind(**{name: value for name, value in values.items() if name in known})


def watch_rules(path: Path) -> WatchedFile[Rules]:
    """The rules as last published; the defaults when none ever were."""
    return WatchedFile(path, load_rules, missing=Rules())
