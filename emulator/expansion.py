"""The plain template that an artifact is in one environment: what CloudFormation is given."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.errors import DeployError
from emulator.extending import defaults_of, is_extended, written_out
from emulator.flattening import flatten
from emulator.frameworks.stages import of_stage
from emulator.model import Artifact
from emulator.process import write_atomically
from emulator.references import check_names, check_references
from emulator.template import Template, all_resources, expand_sam, is_sam, nested_template

# Source: AWS CloudFormation quotas, "Resources".
_MOST = 500


def expand(artifact: Artifact, parameters: Mapping[str, str], *, region: str, state: Path) -> Template:
    """
    The template of *artifact* for these parameters, of one stage, without SAM and without nested stacks.

    Kept in the project's folder *state*, because the translator takes a third of a second to load.

    Raises:
        ConfigError: A reference leads nowhere, or the artifact knows no such stage.
        DeployError: The translator refuses the template.
    """
    template = dict(artifact.template)
    if not needs_sam(template) and not any(is_extended(one) for one in _owners(template)):
        expanded = _plain(template, parameters, region=region)
    else:
        wanted = json.dumps([artifact.digest, dict(parameters), region, _translator_version()], sort_keys=True)
        kept = state / "expanded" / f"{hashlib.sha256(wanted.encode()).hexdigest()}.json"
        try:
            expanded = json.loads(kept.read_bytes())
        except (FileNotFoundError, ValueError):
            expanded = _plain(template, parameters, region=region)
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, json.dumps(expanded).encode())
    check_references(expanded)
    check_names(expanded)
    return expanded


def needs_sam(template: Template) -> bool:
    """Whether it, or a nested stack of it, has to be translated."""
    return any(is_sam(one) for one in _owners(template))


def _owners(template: Template) -> list[Template]:
    """It and the templates of its nested stacks."""
    return [template, *(dict(one.owner) for one in all_resources(template))]


def _plain(template: Template, parameters: Mapping[str, str], *, region: str) -> Template:
    template = written_out(of_stage(template, parameters), parameters)
    nested = {name: found for name, one in template["Resources"].items() if (found := nested_template(one)) is not None}
    # The translator would take what nested templates refer to for its own.
    resources = {name: _hollow(one) if name in nested else one for name, one in template["Resources"].items()}
    outer: Template = {**template, "Resources": resources}
    if is_sam(template):
        outer = expand_sam(outer, parameters, region=region)
    if len(outer["Resources"]) > _MOST:
        raise DeployError(
            f"Number of resources, {len(outer['Resources'])}, is greater than maximum allowed, {_MOST}",
            hint="split the template into nested stacks",
        )
    if not nested:
        return outer
    check_references(outer)
    known = {**defaults_of(template), **parameters}
    return flatten(
        outer,
        {
            name: _plain(one, _constants(outer["Resources"][name], known), region=region)
            for name, one in nested.items()
            if name in outer["Resources"]
        },
    )


def _hollow(stack: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = {key: value for key, value in stack.get("Properties", {}).items() if key != "TemplateURL"}
    return {**stack, "Properties": properties}


def _constants(stack: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, str]:
    """The parameters of a nested *stack* whose values are known before it is deployed."""
    found = {}
    for name, value in (stack.get("Properties", {}).get("Parameters") or {}).items():
        constant = known.get(str(value.get("Ref"))) if isinstance(value, dict) else value
        if isinstance(constant, str | int | float):
            found[name] = str(constant)
    return found


def hash_template(template: Template) -> str:
    """Hex SHA-256, the same for the same content."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()


def _translator_version() -> str:
    from importlib.metadata import version

    return version("aws-sam-translator")
