"""SAM templates, with what SAM's own settings beside them say about environments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.frameworks import samconfig
from emulator.frameworks.cloudformation import CloudFormation
from emulator.frameworks.service import GivenValue
from emulator.template import SAM_TRANSFORM


class Sam(CloudFormation):
    """A template that asks for SAM's transform."""

    name = "SAM"

    def recognises(self, path: Path) -> bool:
        """Whether its text names the transform: every command asks, and parsing a template takes too long."""
        return SAM_TRANSFORM in _text(path)

    def stages(self, path: Path) -> Sequence[str]:
        """Those of ``samconfig.toml``; its default is none."""
        return [name for name in samconfig.environments_in(path.parent) if name != samconfig.DEFAULT]

    def values(self, path: Path, environment: str) -> Mapping[str, GivenValue]:
        """``parameter_overrides`` of ``samconfig.toml``; as with SAM, one that the template doesn't name is none."""
        found = samconfig.overrides(path.parent, environment)
        text = _text(path) if found else ""
        return {name: value for name, value in found.items() if re.search(rf"\b{re.escape(name)}\b", text)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
