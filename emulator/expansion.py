"""The plain template that an artifact is in one environment: what CloudFormation is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from emulator.model import Artifact
from emulator.process import write_atomically
from emulator.references import check_references
from emulator.template import Template, expand_sam, is_sam


def expand(artifact: Artifact, parameters: Mapping[str, str], *, region: str, state: Path) -> Template:
    """
    The template of *artifact* for these parameters, without SAM.

    Kept in the project's folder *state*, because the translator takes a third of a second to load.

    Raises:
        ConfigError: A reference leads nowhere.
        DeployError: The translator refuses the template.
    """
    template = dict(artifact.template)
    if not is_sam(template):
        expanded = template
    else:
        wanted = json.dumps([artifact.digest, dict(parameters), region, _translator_version()], sort_keys=True)
        kept = state / "expanded" / f"{hashlib.sha256(wanted.encode()).hexdigest()}.json"
        try:
            expanded = json.loads(kept.read_bytes())
        except (FileNotFoundError, ValueError):
            expanded = expand_sam(template, parameters, region=region)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, json.dumps(expanded).encode())
    check_references(expanded)
    return expanded


def hash_template(template: Template) -> str:
    """Hex SHA-256, the same for the same content."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()


def _translator_version() -> str:
    from importlib.metadata import version

    return version("aws-sam-translator")
