"""
Templates on the way back from drift: with what drifted as it is now, or without it.

CloudFormation writes only what differs between the old template and the new one, so a stack is brought back in two
steps: to a template that says what stands there, then to the one that was deployed.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resolve-drift.html
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping
from typing import Any

from emulator.inventory.resource import Properties
from emulator.references import dependencies, names_in
from emulator.template import Template

# Properties that an inventory names and shapes as a template does.
_AS_READ: Mapping[str, Collection[str]] = {
    "AWS::ApiGateway::Stage": ("DeploymentId", "Description", "TracingEnabled", "Variables"),
    "AWS::DynamoDB::Table": ("BillingMode", "DeletionProtectionEnabled", "TimeToLiveSpecification"),
    "AWS::Lambda::Alias": ("Description", "FunctionVersion"),
    "AWS::Lambda::EventSourceMapping": (
        "BatchSize",
        "Enabled",
        "FilterCriteria",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
    ),
    "AWS::Lambda::Function": (
        "Description",
        "Environment",
        "EphemeralStorage",
        "Handler",
        "Layers",
        "MemorySize",
        "ReservedConcurrentExecutions",
        "Role",
        "Runtime",
        "Timeout",
        "TracingConfig",
    ),
    "AWS::IAM::Role": ("AssumeRolePolicyDocument", "ManagedPolicyArns"),
    "AWS::SQS::Queue": (
        "DelaySeconds",
        "KmsMasterKeyId",
        "MaximumMessageSize",
        "MessageRetentionPeriod",
        "ReceiveMessageWaitTimeSeconds",
        "RedrivePolicy",
        "VisibilityTimeout",
    ),
    "AWS::SSM::Parameter": ("Value",),
}
_TAG = "multistack:repair"
# Before the key of code that a function is to be given once more: for CloudFormation another key is other code.
AGAIN = "again/"
# Their content is lost with them.
HOLDERS = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    }
)

_TAGGED = HOLDERS | {*_AS_READ, "AWS::ApiGateway::RestApi"} - {"AWS::Lambda::Alias", "AWS::SSM::Parameter"}


def as_found(template: Template, drifted: Mapping[str, Properties]) -> Template:
    """
    *template* with another value in each resource that drifted.

    Args:
        drifted: Logical id to the properties that drifted, as they were found, None where it has none.
    """
    result = copy.deepcopy(template)
    for name, found in drifted.items():
        if name not in result["Resources"]:
            continue
        resource = result["Resources"][name]
        properties = resource.setdefault("Properties", {})
        kind = resource["Type"]
        for key, value in found.items():
            if key in _AS_READ.get(kind, ()) and "hidden:" not in json.dumps(value):
                _put(properties, key, value)
        code = properties.get("Code")
        if "CodeSha256" in found and isinstance(code, dict) and isinstance(code.get("S3Key"), str):
            code["S3Key"] = AGAIN + code["S3Key"]
        if kind == "AWS::IAM::Role" and isinstance(found.get("Policies"), Mapping):
            properties["Policies"] = [
                {"PolicyName": policy, "PolicyDocument": document} for policy, document in found["Policies"].items()
            ]
        if kind == "AWS::ApiGateway::RestApi" and isinstance(properties.get("Body"), dict):
            properties["Body"]["info"] = {**properties["Body"].get("info", {}), "description": _TAG}
        _tag(properties, kind)
    return result


def _put(properties: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        properties.pop(key, None)
    else:
        properties[key] = value


def _tag(properties: dict[str, Any], kind: str) -> None:
    """What has no tags for CloudFormation is made anew later, if this does not bring it back."""
    tags = properties.get("Tags")
    if kind in ("AWS::SSM::Parameter", "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"):
        properties["Tags"] = {**(tags or {}), _TAG: "1"}
    elif kind in _TAGGED:
        properties["Tags"] = [*(tags or []), {"Key": _TAG, "Value": "1"}]


def without(template: Template, names: Collection[str]) -> tuple[Template, set[str]]:
    """*template* without the resources *names* and all that needs them, and the names of those that are left out."""
    needs = dependencies(template)
    gone = {name for name in names if name in needs}
    while more := {name for name, needed in needs.items() if name not in gone and needed & gone}:
        gone |= more
    result = copy.deepcopy(template)
    result["Resources"] = {name: one for name, one in template["Resources"].items() if name not in gone}
    outputs = result.pop("Outputs", {})
    if kept := {name: output for name, output in outputs.items() if not {*names_in(output)} & gone}:
        result["Outputs"] = kept
    return result, gone
