"""What refers to what in a plain CloudFormation template."""

from __future__ import annotations

import copy
import graphlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from emulator.errors import DeployError
from emulator.template import Template

# ${Name} and ${Name.Attribute}; ${!Literal} is text, and ${AWS::Region} is CloudFormation's own.
_SUB = re.compile(r"\$\{([^!}][^}]*)\}")


def names_in(value: Any) -> Iterator[str]:
    """Every resource, parameter or pseudo parameter that *value* names in Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(value, list):
        for item in value:
            yield from names_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt" and (isinstance(item, str) or (isinstance(item, list) and item)):
                yield str(item if isinstance(item, str) else item[0]).split(".")[0]
            elif key == "Fn::Sub":
                yield from _names_in_sub(item)
            else:
                yield from names_in(item)


def _names_in_sub(value: Any) -> Iterator[str]:
    text, variables = (value[0], value[1]) if isinstance(value, list) and len(value) == 2 else (value, {})
    yield from names_in(variables)
    for name in _SUB.findall(str(text)):
        if name.strip() not in variables:
            yield name.strip().split(".")[0]


def _depends_on(resource: Mapping[str, Any]) -> list[str]:
    value = resource.get("DependsOn", [])
    return [value] if isinstance(value, str) else list(value)


def dependencies(template: Template) -> Mapping[str, set[str]]:
    """Logical id to the logical ids it needs, by reference or ``DependsOn``."""
    resources = template["Resources"]
    return {
        logical_id: {*names_in(resource), *_depends_on(resource)} & resources.keys()
        for logical_id, resource in resources.items()
    }


def check_references(template: Template) -> None:
    """
    Refuse what CloudFormation refuses before it touches anything; emulators accept some of it in silence.

    Raises:
        DeployError: A name that is nowhere defined, or resources that need each other in a circle.
    """
    known = template["Resources"].keys() | (template.get("Parameters") or {}).keys()
    for section in ("Resources", "Outputs"):
        for logical_id, content in (template.get(section) or {}).items():
            named = {*names_in(content), *(_depends_on(content) if section == "Resources" else ())}
            unknown = sorted(name for name in named if name not in known and not name.startswith("AWS::"))
            if unknown:
                raise DeployError(
                    f"the template's {logical_id} refers to {', '.join(unknown)}, which is neither a resource nor a "
                    "parameter of it"
                )
    try:
        graphlib.TopologicalSorter(dependencies(template)).prepare()
    except graphlib.CycleError as error:
        raise DeployError(
            f"the template's resources need each other in a circle: {' -> '.join(error.args[1])}"
        ) from error


def without_types(template: Template, types: Collection[str]) -> tuple[Template, list[str]]:
    """
    The template without resources of *types*, and without what needs them.

    Returns:
        The smaller template, and what was left out as ``LogicalId (Type)``, with the reason where it isn't the type.
    """
    result = copy.deepcopy(template)
    resources = result["Resources"]
    gone = {name: "" for name, resource in resources.items() if resource["Type"] in types}
    needs = dependencies(template)
    for name in graphlib.TopologicalSorter(needs).static_order():
        if name not in gone and (causes := sorted(needs[name] & gone.keys())):
            gone[name] = f", needs {causes[0]}"
    left_out = [f"{name} ({resources[name]['Type']}{reason})" for name, reason in gone.items()]
    result["Resources"] = {name: resource for name, resource in resources.items() if name not in gone}
    outputs = result.get("Outputs") or {}
    result["Outputs"] = {name: output for name, output in outputs.items() if not {*names_in(output)} & gone.keys()}
    if not result["Outputs"]:
        del result["Outputs"]
    return result, left_out
