"""
What a change set shows: which resources a deployment would add, change, replace and remove.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import Stack
from localstack.services.cloudformation.v2.types import EngineParameter

from multistack_localstack.cloudformation.engine import parameters
from multistack_localstack.cloudformation.engine.decisions import Decision, Verdict, decide, recreation
from multistack_localstack.cloudformation.engine.intrinsics import Place
from multistack_localstack.cloudformation.engine.records import Record, records_of
from multistack_localstack.cloudformation.engine.resource_types import at
from multistack_localstack.cloudformation.engine.target import (
    Conditions,
    Target,
    World,
    attribute_of,
    desired_properties,
    evaluation_of,
    place_of,
    policies_of,
    wanted_resources,
)
from multistack_localstack.cloudformation.engine.template import Template, references
from multistack_localstack.cloudformation.engine.values import Cause, Unknown, same, unknown_in

Change = dict[str, Any]

_REPLACEMENT = {Verdict.UPDATE: "False", Verdict.MAY_REPLACE: "Conditional", Verdict.REPLACE: "True"}
_LATER = "{{changeSet:KNOWN_AFTER_APPLY}}"


class Planned(World):
    """Resources as they will be: what is made or replaced isn't known yet."""

    def __init__(self, place: Place, records: Mapping[str, Record], wanted: set[str]) -> None:
        super().__init__(place)
        self._records = records
        self._wanted = wanted
        self._new: set[str] = set()
        self._changed: dict[str, Mapping[str, Any]] = {}

    def will_be_new(self, logical_id: str) -> None:
        """From now on nothing is known of this resource."""
        self._new.add(logical_id)

    def will_change(self, logical_id: str, desired: Mapping[str, Any]) -> None:
        """From now on this resource has these properties."""
        self._changed[logical_id] = desired

    def reference(self, logical_id: str) -> Any:
        """The physical id it has and keeps."""
        self._check(logical_id)
        if logical_id in self._new:
            return Unknown((Cause(logical_id),))
        return self._records[logical_id].physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        """What the resource says, as long as it doesn't change."""
        self._check(logical_id)
        if logical_id in self._new:
            return Unknown((Cause(logical_id, name),))
        changed = self._changed.get(logical_id, {})
        found = changed.get(name, at(changed, tuple(name.split("."))))
        return attribute_of(self._records[logical_id], name) if found is None else found

    def _check(self, logical_id: str) -> None:
        if logical_id not in self._wanted:
            raise ValidationError(
                f"Template format error: Unresolved resource dependencies [{logical_id}] in the Resources block of "
                "the template"
            )


