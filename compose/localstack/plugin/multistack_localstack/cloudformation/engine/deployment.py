"""
A stack's resources brought to what a template asks for, one after the other.

A resource that is replaced, or isn't wanted any more, stays until everything else is done: a failure can then go back.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.stores import exports_map
from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.engine import dynamic, exports
from multistack_localstack.cloudformation.engine.calls import Caller, Model, ResourceFailed, reason_of
from multistack_localstack.cloudformation.engine.decisions import Verdict, decide, keeps_its_name
from multistack_localstack.cloudformation.engine.events import Subject, tell_resource
from multistack_localstack.cloudformation.engine.records import (
    Record,
    new_mark,
    note_made,
    note_touched,
    records_of,
    remember,
    with_status,
)
from multistack_localstack.cloudformation.engine.resource_types import physical_id, rules_for
from multistack_localstack.cloudformation.engine.target import (
    Deployed,
    Target,
    desired_properties,
    evaluation_of,
    place_of,
    policies_of,
    wanted_resources,
)
from multistack_localstack.cloudformation.engine.template import needs_of
from multistack_localstack.cloudformation.engine.values import text_of

LOG = logging.getLogger(__name__)


class DeploymentFailed(Exception):
    """
    A deployment came to no good end.

    Attributes:
        reason: As the stack tells it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a stack has after a deployment besides its resources."""

    outputs: list[dict[str, Any]]
    exports: Mapping[str, str]
    imports: list[str]
    wanted: frozenset[str]


class Deployment:
    """One stack on its way to one target."""

    def __init__(self, stack: Stack, target: Target) -> None:
        self._stack = stack
        self._target = target
        self._place = place_of(stack)
        self._caller = Caller(place=self._place)
        self._records = records_of(stack)
        self._lookup = Deployed(self._place, self._records)
        self._evaluation = evaluation_of(target, self._place, self._lookup)
        self._needs = needs_of(target.template["Resources"])

    def run(self) -> Result:
        """
        Make and change what the target asks for.

        Raises:
            DeploymentFailed: Something couldn't be made or changed; what was done until then is on record.
        """
        try:
            wanted = wanted_resources(self._target, self._evaluation)
        except ValidationError as error:
            raise DeploymentFailed(str(error.message)) from error
        for name, resource in wanted.items():
            if getattr(self._stack, "is_cancelled", False):
                raise DeploymentFailed("User Initiated")
            self._bring(name, resource)
        try:
            made, exported = self._outputs()
        except ValidationError as error:
            raise DeploymentFailed(str(error.message)) from error
        return Result(outputs=made, exports=exported, imports=sorted(self._lookup.imported), wanted=frozenset(wanted))

    def _bring(self, name: str, resource: Mapping[str, Any]) -> None:
        record, kind = self._records.get(name), resource["Type"]
        verb = "create" if record is None else "update"
        try:
            desired = desired_properties(resource, self._evaluation)
            policies = policies_of(resource, self._evaluation)
            attributes: dict[str, Any] = {
                "needs": tuple(self._needs[name]),
                "policies": policies,
                "metadata": resource.get("Metadata"),
                "desired": desired,
            }
            if record is None:
                self._create(name, kind, attributes)
                return
            decision = decide(record, desired, policies=policies, metadata=resource.get("Metadata"))
            if decision.verdict is Verdict.KEEP:
                # What it needs may have another name now.
                self._keep(replace(record, needs=attributes["needs"], desired=desired))
            elif decision.verdict is Verdict.UPDATE:
                self._update(record, attributes, has_changed=bool(decision.changed) or record.is_dirty)
            else:
                self._replace(record, attributes)
        # Also an error that should not be: whatever one resource fails by, what was done can be taken back.
        except Exception as error:
            if not isinstance(error, (ResourceFailed, ValidationError)):
                LOG.exception("stack %s: resource %s", self._stack.stack_name, name)
            reason = reason_of(error)
            subject = Subject(name, kind) if record is None else record.subject
            tell_resource(self._stack, subject, f"{verb.upper()}_FAILED", reason)
            raise DeploymentFailed(f"The following resource(s) failed to {verb}: [{name}].") from error

    def _create(self, name: str, kind: str, attributes: Mapping[str, Any]) -> None:
        tell_resource(self._stack, Subject(name, kind), "CREATE_IN_PROGRESS")
        record = self._made(name, kind, attributes)
        self._keep(record)
        tell_resource(self._stack, record.subject, "CREATE_COMPLETE")

    def _update(self, record: Record, attributes: Mapping[str, Any], *, has_changed: bool) -> None:
        name, kind = record.logical_id, record.kind
        tell_resource(self._stack, record.subject, "UPDATE_IN_PROGRESS")
        note_touched(self._stack, name)
        model: Mapping[str, Any] = record.model
        if has_changed:
            # Whatever breaks off here leaves the resource in a state that nobody knows.
            self._keep(replace(record, is_dirty=True))
            desired = self._filled_in(attributes["desired"])
            model = self._caller.update(kind, name, desired, record.model, put_all=record.is_dirty)
            model = kept_identity(record, model)
        updated = with_status(record, "UPDATE_COMPLETE", model=model, is_dirty=False, **attributes)
        self._keep(replace(updated, physical_id=physical_id(kind, updated.model)))
        tell_resource(self._stack, self._records[name].subject, "UPDATE_COMPLETE")

    def _replace(self, record: Record, attributes: Mapping[str, Any]) -> None:
        name, kind = record.logical_id, record.kind
        if keeps_its_name(record, attributes["desired"]):
            named = attributes["desired"][rules_for(kind).name]
            raise ResourceFailed(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                f"{named} and update the stack again."
            )
        reason = "Requested update requires the creation of a new physical resource; hence creating one."
        tell_resource(self._stack, record.subject, "UPDATE_IN_PROGRESS", reason)
        made = self._made(name, kind, attributes)
        note_touched(self._stack, name)
        self._keep(replace(made, status="UPDATE_COMPLETE"))
        tell_resource(self._stack, made.subject, "UPDATE_COMPLETE")

    def _made(self, name: str, kind: str, attributes: Mapping[str, Any]) -> Record:
        model = self._caller.create(kind, name, self._filled_in(attributes["desired"]))
        record = Record(
            logical_id=name,
            kind=kind,
            physical_id=physical_id(kind, model),
            model=model,
            made=new_mark(),
            **attributes,
        )
        note_made(self._stack, record)
        return record

    def _keep(self, record: Record) -> None:
        self._records[record.logical_id] = record
        remember(self._stack, record)

    def _filled_in(self, desired: Mapping[str, Any]) -> Model:
        filled: Model = dynamic.fill_in(desired, account_id=self._place.account_id, region=self._place.region)
        return filled

    def _outputs(self) -> tuple[list[dict[str, Any]], dict[str, str]]:
        made: list[dict[str, Any]] = []
        exported: dict[str, str] = {}
        for name, declared in (self._target.template.get("Outputs") or {}).items():
            if not self._evaluation.is_wanted(declared):
                continue
            value = self._filled_in({"Value": self._evaluation.resolve(declared["Value"])})["Value"]
            output = {"OutputKey": name, "OutputValue": text_of(value)}
            if (description := declared.get("Description")) is not None:
                output["Description"] = str(description)
            if "Export" in declared:
                output["ExportName"] = text_of(self._evaluation.resolve(declared["Export"]["Name"]))
                exported[output["ExportName"]] = output["OutputValue"]
            made.append(output)
        known = exports_map(self._place.account_id, self._place.region)
        exports.check_new(exported, known, stack=self._stack)
        return made, exported


def kept_identity(record: Record, model: Mapping[str, Any]) -> dict[str, Any]:
    """The properties after an update, with what only the resource knows where the provider left it out."""
    known = {path[0] for path in rules_for(record.kind).read_only} | {rules_for(record.kind).name}
    kept = {name: value for name, value in record.model.items() if name in known or name not in record.desired}
    # A property that the template dropped isn't one that the resource still says.
    return {**kept, **model}
