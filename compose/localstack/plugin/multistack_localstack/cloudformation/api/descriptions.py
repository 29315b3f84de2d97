"""What there is to know of stacks: their state, resources, events, templates and exports."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from localstack.aws.api import RequestContext, handler
from localstack.aws.api.cloudformation import (
    DescribeStackEventsOutput,
    DescribeStackResourceOutput,
    DescribeStackResourcesOutput,
    DescribeStacksOutput,
    GetTemplateOutput,
    GetTemplateSummaryOutput,
    ListExportsOutput,
    ListImportsOutput,
    ListStackResourcesOutput,
    ListStacksOutput,
    ValidateTemplateOutput,
)
from localstack.services.cloudformation.engine import template_preparer
from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.api import requests
from multistack_localstack.cloudformation.api.lookup import (
    change_set_of,
    stack_of,
    store_of,
    take_up,
)
from multistack_localstack.cloudformation.engine import exports, parameters, template

_NO_STACK = "Stack with id {name} does not exist"
_NOT_CHECKED = {"StackResourceDriftStatus": "NOT_CHECKED"}
_STAGES = ["Original", "Processed"]


class Descriptions:
    """The operations that change nothing."""

    @handler("DescribeStacks")
    def describe_stacks(
        self, context: RequestContext, stack_name: str | None = None, **_others: Any
    ) -> DescribeStacksOutput:
        """One stack, deleted or not when it is named by its ARN; or all that aren't deleted."""
        if stack_name:
            return DescribeStacksOutput(Stacks=[_described(stack_of(context, stack_name, _NO_STACK))])
        stacks = [one for one in list(store_of(context).stacks_v2.values()) if one.is_active()]
        for one in stacks:
            take_up(one)
        return DescribeStacksOutput(Stacks=[_described(one) for one in stacks])

    @handler("ListStacks")
    def list_stacks(
        self, context: RequestContext, stack_status_filter: list[str] | None = None, **_others: Any
    ) -> ListStacksOutput:
        """All stacks, the deleted ones as well, in one of the states asked for."""
        keys = {
            "StackId",
            "StackName",
            "CreationTime",
            "LastUpdatedTime",
            "DeletionTime",
            "StackStatus",
            "StackStatusReason",
            "DriftInformation",
        }
        found = []
        for one in list(store_of(context).stacks_v2.values()):
            if not stack_status_filter or str(one.status) in stack_status_filter:
                summary = {key: value for key, value in _described(one).items() if key in keys}
                if one.description:
                    summary["TemplateDescription"] = one.description
                found.append(summary)
        return ListStacksOutput(StackSummaries=found)

    @handler("DescribeStackResources")
    def describe_stack_resources(
        self,
        context: RequestContext,
        stack_name: str | None = None,
        logical_resource_id: str | None = None,
        physical_resource_id: str | None = None,
        **_others: Any,
    ) -> DescribeStackResourcesOutput:
        """The resources of a stack, or of the one that has *physical_resource_id*."""
        if physical_resource_id and stack_name:
            raise ValidationError("Cannot specify both StackName and PhysicalResourceId")
        stack = stack_of(context, stack_name) if stack_name else _owner(context, physical_resource_id or "")
        found = [
            {**shown, "DriftInformation": _drift_of(stack, name)}
            for name, shown in list(stack.resource_states.items())
            if logical_resource_id in (None, name)
        ]
        return DescribeStackResourcesOutput(StackResources=found)

    @handler("DescribeStackResource")
    def describe_stack_resource(
        self, context: RequestContext, stack_name: str, logical_resource_id: str, **_others: Any
    ) -> DescribeStackResourceOutput:
        """One resource of a stack."""
        stack = stack_of(context, stack_name, "Stack '{name}' does not exist")
        shown = stack.resource_states.get(logical_resource_id)
        if shown is None:
            raise ValidationError(f"Resource {logical_resource_id} does not exist for stack {stack.stack_name}")
        detail = {key: value for key, value in shown.items() if key != "Timestamp"}
        kept = stack.resolved_resources.get(logical_resource_id, {})
        detail["LastUpdatedTimestamp"] = shown["Timestamp"]
        detail["DriftInformation"] = _drift_of(stack, logical_resource_id)
        if kept.get("metadata"):
            detail["Metadata"] = json.dumps(kept["metadata"])
        return DescribeStackResourceOutput(StackResourceDetail=detail)

    @handler("ListStackResources")
    def list_stack_resources(
        self, context: RequestContext, stack_name: str, **_others: Any
    ) -> ListStackResourcesOutput:
        """The resources of a stack, shorter."""
        stack = stack_of(context, stack_name, _NO_STACK)
        dropped = {"StackName", "StackId", "Timestamp"}
        found = [
            {
                **{key: value for key, value in shown.items() if key not in dropped},
                "LastUpdatedTimestamp": shown["Timestamp"],
                "DriftInformation": _drift_of(stack, name),
            }
            for name, shown in list(stack.resource_states.items())
        ]
        return ListStackResourcesOutput(StackResourceSummaries=found)

    @handler("DescribeStackEvents")
    def describe_stack_events(
        self, context: RequestContext, stack_name: str | None = None, **_others: Any
    ) -> DescribeStackEventsOutput:
        """What happened to a stack, newest first."""
        if not stack_name:
            raise ValidationError(
                "1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not "
                "be null"
            )
        return DescribeStackEventsOutput(StackEvents=list(stack_of(context, stack_name).events))

    @handler("GetTemplate")
    def get_template(
        self,
        context: RequestContext,
        stack_name: str | None = None,
        change_set_name: str | None = None,
        template_stage: str | None = None,
        **_others: Any,
    ) -> GetTemplateOutput:
        """The template of a stack or a change set, as it was given or with its transforms carried out."""
        if change_set_name:
            owner: Any = change_set_of(context, change_set_name, stack_name)
        elif stack_name:
            owner = stack_of(context, stack_name, _NO_STACK)
        else:
            raise ValidationError("StackName is required if ChangeSetName is not specified.")
        original = owner.template or {}
        if template_stage == "Processed" and "Transform" in original:
            return GetTemplateOutput(TemplateBody=json.dumps(owner.processed_template), StagesAvailable=_STAGES)
        return GetTemplateOutput(TemplateBody=owner.template_body or "", StagesAvailable=_STAGES)

    @handler("GetTemplateSummary", expand=False)
    def get_template_summary(self, context: RequestContext, request: Any) -> GetTemplateSummaryOutput:
        """Which parameters a template takes, and which types it has."""
        if name := request.get("StackName"):
            stack = stack_of(context, name)
            if str(stack.status) == "REVIEW_IN_PROGRESS":
                raise ValidationError("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
            found: Any = stack.template or {}
        else:
            found = template_preparer.parse_template(requests.template_body(context, request, None))
        template.check_form(found)
        if not found.get("Resources"):
            raise ValidationError("Template format error: At least one Resources member must be defined.")
        by_type = defaultdict(list)
        for logical_id, resource in found["Resources"].items():
            by_type[resource["Type"]].append(logical_id)
        identifiers = [{"ResourceType": kind, "LogicalResourceIds": ids} for kind, ids in by_type.items()]
        return GetTemplateSummaryOutput(
            **_filled(
                Parameters=_declared(found, kind=True),
                Description=found.get("Description"),
                Metadata=json.dumps(found["Metadata"]) if "Metadata" in found else None,
                ResourceIdentifierSummaries=identifiers,
                ResourceTypes=list(by_type),
                Version=str(found.get("AWSTemplateFormatVersion", "2010-09-09")),
            )
        )

    @handler("ValidateTemplate", expand=False)
    def validate_template(self, context: RequestContext, request: Any) -> ValidateTemplateOutput:
        """Refuse a template that isn't shaped like one; else say which parameters it takes."""
        found = template_preparer.parse_template(requests.template_body(context, request, None))
        template.check_form(found)
        described = _filled(Description=found.get("Description"), Parameters=_declared(found, kind=False))
        return ValidateTemplateOutput(**described)

    @handler("ListExports")
    def list_exports(self, context: RequestContext, **_others: Any) -> ListExportsOutput:
        """What the stacks of this account and region give to each other."""
        return ListExportsOutput(Exports=list(store_of(context).exports_v2.values()))

    @handler("ListImports")
    def list_imports(self, context: RequestContext, export_name: str, **_others: Any) -> ListImportsOutput:
        """The stacks that use an export."""
        owner = store_of(context).exports_v2.get(export_name)
        users = exports.importers(store_of(context).stacks_v2[owner["ExportingStackId"]], export_name) if owner else []
        if not users:
            raise ValidationError(f"Export '{export_name}' is not imported by any stack.")
        return ListImportsOutput(Imports=users)


def _described(stack: Stack) -> Any:
    described = _filled(
        StackId=stack.stack_id,
        StackName=stack.stack_name,
        StackStatus=str(stack.status),
        StackStatusReason=stack.status_reason,
        Description=stack.description,
        CreationTime=stack.creation_time,
        LastUpdatedTime=getattr(stack, "updated_time", None),
        DeletionTime=None if stack.is_active() else stack.deletion_time,
        ChangeSetId=stack.change_set_id,
        Capabilities=stack.capabilities or None,
        Parameters=parameters.shown(stack.resolved_parameters or {}) or None,
        Outputs=list(stack.resolved_outputs) or None,
        DriftInformation=getattr(stack, "drift", None) or {"StackDriftStatus": "NOT_CHECKED"},
    )
    return {
        **described,
        "DisableRollback": False,
        "EnableTerminationProtection": stack.enable_termination_protection,
        "RollbackConfiguration": {},
        "NotificationARNs": [],
        "Tags": list(stack.tags),
    }


def _filled(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _drift_of(stack: Stack, logical_id: str) -> dict[str, Any]:
    drift = getattr(stack, "resource_drifts", {}).get(logical_id)
    if drift is None:
        return _NOT_CHECKED
    return {
        "StackResourceDriftStatus": drift["StackResourceDriftStatus"],
        "LastCheckTimestamp": drift["Timestamp"],
    }


def _owner(context: RequestContext, physical_id: str) -> Stack:
    for stack in list(store_of(context).stacks_v2.values()):
        found = (shown.get("PhysicalResourceId") for shown in stack.resource_states.values())
        if stack.is_active() and physical_id and physical_id in found:
            return stack
    raise ValidationError(f"Stack for {physical_id} does not exist")


def _declared(found: Any, *, kind: bool) -> list[dict[str, Any]]:
    declared = []
    for name, one in (found.get("Parameters") or {}).items():
        default = one.get("Default")
        entry = _filled(
            ParameterKey=name,
            DefaultValue=None if default is None else str(default),
            Description=one.get("Description"),
            ParameterType=one.get("Type") if kind else None,
        )
        declared.append({**entry, "NoEcho": str(one.get("NoEcho", "")).lower() == "true"})
    return declared
