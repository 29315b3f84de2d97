"""What refers to what in a plain CloudFormation template."""

from __future__ import annotations

import copy
import graphlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from emulator.errors import DeployError
from emulator.template import Template

# ${Name} and ${Name.Attribute}; ${!Literal} is text, and ${AWS::Region} is CloudFormation's own.
_SUB = re.compile(r"\$\{([^!}][^}]*)\}")
# Source: AWS CloudFormation, "Intrinsic function reference" and "Rules section syntax".
_FUNCTIONS = re.compile(
    r"Fn::(And|Base64|Cidr|Contains|EachMember(Equals|In)|Equals|FindInMap|Get(Att|AZs)|If|ImportValue|Join|Length|Not|Or|"
    r"RefAll|Select|Split|Sub|ToJsonString|Transform|ValueOf(All)?)"
)

# Which property of which type must be no other's in an account and region.
_UNIQUE = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}


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
    if not _is_sub(value):
        return
    text, variables = value if isinstance(value, list) else (value, {})
    yield from names_in(variables)
    for name in _SUB.findall(str(text)):
        if name.strip() not in variables:
            yield name.strip().split(".")[0]


def _functions_in(value: Any) -> Iterator[tuple[str, Any]]:
    """Every intrinsic function of *value* with its argument."""
    if isinstance(value, list):
        for item in value:
            yield from _functions_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("Fn::"):
                yield key, item
            yield from _functions_in(item)


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
        DeployError: A name that is nowhere defined, an intrinsic function that isn't one or has the wrong arguments,
            or resources that need each other in a circle.
    """
    known = template["Resources"].keys() | template.get("Parameters", {}).keys()
    for section in ("Resources", "Outputs"):
        for logical_id, content in template.get(section, {}).items():
            _check_functions(logical_id, content, template.get("Conditions", {}))
            named = {*names_in(content), *(_depends_on(content) if section == "Resources" else ())}
            unknown = sorted(name for name in named if name not in known and not name.startswith("AWS::"))
            if unknown:
                raise DeployError(
                    f"the template's {logical_id} refers to {', '.join(unknown)}, which is neither a resource nor a "
                    "parameter of it",
                    hint="correct the name, or define it",
                )
    try:
        graphlib.TopologicalSorter(dependencies(template)).prepare()
    except graphlib.CycleError as error:
        raise DeployError(
            f"the template's resources need each other in a circle: {' -> '.join(error.args[1])}",
            hint="take one of these references out",
        ) from error


def check_names(template: Template) -> None:
    """
    Refuse two resources of one type that ask for one name.

    Raises:
        DeployError: With both of them.
    """
    seen: dict[tuple[str, str], str] = {}
    for logical_id, resource in template["Resources"].items():
        kind = resource["Type"]
        name = (resource.get("Properties") or {}).get(_UNIQUE.get(kind, ""))
        if name is None or "Condition" in resource:  # with conditions, perhaps only one of them is made
            continue
        other = seen.setdefault((kind, json.dumps(name, sort_keys=True)), logical_id)
        if other != logical_id:
            shown = name if isinstance(name, str) else json.dumps(name)
            raise DeployError(
                f"{shown} already exists in stack: {other} and {logical_id} ({kind}) ask for the same name",
                hint="rename one of them, or let CloudFormation name them",
            )


def _check_functions(logical_id: str, content: Mapping[str, Any], conditions: Collection[str]) -> None:
    needed = [content["Condition"]] if "Condition" in content else []
    for name, argument in _functions_in(content):
        if not _FUNCTIONS.fullmatch(name):
            raise DeployError(f"the template's {logical_id} uses {name}, which CloudFormation does not have")
        if name == "Fn::Sub" and not _is_sub(argument):
            raise DeployError(
                f"the template's {logical_id} has a wrong Fn::Sub", hint="give it a text, or [text, {Name: value}]"
            )
        if name == "Fn::If":
            needed += argument[:1] if isinstance(argument, list) else [argument]
    for condition in needed:
        if not isinstance(condition, str) or condition not in conditions:
            raise DeployError(f"the template's {logical_id} needs the condition {condition}, which it does not define")


def _is_sub(argument: Any) -> bool:
    if isinstance(argument, list):
        return len(argument) == 2 and isinstance(argument[0], str) and isinstance(argument[1], dict)
    return isinstance(argument, str)


def without(template: Template, logical_ids: Collection[str]) -> tuple[Template, list[str]]:
    """
    The template without the resources *logical_ids*, and without what needs them.

    An ``UpdatePolicy`` is no such need: it tells how an update is rolled out, and goes alone.

    Returns:
        The smaller template, and what was left out as ``LogicalId (Type)``, with the reason where it wasn't named.
    """
    result = copy.deepcopy(template)
    resources = result["Resources"]
    gone = {name: "" for name in resources if name in logical_ids}
    for resource in resources.values():
        if gone.keys() & {*names_in(resource.get("UpdatePolicy"))}:
            del resource["UpdatePolicy"]
    needs = dependencies(result)
    for name in graphlib.TopologicalSorter(needs).static_order():
        if name not in gone and (causes := sorted(needs[name] & gone.keys())):
            gone[name] = f", needs {causes[0]}"
    left_out = [f"{name} ({resources[name]['Type']}{reason})" for name, reason in gone.items()]
    result["Resources"] = {name: resource for name, resource in resources.items() if name not in gone}
    outputs = result.pop("Outputs", {})
    if kept := {name: output for name, output in outputs.items() if not {*names_in(output)} & gone.keys()}:
        result["Outputs"] = kept
    return result, left_out
