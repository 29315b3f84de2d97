"""SAM templates, and what ``samconfig.toml`` beside them says."""

from __future__ import annotations

from pathlib import Path

from emulator.frameworks.cloudformation import CloudFormation
from emulator.template import SAM_TRANSFORM


class Sam(CloudFormation):
    """A template that asks for SAM's transform."""

    name = "SAM"

    def recognises(self, path: Path) -> bool:
        """Whether its text names the transform: every command asks, and parsing a template takes too long."""
        try:
            return SAM_TRANSFORM.encode() in path.read_bytes()
        except OSError:
            return False
