"""
The form of a template, and what its parts refer to: everything that can be refused before anything is made.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from localstack.services.cloudformation.engine.validations import ValidationError

Template = Mapping[str, Any]

_LOGICAL_ID = re.compile(r"[A-Za-z0-9]+")
# `${!x}` is the text `${x}`, not a reference.
SUBSTITUTION = re.compile(r"\$\{(!?)\s*([^${}]+?)\s*\}")
_POLICIES = {"DeletionPolicy": {"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"}}
_POLICIES["UpdateReplacePolicy"] = _POLICIES["DeletionPolicy"] - {"RetainExceptOnCreate"}


def check_form(template: Any) -> None:
    """
    Refuse what isn't shaped like a template.

    Raises:
        ValidationError: With the place, e.g. ``[/Resources/Queue]``.
    """
    if not isinstance(template, Mapping):
        raise ValidationError("Template format error: unsupported structure.")
    for section in ("Resources", "Outputs", "Parameters", "Conditions", "Mappings"):
        parts = template.get(section)
        if parts is not None and not isinstance(parts, Mapping):
            raise ValidationError(f"Template format error: [/{section}] must be an object")
        for name, part in (parts or {}).items():
            # AWS::LanguageExtensions puts a list there, until it is expanded.
            if not isinstance(part, Mapping) and not str(name).startswith("Fn::"):
                raise ValidationError(f"Template format error: [/{section}/{name}] must be an object")


def check(template: Template, *, is_known: Any) -> None:
    """
    Refuse a template, its transforms done, that can't be deployed whatever its parameters are.

    Args:
        is_known: Says of a resource type whether it can be made.

    Raises:
        ValidationError: As AWS says it.
    """
    check_form(template)
    resources = template.get("Resources")
    if not resources:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    for name, resource in resources.items():
        _check_resource(name, resource)
    unknown = sorted({resource["Type"] for resource in resources.values() if not is_known(resource["Type"])})
    if unknown:
        raise ValidationError(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    for name, output in (template.get("Outputs") or {}).items():
        if output.get("Value") is None:
            raise ValidationError(f"Template format error: [/Outputs/{name}] must contain a Value")
    _check_references(template)
    _check_conditions(template)
    in_order(resources, needs_of(resources))


def _check_resource(name: str, resource: Mapping[str, Any]) -> None:
    if not _LOGICAL_ID.fullmatch(name):
        raise ValidationError(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(resource.get("Type"), str):
        raise ValidationError(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    if not isinstance(resource.get("Properties") or {}, Mapping):
        raise ValidationError(f"Template format error: [/Resources/{name}/Properties] must be an object")
    for key, allowed in _POLICIES.items():
        policy = resource.get(key, "Delete")
        # With AWS::LanguageExtensions it may be a function.
        if isinstance(policy, str) and policy not in allowed:
            raise ValidationError(f"Template format error: Unrecognized {key} {policy} for resource {name}")


def _check_references(template: Template) -> None:
    resources = template.get("Resources") or {}
    known = resources.keys() | (template.get("Parameters") or {}).keys()
    for section in ("Resources", "Outputs"):
        named = {name for part in (template.get(section) or {}).values() for name in needed_by(part)}
        unknown = sorted(name for name in named if name not in known and not name.startswith("AWS::"))
        if unknown:
            found = f"[{', '.join(unknown)}] in the {section} block of the template"
            raise ValidationError(f"Template format error: Unresolved resource dependencies {found}")


def _check_conditions(template: Template) -> None:
    known = (template.get("Conditions") or {}).keys()
    parts = [part for section in ("Resources", "Outputs") for part in (template.get(section) or {}).values()]
    named = {part["Condition"] for part in parts if isinstance(part.get("Condition"), str)}
    if unknown := sorted(named - known):
        raise ValidationError(f"Template format error: Unresolved condition dependency {', '.join(unknown)}")


def needed_by(part: Mapping[str, Any]) -> Iterator[str]:
    """The names that a resource or an output refers to or depends on; parameters and pseudo parameters as well."""
    for key in ("Properties", "Value", "Export"):
        yield from references(part.get(key))
    needed = part.get("DependsOn") or []
    yield from [needed] if isinstance(needed, str) else map(str, needed)


def references(value: Any) -> Iterator[str]:
    """The names in ``Ref``, ``Fn::GetAtt`` and ``Fn::Sub``."""
    if isinstance(value, list):
        for part in value:
            yield from references(part)
    elif isinstance(value, Mapping):
        for key, argument in value.items():
            if key == "Ref" and isinstance(argument, str):
                yield argument
            elif key == "Fn::GetAtt" and (name := _owner(argument)):
                yield name
            elif key == "Fn::Sub":
                yield from _substituted(argument)
            yield from references(argument)


def _owner(argument: Any) -> str | None:
    if isinstance(argument, str):
        return argument.partition(".")[0]
    return argument[0] if isinstance(argument, list) and argument and isinstance(argument[0], str) else None


def _substituted(argument: Any) -> Iterator[str]:
    text, given = (argument[0], argument[1]) if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str):
        return
    for is_literal, name in SUBSTITUTION.findall(text):
        if not is_literal and not (isinstance(given, Mapping) and name in given):
            yield name.partition(".")[0]


def needs_of(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Logical id to those of the resources that must be there before."""
    return {
        name: list(dict.fromkeys(needed for needed in needed_by(resource) if needed in resources))
        for name, resource in resources.items()
    }


def in_order(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> list[str]:
    """
    *names*, each after what it needs, otherwise in the order given.

    Raises:
        ValidationError: Some of them need each other.
    """
    wanted = list(names)
    sorter = graphlib.TopologicalSorter({name: sorted(set(needs.get(name, ())) & set(wanted)) for name in wanted})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise ValidationError(f"Circular dependency between resources: [{circle}]") from error
    rank = {name: position for position, name in enumerate(wanted)}
    ordered: list[str] = []
    ready = sorted(sorter.get_ready(), key=rank.__getitem__)
    while ready:
        # One at a time: what the first makes possible may stand before the second in the template.
        name = ready.pop(0)
        ordered.append(name)
        sorter.done(name)
        ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
    return ordered
