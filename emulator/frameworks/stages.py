"""
One template for all stages of a service whose framework makes a template for each.

An artifact is the same in every environment. So what differs between the templates of stages becomes a choice that
depends on one parameter, written as ``Fn::If``, and is decided before an environment is given the template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.errors import ConfigError
from emulator.template import Template

STAGE = "MultistackStage"
_IS = f"{STAGE}Is"
_NOTHING: Mapping[str, Any] = {"Ref": "AWS::NoValue"}
# What of these only some stages have has this condition in the others; of other sections every stage gets everything.
_NEVER = f"{STAGE}Never"
_CONDITIONAL = ("Resources", "Outputs")
_SECTIONS = (*_CONDITIONAL, "Parameters", "Conditions", "Mappings", "Rules")


def merge(templates: Mapping[str, Template], *, are_all: bool = True) -> Template:
    """
    The template that :func:`of_stage` takes apart again.

    Args:
        templates: Stage to its template, plain or SAM, without nested ones.
        are_all: There is no other stage; else one that is none of these is refused, though nothing differs.

    Raises:
        ConfigError: A resource is of another type in another stage.
    """
    merger = _Merger(list(templates))
    merged = merger.merged(list(templates.values()))
    if not are_all:
        merger.know_stages()
    stage = {"Type": "String", "Description": "The stage of the framework that this environment is."}
    parameters = {**merged.get("Parameters", {}), STAGE: stage}
    conditions = {**merged.get("Conditions", {}), **merger.conditions}
    return {**merged, "Parameters": parameters, **({"Conditions": conditions} if conditions else {})}


def of_stage(template: Template, parameters: Mapping[str, str]) -> Template:
    """
    A template as it is in one stage; one that was not merged as it is.

    Args:
        parameters: Name to value; that of the stage among them.

    Raises:
        ConfigError: The template was made without that stage.
    """
    conditions = template.get("Conditions", {})
    stages = {name: one["Fn::Equals"][1] for name, one in conditions.items() if name.startswith(_IS)}
    if not stages:
        return template
    stage = parameters.get(STAGE)
    if stage not in stages.values():
        raise ConfigError(
            f"the artifact was built for {', '.join(stages.values())}, and stage {stage} is none of these",
            hint="multistack build makes one for all environments of the project",
        )
    return _Chooser({name: one == stage for name, one in stages.items()}, conditions).chosen(template)


class _Merger:
    """Puts values of the same place together; *conditions* are those that this took."""

    def __init__(self, stages: Sequence[str]) -> None:
        self._stages = stages
        self.conditions: dict[str, Any] = {}

    def merged(self, templates: Sequence[Template]) -> Template:
        result = {}
        for section in dict.fromkeys(name for template in templates for name in template):
            values = {number: one[section] for number, one in enumerate(templates) if section in one}
            result[section] = self._section(section, values) if section in _SECTIONS else self._value(values)
        return result

    def _section(self, section: str, values: Mapping[int, Mapping[str, Any]]) -> Mapping[str, Any]:
        result = {}
        for name in dict.fromkeys(name for content in values.values() for name in content):
            found = {number: content[name] for number, content in values.items() if name in content}
            kinds = (
                list(dict.fromkeys(str(one.get("Type")) for one in found.values())) if section == "Resources" else []
            )
            if len(kinds) > 1:
                raise ConfigError(f"{name} is {' in one stage and '.join(kinds)} in another", hint="rename one of them")
            if section in _CONDITIONAL:
                absent = {**next(iter(found.values())), "Condition": _NEVER}
                found = {number: found.get(number, absent) for number in range(len(self._stages))}
            result[name] = self._value(found)
        return result

    def _value(self, values: Mapping[int, Any]) -> Any:
        """Different ones side by side as deep as they can be; *values* may lack stages that have no such place."""
        first, *others = values.values()
        if all(_same(first, other) for other in others):
            return first
        if all(isinstance(one, dict) and not _is_intrinsic(one) for one in values.values()):
            return {
                key: self._value({number: one.get(key, _NOTHING) for number, one in values.items()})
                for key in dict.fromkeys(key for one in values.values() for key in one)
            }
        if all(isinstance(one, list) and len(one) == len(first) for one in values.values()):
            return [self._value({n: one[index] for n, one in values.items()}) for index in range(len(first))]
        return self._choice(values)

    def _choice(self, values: Mapping[int, Any]) -> Any:
        groups: dict[str, list[int]] = {}
        for number, one in values.items():
            groups.setdefault(json.dumps(one, sort_keys=True), []).append(number)
        *some, last = groups.values()
        result = values[last[0]]
        for numbers in reversed(some):
            result = {"Fn::If": [self._condition(numbers), values[numbers[0]], result]}
        return result

    def know_stages(self) -> None:
        """Have a condition for each stage."""
        for number, stage in enumerate(self._stages):
            self.conditions.setdefault(f"{_IS}{number}", {"Fn::Equals": [{"Ref": STAGE}, stage]})

    def _condition(self, stages: Sequence[int]) -> str:
        """The name of one that is true in *stages*, which are numbers."""
        self.know_stages()
        if len(stages) == 1:
            return f"{_IS}{stages[0]}"
        name = f"{STAGE}In{'Or'.join(map(str, stages))}"
        self.conditions[name] = {"Fn::Or": [{"Condition": f"{_IS}{number}"} for number in stages]}
        return name


class _Chooser:
    """
    Decides every condition of a merged template that is about stages.

    Args:
        known: Condition to what it is, for each single stage.
        conditions: All of the template.
    """

    def __init__(self, known: Mapping[str, bool], conditions: Mapping[str, Any]) -> None:
        several = {name: one["Fn::Or"] for name, one in conditions.items() if name.startswith(f"{STAGE}In")}
        self._known = {**known, **{name: any(known[one["Condition"]] for one in of) for name, of in several.items()}}

    def chosen(self, template: Template) -> Template:
        """The template without anything that depends on a stage."""
        result = {section: self._value(content) for section, content in template.items()}
        for section in _CONDITIONAL:
            if section in result:
                kept = {name: one for name, one in result[section].items() if one.get("Condition") != _NEVER}
                result[section] = kept
        result["Conditions"] = {name: one for name, one in result["Conditions"].items() if name not in self._known}
        if not result["Conditions"]:
            del result["Conditions"]
        return result

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if not isinstance(value, dict):
            return value
        if (picked := self._picked(value)) is not value:
            return self._value(picked)
        gone = {key for key, item in value.items() if item != _NOTHING and self._picked(item) == _NOTHING}
        return {key: self._value(item) for key, item in value.items() if key not in gone}

    def _picked(self, value: Any) -> Any:
        """What a choice between stages comes to; anything else as it is."""
        while isinstance(value, dict) and len(value) == 1:
            choice = value.get("Fn::If")
            if not isinstance(choice, list) or not isinstance(choice[0], str) or choice[0] not in self._known:
                break
            value = choice[1] if self._known[choice[0]] else choice[2]
        return value


def _same(one: object, other: object) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_intrinsic(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))