class Plan:
    """
    What a deployment of *target* would do to *stack*.

    Attributes:
        changes: As the API shows them, in the template's order; the removed ones last.
        has_others: Whether something changes besides resources: outputs, or the stack's tags.
    """

    def __init__(self, stack: Stack, target: Target) -> None:
        self._before: Template = stack.processed_template or {}
        self._given_before: Mapping[str, EngineParameter] = stack.resolved_parameters or {}
        self._records = records_of(stack)
        self._target = target
        wanted = wanted_resources(target, evaluation_of(target, place_of(stack), Conditions(place_of(stack))))
        self._world = Planned(place_of(stack), self._records, set(wanted))
        self._evaluation = evaluation_of(target, place_of(stack), self._world)
        self.values: dict[str, tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]] = {}
        found = {name: change for name, resource in wanted.items() if (change := self._change(name, resource))}
        declared = target.template["Resources"]
        removed = [self._removal(record) for name, record in self._records.items() if name not in wanted]
        self.changes: list[Change] = [found[name] for name in declared if name in found] + removed
        self.has_others = _tags(stack.tags) != _tags(target.tags) or self._outputs_change(stack)

    def _change(self, name: str, resource: Mapping[str, Any]) -> Change | None:
        record = self._records.get(name)
        if record is not None and record.kind != resource["Type"]:
            raise ValidationError(
                "Update of resource type is not permitted. The new template modifies resource type of the following "
                f"resources: [{name}]"
            )
        desired = desired_properties(resource, self._evaluation)
        if record is None:
            self._world.will_be_new(name)
            self.values[name] = (None, desired)
            return {
                "Action": "Add",
                "LogicalResourceId": name,
                "ResourceType": resource["Type"],
                "Scope": [],
                "Details": [],
            }
        decision = decide(
            record,
            desired,
            policies=policies_of(resource, self._evaluation),
            metadata=resource.get("Metadata"),
        )
        if decision.verdict is Verdict.KEEP:
            return None
        if decision.verdict is Verdict.UPDATE:
            self._world.will_change(name, {key: desired.get(key) for key in decision.changed})
        else:
            self._world.will_be_new(name)
        self.values[name] = (record.desired, desired)
        details = list(self._details(record, desired, decision))
        return {
            "Action": "Modify",
            "LogicalResourceId": name,
            "PhysicalResourceId": record.physical_id,
            "ResourceType": record.kind,
            "Replacement": _REPLACEMENT[decision.verdict],
            "Scope": [*(["Properties"] if decision.changed or record.is_dirty else []), *decision.attributes],
            "Details": details,
        }

    def _removal(self, record: Record) -> Change:
        self.values[record.logical_id] = (record.desired, None)
        return {
            "Action": "Remove",
            "LogicalResourceId": record.logical_id,
            "PhysicalResourceId": record.physical_id,
            "ResourceType": record.kind,
            "Scope": [],
            "Details": [],
            "PolicyAction": "Retain"
            if record.policies.get("DeletionPolicy", "Delete").startswith("Retain")
            else "Delete",
        }

    def _details(self, record: Record, desired: Mapping[str, Any], decision: Decision) -> Iterator[Change]:
        for name in decision.changed:
            target: Change = {"Attribute": "Properties", "Name": name, "RequiresRecreation": "Never"}
            unknown = list(unknown_in(desired.get(name)))
            if recreation(record.kind, name) and decision.verdict is not Verdict.UPDATE:
                target["RequiresRecreation"] = "Conditionally" if unknown else "Always"
            for source in self._sources(record.logical_id, name, unknown):
                yield {"Target": target, "Evaluation": "Dynamic" if unknown else "Static", **source}
        for name in decision.attributes:
            yield {"Target": {"Attribute": name}, "Evaluation": "Static", "ChangeSource": "DirectModification"}

    def _sources(self, logical_id: str, name: str, unknown: list[Unknown]) -> Iterator[Change]:
        """Where the change of a property comes from: another resource, a parameter, or the template itself."""
        causes = dict.fromkeys(cause for one in unknown for cause in one.causes)
        for cause in causes:
            is_attribute = cause.attribute is not None
            entity = f"{cause.logical_id}.{cause.attribute}" if is_attribute else cause.logical_id
            source = "ResourceAttribute" if is_attribute else "ResourceReference"
            yield {"ChangeSource": source, "CausingEntity": entity}
        before, after = (_expression(template, logical_id, name) for template in (self._before, self._target.template))
        changed = [one for one in dict.fromkeys(references(after)) if self._parameter_changed(one)]
        for one in changed if before == after else ():
            yield {"ChangeSource": "ParameterReference", "CausingEntity": one}
        if not causes and not (before == after and changed):
            yield {"ChangeSource": "DirectModification"}

    def _parameter_changed(self, name: str) -> bool:
        before, after = self._given_before.get(name), self._target.parameters.get(name)
        if after is None:
            return False
        return before is None or parameters.value(before) != parameters.value(after)

    def _outputs_change(self, stack: Stack) -> bool:
        """Whether outputs change besides through resources that do."""
        wanted = {}
        for name, output in (self._target.template.get("Outputs") or {}).items():
            if self._evaluation.is_wanted(output):
                exported = self._evaluation.resolve((output.get("Export") or {}).get("Name", ""))
                wanted[name] = (self._evaluation.resolve(output["Value"]), exported, output.get("Description"))
        there = {
            output["OutputKey"]: (output.get("OutputValue"), output.get("ExportName", ""), output.get("Description"))
            for output in stack.resolved_outputs
        }
        return wanted.keys() != there.keys() or any(
            not any(unknown_in(list(wanted[name]))) and not same(list(wanted[name]), list(there[name]))
            for name in wanted
        )


def _expression(template: Template, logical_id: str, name: str) -> Any:
    return at(template, ("Resources", logical_id, "Properties", name))


def _tags(tags: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def context_of(properties: Mapping[str, Any]) -> str:
    """Properties as a change set shows them before and after."""
    return json.dumps({"Properties": _shown(properties)})


def _shown(value: Any) -> Any:
    if isinstance(value, Unknown):
        return _LATER
    if isinstance(value, Mapping):
        return {key: _shown(part) for key, part in value.items()}
    return [_shown(part) for part in value] if isinstance(value, list) else value
