"""
Nested stacks as part of the one that they are in.

An environment has one stack of the service. So everything that is known of its resources (their code, APIs, drift,
permissions) is known of those in nested stacks too. Their logical ids begin with that of the nested stack.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.errors import DeployError
from emulator.references import names_in
from emulator.template import Template

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
_LISTS = ("CommaDelimitedList", "List<")
_STACK_NAME = "AWS::StackName"


def flatten(template: Template, nested: Mapping[str, Template]) -> Template:
    """
    *template* with the resources of its nested stacks in their place.

    Args:
        template: Plain CloudFormation.
        nested: Logical id of each of its nested stacks to that one's template, which is plain and has none itself.

    Raises:
        DeployError: A parameter has no value, an output that is asked for is not there, or a name would stand twice.
    """
    if not nested:
        return template
    result = {section: dict(content) if isinstance(content, dict) else content for section, content in template.items()}
    parts = {name: _Part(name, child, template) for name, child in nested.items()}
    for name, part in parts.items():
        for section, content in part.sections(template["Resources"][name]).items():
            _add(result, section, content)
    for name in parts:
        del result["Resources"][name]
    outside = _Outside(parts, dict(export for part in parts.values() for export in part.exports()))
    for section in ("Conditions", "Resources", "Outputs"):
        if section in result:
            result[section] = {name: outside.rewritten(name, content) for name, content in result[section].items()}
    _check_conditions(result)
    return result


def _check_conditions(template: Template) -> None:
    for name, condition in template.get("Conditions", {}).items():
        if needed := sorted({*names_in(condition)} & template["Resources"].keys()):
            raise DeployError(
                f"the condition {name} depends on the resource {needed[0]}: the emulator decides on conditions before"
                " there is any",
                hint="give it a parameter of the outer template",
            )


def _add(result: Template, section: str, content: Mapping[str, Any]) -> None:
    known = result.setdefault(section, {}) if content else {}
    if twice := sorted(known.keys() & content.keys()):
        raise DeployError(
            f"{twice[0]} of {section} stands twice once nested stacks are in their parent", hint="rename one of them"
        )
    known.update(content)


def _rewritten_sub(value: Any, replace: Callable[[str], str | Mapping[str, Any]], rewrite: Callable[[Any], Any]) -> Any:
    """
    An argument of ``Fn::Sub`` with other names.

    Args:
        replace: A name to its new name, or to an expression, which becomes a variable.
        rewrite: For the values of its own variables.
    """
    text, variables = value if isinstance(value, list) and len(value) == 2 else (value, {})
    if not isinstance(text, str) or not isinstance(variables, dict):
        return value
    result = {name: rewrite(one) for name, one in variables.items()}

    def put(match: re.Match[str]) -> str:
        name = match[1].strip()
        new = name if name in variables else replace(name)
        if isinstance(new, str):
            return new if new.startswith("\0") else f"${{{new}}}"
        variable = re.sub(r"[^A-Za-z0-9]", "", name)
        while variable in variables:
            variable += "X"
        result[variable] = new
        return f"${{{variable}}}"

    text = _VARIABLE.sub(put, text).replace("\0", "")
    return [text, result] if result else text


@dataclass(frozen=True, slots=True)
class _Part:
    """One nested stack: what its names become, and what its parameters are."""

    name: str
    template: Template
    parent: Template
    expressions: dict[str, Any] = field(default_factory=dict)

    def sections(self, stack: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        """What the parent gets for the nested *stack*."""
        parameters = dict(self._parameters(stack.get("Properties", {}).get("Parameters") or {}))
        conditions = {
            self._id(name): self._rewrite(one, in_condition=True)
            for name, one in self.template.get("Conditions", {}).items()
        }
        resources = {}
        for name, resource in self.template["Resources"].items():
            resources[self._id(name)] = self._resource(resource, stack, conditions)
        outputs = {
            self._id(name): self._output(output, stack.get("Condition"), conditions)
            for name, output in self.template.get("Outputs", {}).items()
            if "Export" in output
        }
        mappings = {self._id(name): one for name, one in self.template.get("Mappings", {}).items()}
        return {
            "Parameters": parameters,
            "Mappings": mappings,
            "Conditions": conditions,
            "Resources": resources,
            "Outputs": outputs,
        }

    def resource_ids(self) -> list[str]:
        """What its resources are called in the parent."""
        return [self._id(name) for name in self.template["Resources"]]

    def exports(self) -> Iterator[tuple[str, Any]]:
        """The name of each export, as JSON, and its value; both in the parent's names."""
        for output in self.template.get("Outputs", {}).values():
            if "Export" in output:
                name = self._rewrite(output["Export"]).get("Name")
                yield json.dumps(name, sort_keys=True), self._rewrite(output["Value"])

    def output(self, name: str, user: str) -> Any:
        """The value of an output, in the parent's names."""
        output = self.template.get("Outputs", {}).get(name)
        if output is None:
            known = ", ".join(self.template.get("Outputs", {})) or "none"
            raise DeployError(f"{user} asks for the output {name} of {self.name}", hint=f"its outputs: {known}")
        return self._rewrite(output["Value"])

    def _id(self, name: str) -> str:
        return f"{self.name}{name}"

    def _parameters(self, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Parameters of the parent that stand for this one's; what is no constant becomes an expression instead."""
        declared = self.template.get("Parameters", {})
        if unknown := sorted(given.keys() - declared.keys()):
            raise DeployError(
                f"nested stack {self.name}: Parameters: [{', '.join(unknown)}] do not exist in the template"
            )
        for name, parameter in declared.items():
            value = given.get(name, parameter.get("Default"))
            if value is None:
                raise DeployError(f"nested stack {self.name}: Parameters: [{name}] must have values")
            if isinstance(value, dict):
                self.expressions[name] = self._as_type(value, str(parameter["Type"]))
            else:
                yield self._id(name), {**parameter, "Default": _constant(value)}

    def _as_type(self, value: Mapping[str, Any], kind: str) -> Any:
        referred = self.parent.get("Parameters", {}).get(value.get("Ref"), {})
        is_list = kind.startswith(_LISTS) and not str(referred.get("Type", "")).startswith(_LISTS)
        return {"Fn::Split": [",", value]} if is_list else value

    def _resource(
        self, resource: Mapping[str, Any], stack: Mapping[str, Any], conditions: dict[str, Any]
    ) -> Mapping[str, Any]:
        result = {key: self._rewrite(value) for key, value in resource.items() if key not in ("DependsOn", "Condition")}
        needed = [self._id(name) for name in _listed(resource.get("DependsOn"))] + _listed(stack.get("DependsOn"))
        if needed:
            result["DependsOn"] = needed
        if condition := self._condition(resource.get("Condition"), stack.get("Condition"), conditions):
            result["Condition"] = condition
        return result

    def _output(self, output: Mapping[str, Any], outer: str | None, conditions: dict[str, Any]) -> Mapping[str, Any]:
        result = {key: self._rewrite(value) for key, value in output.items() if key != "Condition"}
        condition = self._condition(output.get("Condition"), outer, conditions)
        return {**result, "Condition": condition} if condition else result

    def _condition(self, own: str | None, outer: str | None, conditions: dict[str, Any]) -> str | None:
        """The name of a condition that holds when both do."""
        if own is None or outer is None:
            return outer if own is None else self._id(own)
        both = f"{self._id(own)}Within"
        conditions[both] = {"Fn::And": [{"Condition": self._id(own)}, {"Condition": outer}]}
        return both

    def _rewrite(self, value: Any, *, in_condition: bool = False) -> Any:
        """*value* of the nested template in the parent's names."""

        def again(inner: Any) -> Any:
            return self._rewrite(inner, in_condition=in_condition)

        if isinstance(value, list):
            return [again(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, item),) = value.items()
            if (named := self._renamed(key, item, again, in_condition=in_condition)) is not None:
                return named
        return {key: again(item) for key, item in value.items()}

    def _renamed(self, key: str, item: Any, again: Callable[[Any], Any], *, in_condition: bool) -> Any:
        """An intrinsic function that names something; None for anything else."""
        if key == "Ref" and isinstance(item, str):
            return self._reference(item)
        if key == "Fn::GetAtt":
            return {key: self._attribute(item)}
        if key == "Fn::Sub":
            return {key: _rewritten_sub(item, self._name_in_sub, again)}
        if key in ("Fn::If", "Fn::FindInMap") and isinstance(item, list) and item and isinstance(item[0], str):
            return {key: [self._id(item[0]), *(again(one) for one in item[1:])]}
        return {key: self._id(item)} if in_condition and key == "Condition" and isinstance(item, str) else None

    def _reference(self, name: str) -> Any:
        if name in self.expressions:
            return self.expressions[name]
        if name == _STACK_NAME:
            return {"Fn::Sub": f"${{{_STACK_NAME}}}-{self.name}"}
        return {"Ref": name if name.startswith("AWS::") else self._id(name)}

    def _attribute(self, item: Any) -> Any:
        if isinstance(item, str):
            return self._id(item)
        return [self._id(str(item[0])), *item[1:]] if isinstance(item, list) and item else item

    def _name_in_sub(self, name: str) -> str | Mapping[str, Any]:
        if name in self.expressions:
            found: Mapping[str, Any] = self.expressions[name]
            return str(found["Ref"]) if found.keys() == {"Ref"} else found
        if name == _STACK_NAME:
            return f"\0${{{_STACK_NAME}}}-{self.name}"
        return name if name.startswith("AWS::") else self._id(name)


@dataclass(frozen=True, slots=True)
class _Outside:
    """
    What names nested stacks from outside of them.

    Attributes:
        exports: Name, as JSON, to value; within one stack nothing can be imported.
    """

    parts: Mapping[str, _Part]
    exports: Mapping[str, Any]

    def rewritten(self, user: str, content: Mapping[str, Any]) -> Any:
        """A resource or output of the parent."""
        result = self._rewrite(content, user)
        if "DependsOn" in content:
            needed = [
                found
                for name in _listed(content["DependsOn"])
                for found in (self.parts[name].resource_ids() if name in self.parts else [name])
            ]
            result["DependsOn"] = list(dict.fromkeys(needed))
        return result

    def _rewrite(self, value: Any, user: str) -> Any:
        if isinstance(value, list):
            return [self._rewrite(item, user) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, item),) = value.items()
            if (found := self._named(key, item, user)) is not None:
                return found
        return {key: self._rewrite(item, user) for key, item in value.items()}

    def _named(self, key: str, item: Any, user: str) -> Any:
        """What an intrinsic function that names a nested stack or an export becomes; None for anything else."""
        if key == "Ref" and item in self.parts:
            return {"Ref": "AWS::StackId"}
        found = self._output(item, user) if key == "Fn::GetAtt" else None
        if key == "Fn::ImportValue":
            found = self.exports.get(json.dumps(item, sort_keys=True))
        if key == "Fn::Sub":
            in_sub, again = (lambda name: self._in_sub(name, user)), (lambda one: self._rewrite(one, user))
            return {key: _rewritten_sub(item, in_sub, again)}
        return None if found is None else self._rewrite(found, user)

    def _output(self, argument: Any, user: str) -> Any:
        path = ".".join(map(str, argument)) if isinstance(argument, list) else str(argument)
        name, _, rest = path.partition(".")
        if name not in self.parts or not rest.startswith("Outputs."):
            return None
        return self.parts[name].output(rest.removeprefix("Outputs."), user)

    def _in_sub(self, name: str, user: str) -> str | Mapping[str, Any]:
        if name in self.parts:
            return "AWS::StackId"
        found = self._output(name, user)
        if found is None:
            return name
        value = self._rewrite(found, user)
        return value if isinstance(value, dict) else {"Fn::Join": ["", [str(value)]]}


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _constant(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
