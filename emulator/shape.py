"""What a template must look like before anything reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emulator.errors import ConfigError
from emulator.loops import EXTENSIONS, LOOP, inserted, is_loop, members

_SECTIONS = ("Resources", "Parameters", "Outputs", "Globals", "Conditions", "Mappings", "Metadata", "Rules")
_LOOPED = ("Resources", "Outputs", "Conditions")


def check_shape(template: object, path: Path, *, loops: bool = False) -> None:
    """
    Refuse what CloudFormation refuses as badly formed, so that everything after may rely on the shape.

    Args:
        path: Where the template was read from; errors name it.
        loops: Whether ``Fn::ForEach`` may stand in it: whoever reads the template next has to know them.

    Raises:
        ConfigError: With the section or the logical id that is wrong.
    """
    resources = template.get("Resources") if isinstance(template, dict) else None
    if not isinstance(template, dict) or resources in (None, {}):
        raise ConfigError(f"template {path} has no resources", hint="a template needs a `Resources` section")
    for section in _SECTIONS:
        _check_mapping(template.get(section, {}), f"{path}: {section}")
        for key in [key for key in template.get(section, {}) if is_loop(key)]:
            if not loops or section not in _LOOPED:
                raise ConfigError(
                    f"template {path}: {section} uses {LOOP}, which is not supported", hint="write its copies out"
                )
            if EXTENSIONS not in listed(template.get("Transform")):
                raise ConfigError(
                    f"template {path}: {key} requires the transform {EXTENSIONS}", hint="list it under Transform"
                )
            _check_loop(key, template[section][key], f"template {path}: {section}")
    for name, content in template.get("Globals", {}).items():
        _check_mapping(content, f"{path}: {name} of Globals")
    for name, parameter in template.get("Parameters", {}).items():
        _check_mapping(parameter, f"{path}: parameter {name}")
        _check_text(parameter.get("Type"), f"{path}: parameter {name} has no Type")
    for name, output, around in members(template.get("Outputs", {})):
        _check_mapping(output, f"{path}: output {name}")
        if "Value" not in output:
            raise ConfigError(f"template {path}: output {name} has no Value")
        _check_mapping(output.get("Export", {}), f"{path}: Export of output {name}")
        if not around:
            _check_text(output.get("Condition", ""), f"{path}: Condition of output {name} is no name")
    for logical_id, resource, around in members(template["Resources"]):
        written = inserted(logical_id, {loop.identifier: "0" for loop in around})
        _check_resource(logical_id, resource, path, written=written, is_in_loop=bool(around))


def listed(value: Any) -> list[Any]:
    """A list that need not be one if it has a single entry."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _check_loop(key: str, loop: Any, place: str) -> None:
    if not (isinstance(loop, list) and len(loop) == 3 and isinstance(loop[0], str) and isinstance(loop[2], dict)):
        raise ConfigError(f"{place}: {key} is not [identifier, collection, {{key: value}}]")
    if not (isinstance(loop[1], list) or (isinstance(loop[1], dict) and loop[1])):
        raise ConfigError(f"{place}: the collection of {key} is neither a list nor refers to one")
    for name, content in loop[2].items():
        if is_loop(name):
            _check_loop(name, content, place)
        elif not any(f"{sign}{{{loop[0]}}}" in name for sign in "$&"):
            raise ConfigError(
                f"{place}: {name} of {key} would be the same in each turn", hint=f"put ${{{loop[0]}}} into its name"
            )


def _check_resource(logical_id: str, resource: Any, path: Path, *, written: str, is_in_loop: bool) -> None:
    if not (written.isascii() and written.isalnum()):
        raise ConfigError(
            f"template {path}: {logical_id!r} is no logical id", hint="a logical id consists of letters and digits"
        )
    _check_mapping(resource, f"{path}: resource {logical_id}")
    _check_text(resource.get("Type"), f"{path}: resource {logical_id} has no Type")
    _check_mapping(resource.get("Properties", {}), f"{path}: Properties of resource {logical_id}")
    _check_mapping(resource.get("Metadata", {}), f"{path}: Metadata of resource {logical_id}")
    if is_in_loop:  # functions may stand where others have names
        return
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
