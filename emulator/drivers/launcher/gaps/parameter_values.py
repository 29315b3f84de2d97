"""
Gap: MiniStack 1.5.33 shows the wrong value of some stack parameters.

A parameter of an SSM type shows the stored value instead of its name, and a change set shows what ``NoEcho`` hides.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/cloudformation-supplied-parameter-types.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/parameters-section-structure.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

_NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
_MASK = "****"

Parameters = Mapping[str, Sequence[str]]
Answer = tuple[int, Mapping[str, str], bytes]


def apply() -> None:
    """Correct the two answers that show parameters."""
    from ministack.services.cloudformation import handlers

    actions = handlers._ACTION_HANDLERS
    described, planned = actions["DescribeStacks"], actions["CreateChangeSet"]

    def describe(parameters: Parameters) -> Answer:
        status, headers, body = described(parameters)
        stored = _stored_names()
        return status, headers, _with_names(body, stored) if stored and status < 400 else body

    def plan(parameters: Parameters) -> Answer:
        answer: Answer = planned(parameters)
        if answer[0] < 400:
            _mask(answer[2])
        return answer

    actions.update(DescribeStacks=describe, CreateChangeSet=plan)


def _stored_names() -> Mapping[tuple[str, str], str]:
    """Stack id and parameter to the name in the parameter store."""
    from ministack.services.cloudformation import _stacks

    return {
        (stack["StackId"], key): value["SsmName"]
        for stack in _stacks.values()
        for key, value in stack.get("_resolved_params", {}).items()
        if "SsmName" in value
    }


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _with_names(body: bytes, stored: Mapping[tuple[str, str], str]) -> bytes:
    document = ElementTree.fromstring(body)  # noqa: S314 (MiniStack wrote it a moment ago)
    for stack in document.iter(_tag("member")):
        stack_id = stack.findtext(_tag("StackId"))
        for shown in stack.findall(f"{_tag('Parameters')}/{_tag('member')}"):
            name = stored.get((stack_id or "", shown.findtext(_tag("ParameterKey")) or ""))
            value = shown.find(_tag("ParameterValue"))
            if name is not None and value is not None:
                ElementTree.SubElement(shown, _tag("ResolvedValue")).text = value.text
                value.text = name
    ElementTree.register_namespace("", _NAMESPACE)
    return bytes(ElementTree.tostring(document, encoding="utf-8", xml_declaration=True))


def _mask(body: bytes) -> None:
    """Hide values in the record of the change set that was just made."""
    from ministack.services.cloudformation import _change_sets

    made = ElementTree.fromstring(body)  # noqa: S314 (MiniStack wrote it a moment ago)
    change_set = _change_sets.get(next((found.text or "" for found in made.iter(_tag("Id"))), ""))
    for shown in change_set["Parameters"] if change_set else ():
        if change_set and change_set["_resolved_params"][shown["ParameterKey"]]["NoEcho"]:
            shown["ParameterValue"] = _MASK
