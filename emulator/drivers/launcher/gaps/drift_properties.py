"""
Gap: MiniStack 1.5.33 doesn't look at some properties that AWS compares when it looks for drift.

They are a function's layers, dead letter queue and reserved concurrency, a table's indexes and time to live, and the
policies of a role.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-supported-resources.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_INDEXES = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
_TTL = "TimeToLiveSpecification"
_RESERVED = "ReservedConcurrentExecutions"

Properties = Mapping[str, Any]


def apply() -> None:
    """Give the readers of these types what they leave out."""
    _extend("AWS::Lambda::Function", _function, {"Layers", "DeadLetterConfig", "KmsKeyArn", _RESERVED})
    _extend("AWS::DynamoDB::Table", _table, {*_INDEXES, _TTL})
    _extend("AWS::IAM::Role", _role, {"ManagedPolicyArns", "Policies"})


def _extend(kind: str, more: Callable[[str, Properties], Properties], names: set[str]) -> None:
    from ministack.services.cloudformation import drift

    read, compared = drift._DRIFT_READERS[kind]

    def read_all(physical_id: str, expected: Properties) -> Properties | None:
        found = read(physical_id, expected)
        return None if found is None else {**found, **more(physical_id, expected)}

    drift._DRIFT_READERS[kind] = (read_all, compared | names)


def _function(name: str, _expected: Properties) -> Properties:
    from ministack.services import lambda_svc

    function = lambda_svc._functions[name]
    configuration = function["config"]
    found = {
        "Layers": [layer["Arn"] for layer in configuration.get("Layers") or []],
        "DeadLetterConfig": configuration.get("DeadLetterConfig"),
        "KmsKeyArn": configuration.get("KMSKeyArn"),
        _RESERVED: function.get("concurrency"),
    }
    return {key: value for key, value in found.items() if value is not None}


def _table(name: str, expected: Properties) -> Properties:
    from ministack.services import dynamodb

    table = dynamodb._tables[name]
    indexes = {kind: _like(table.get(kind) or [], expected.get(kind, []), "IndexName") for kind in _INDEXES}
    ttl = dynamodb._ttl_settings.get(name, {})
    is_on = ttl.get("TimeToLiveStatus") == "ENABLED"
    shown = {"AttributeName": ttl["AttributeName"]} if is_on or ttl.get("AttributeName") else {}
    return {**indexes, _TTL: {**shown, "Enabled": is_on}}


def _role(name: str, expected: Properties) -> Properties:
    from ministack.services import iam

    role = iam._roles[name]
    inline = [
        {"PolicyName": policy, "PolicyDocument": json.loads(document)}
        for policy, document in role["InlinePolicies"].items()
    ]
    return {
        "ManagedPolicyArns": list(role["AttachedPolicies"]),
        "Policies": _like(inline, expected.get("Policies", []), "PolicyName"),
    }


def _like(found: Sequence[Properties], expected: Sequence[Properties], key: str) -> list[Properties]:
    """What is *found*, in the template's order and with the properties that the template gives each; others after."""
    given = {entry[key]: entry for entry in expected}
    by_name = {entry[key]: entry for entry in found}
    order = [*(name for name in given if name in by_name), *(name for name in by_name if name not in given)]
    return [
        {part: value for part, value in by_name[name].items() if name not in given or part in given[name]}
        for name in order
    ]
