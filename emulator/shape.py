"""What a template must look like before anything reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.errors import ConfigError

_SECTIONS = ("Resources", "Parameters", "Outputs", "Globals", "Conditions", "Mappings", "Metadata", "Rules")
_LOOP = "Fn::ForEach"


def check_shape(template: object, path: Path) -> None:
    """
    Refuse what CloudFormation refuses as badly formed, so that everything after may rely on the shape.

    Args:
        path: Where the template was read from; errors name it.

    Raises:
        ConfigError: With the section or the logical id that is wrong.
    """
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(template, dict) or resources in (None, {}):
        raise ConfigError(f"template {path} has no resources", hint="a template needs a `Resources` section")
    for section in _SECTIONS:
        _check_mapping(template.get(section, {}), f"{path}: {section}")
        if any(str(key).startswith(_LOOP) for key in template.get(section, {})):
            raise ConfigError(
                f"template {path}: {section} uses {_LOOP}, which is not supported", hint="write its copies out"
            )
    for name, content in template.get("Globals", {}).items():
        _check_mapping(content, f"{path}: {name} of Globals")
    for name, parameter in template.get("Parameters", {}).items():
        _check_mapping(parameter, f"{path}: parameter {name}")
        _check_text(parameter.get("Type"), f"{path}: parameter {name} has no Type")
    for name, output in template.get("Outputs", {}).items():
        _check_mapping(output, f"{path}: output {name}")
        if "Value" not in output:
            raise ConfigError(f"template {path}: output {name} has no Value")
        _check_mapping(output.get("Export", {}), f"{path}: Export of output {name}")
        _check_text(output.get("Condition", ""), f"{path}: Condition of output {name} is no name")
    for logical_id, resource in template["Resources"].items():
        _check_resource(logical_id, resource, path)


def _check_resource(logical_id: str, resource: Any, path: Path) -> None:
    if not (logical_id.isascii() and logical_id.isalnum()):
        raise ConfigError(
            f"template {path}: {logical_id!r} is no logical id", hint="a logical id consists of letters and digits"
        )
    _check_mapping(resource, f"{path}: resource {logical_id}")
    _check_text(resource.get("Type"), f"{path}: resource {logical_id} has no Type")
    _check_mapping(resource.get("Properties", {}), f"{path}: Properties of resource {logical_id}")
    _check_mapping(resource.get("Metadata", {}), f"{path}: Metadata of resource {logical_id}")
    _check_text(resource.get("Condition", ""), f"{path}: Condition of resource {logical_id} is no name")
    needed = resource.get("DependsOn", [])
    if not all(isinstance(name, str) for name in (needed if isinstance(needed, list) else [needed])):
        raise ConfigError(f"template {path}: DependsOn of resource {logical_id} is not a list of logical ids")


def _check_mapping(value: object, what: str) -> None:
    if not isinstance(value, Mapping):
        raise ConfigError(f"template {what} is not a mapping")


def _check_text(value: object, otherwise: str) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"template {otherwise}")
