"""Conditions of a plain template, as far as they are known before CloudFormation is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from emulator.extending import defaults_of
from emulator.model import Environment
from emulator.template import Template

_FROM_SSM = "AWS::SSM::Parameter::Value"


class _UnknownError(Exception):
    """What an emulator or its state decides."""


def as_made(template: Template, parameters: Mapping[str, str], environment: Environment, stack_name: str) -> Template:
    """
    *template* without the resources that its stack in *environment* won't have, because their condition is false.

    One whose condition can't be told stays.
    """
    if not any("Condition" in one for one in template["Resources"].values()):
        return template
    declared = template.get("Parameters") or {}
    known = {
        name: value
        for name, value in {**defaults_of(template), **parameters}.items()
        if not str((declared.get(name) or {}).get("Type", "")).startswith(_FROM_SSM)
    }
    pseudo = {
        "AWS::AccountId": environment.account_id,
        "AWS::Partition": "aws",
        "AWS::Region": environment.region,
        "AWS::StackName": stack_name,
        "AWS::URLSuffix": "amazonaws.com",
    }
    conditions = _Conditions(template, {**known, **pseudo})
    resources = {
        name: one
        for name, one in template["Resources"].items()
        if not (isinstance(one.get("Condition"), str) and conditions.is_false(one["Condition"]))
    }
    return {**template, "Resources": resources}


class _Conditions:
    def __init__(self, template: Template, values: Mapping[str, Any]) -> None:
        self._declared = template.get("Conditions") or {}
        self._mappings = template.get("Mappings") or {}
        self._values = values

    def is_false(self, name: str) -> bool:
        """Whether it is known, and false."""
        try:
            return not self._holds({"Condition": name})
        except (_UnknownError, RecursionError):  # CloudFormation refuses one that depends on itself
            return False

    def _holds(self, expression: Any) -> bool:
        function, argument = _call(expression)
        if function == "Condition" and argument in self._declared:
            return self._holds(self._declared[argument])
        if function == "Fn::Equals" and isinstance(argument, list) and len(argument) == 2:
            return self._text(argument[0]) == self._text(argument[1])
        if function == "Fn::Not" and isinstance(argument, list) and len(argument) == 1:
            return not self._holds(argument[0])
        if function in ("Fn::And", "Fn::Or") and isinstance(argument, list):
            return self._several(argument, decides=function == "Fn::Or")
        raise _UnknownError

    def _several(self, expressions: list[Any], *, decides: bool) -> bool:
        """One that is what *decides* says it all, whatever the others are."""
        found = [_tried(self._holds, one) for one in expressions]
        if decides in found:
            return decides
        if None in found:
            raise _UnknownError
        return not decides

    def _text(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int | float):
            return str(value)
        function, argument = _call(value)
        if function == "Ref" and argument in self._values:
            found = self._values[argument]
            return ",".join(map(str, found)) if isinstance(found, list) else self._text(found)
        if function == "Fn::FindInMap" and isinstance(argument, list) and len(argument) == 3:
            found = self._mappings
            for key in map(self._text, argument):
                found = {str(name): one for name, one in found.items()}.get(key) if isinstance(found, dict) else None
            return self._text(found)
        if (
            function == "Fn::Join"
            and isinstance(argument, list)
            and len(argument) == 2
            and isinstance(argument[1], list)
        ):
            return self._text(argument[0]).join(map(self._text, argument[1]))
        raise _UnknownError


def _call(value: Any) -> tuple[str, Any]:
    if isinstance(value, dict) and len(value) == 1:
        ((function, argument),) = value.items()
        return str(function), argument
    raise _UnknownError


def _tried(holds: Callable[[Any], bool], expression: Any) -> bool | None:
    try:
        return holds(expression)
    except _UnknownError:
        return None
