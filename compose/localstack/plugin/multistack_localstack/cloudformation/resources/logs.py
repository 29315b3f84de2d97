"""
``AWS::Logs::LogGroup``: retention, tags and keys, at creation and at an update.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.logs.resource_providers.aws_logs_loggroup import LogsLogGroupProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Request,
    before,
    selected,
    tag_changes,
    tag_map,
    taken_back,
)

_RETENTION = "RetentionInDays"


class LogGroup(LogsLogGroupProvider):
    """Log groups."""

    COMPARED = frozenset({"LogGroupName", _RETENTION})

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a group that keeps its events as long as the template says."""
        model, logs = request.desired_state, request.aws_client_factory.logs
        model.setdefault("LogGroupName", generate_default_name(request.stack_name, request.logical_resource_id))
        name = model["LogGroupName"]
        key = {"kmsKeyId": model["KmsKeyId"]} if model.get("KmsKeyId") else {}
        logs.create_log_group(logGroupName=name, **key, **({"tags": tag_map(model)} if tag_map(model) else {}))
        with taken_back(lambda: logs.delete_log_group(logGroupName=name)):
            if model.get(_RETENTION):
                logs.put_retention_policy(logGroupName=name, retentionInDays=int(model[_RETENTION]))
            model["Arn"] = _described(request)["arn"]
        return done(model)

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Change retention, key and tags; events stay."""
        model, logs, was = request.desired_state, request.aws_client_factory.logs, before(request)
        model |= selected(was, "LogGroupName", "Arn")
        name = model["LogGroupName"]
        _described(request)
        if model.get(_RETENTION):
            logs.put_retention_policy(logGroupName=name, retentionInDays=int(model[_RETENTION]))
        elif was.get(_RETENTION):
            logs.delete_retention_policy(logGroupName=name)
        if model.get("KmsKeyId"):
            logs.associate_kms_key(logGroupName=name, kmsKeyId=model["KmsKeyId"])
        elif was.get("KmsKeyId"):
            logs.disassociate_kms_key(logGroupName=name)
        wanted, dropped = tag_changes(request)
        arn = model["Arn"].removesuffix(":*")
        if wanted:
            logs.tag_resource(resourceArn=arn, tags=wanted)
        if dropped:
            logs.untag_resource(resourceArn=arn, tagKeys=dropped)
        return done(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the group is like."""
        found = _described(request)
        shown = {"LogGroupName": found["logGroupName"], _RETENTION: found.get("retentionInDays")}
        return done({key: value for key, value in shown.items() if value is not None})


def _described(request: Request) -> dict[str, Any]:
    """The group itself, not others whose names begin with its name."""
    name, logs = request.desired_state["LogGroupName"], request.aws_client_factory.logs
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    for page in pages:
        for group in page["logGroups"]:
            if group["logGroupName"] == name:
                return dict(group)
    raise logs.exceptions.ResourceNotFoundException(
        {"Error": {"Code": "ResourceNotFoundException", "Message": f"The log group {name} does not exist"}},
        "DescribeLogGroups",
    )
