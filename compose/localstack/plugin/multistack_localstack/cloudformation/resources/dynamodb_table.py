"""
``AWS::DynamoDB::Table``: updated in place with its items, and with all of its properties.

What is there decides what is sent, not what the stack remembers: an update that broke off may have come anywhere.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.provider_utils import generate_default_name
from localstack.services.cloudformation.resource_provider import ProgressEvent
from localstack.services.dynamodb.resource_providers.aws_dynamodb_table import DynamoDBTableProvider

from multistack_localstack.cloudformation.resources import done
from multistack_localstack.cloudformation.resources.parts import (
    Properties,
    Request,
    before,
    is_first,
    like,
    not_yet,
    selected,
    tag_changes,
    taken_back,
)

_INDEXES = "GlobalSecondaryIndexes"
_TTL = "TimeToLiveSpecification"
_RECOVERY = "PointInTimeRecoverySpecification"
_THROUGHPUT = "ProvisionedThroughput"
_ON_DEMAND = "PAY_PER_REQUEST"


class Table(DynamoDBTableProvider):
    """Tables."""

    COMPARED = frozenset(
        {
            "AttributeDefinitions",
            "BillingMode",
            "DeletionProtectionEnabled",
            "KeySchema",
            "LocalSecondaryIndexes",
            "StreamSpecification",
            "TableName",
            _INDEXES,
            _RECOVERY,
            _THROUGHPUT,
            _TTL,
        }
    )

    def create(self, request: Request) -> ProgressEvent[Any]:
        """Make a table, and what can only be set once it is there."""
        model, aws = request.desired_state, request.aws_client_factory.dynamodb
        if is_first(request):
            model.setdefault("TableName", generate_default_name(request.stack_name, request.logical_resource_id))
            _check_indexes(model)
            made = aws.create_table(**_creation(model))["TableDescription"]
            model["Arn"] = made["TableArn"]
        found = aws.describe_table(TableName=model["TableName"])["Table"]
        if found["TableStatus"] != "ACTIVE":
            return not_yet(model)
        with taken_back(lambda: aws.delete_table(TableName=model["TableName"])):
            _put_the_rest(request)
        return done({**model, **_stream(found)})

    def update(self, request: Request) -> ProgressEvent[Any]:
        """Take one step after the other; DynamoDB does one at a time."""
        model, aws = request.desired_state, request.aws_client_factory.dynamodb
        model |= selected(before(request), "TableName", "Arn")
        _check_indexes(model)
        found = aws.describe_table(TableName=model["TableName"])["Table"]
        if found["TableStatus"] != "ACTIVE" or any(
            index["IndexStatus"] not in ("ACTIVE", None) for index in _with_status(found)
        ):
            return not_yet(model)
        taken = request.custom_context.setdefault("taken", [])
        for name, parameters in _steps(model, found):
            if name not in taken:
                taken.append(name)
                aws.update_table(TableName=model["TableName"], **parameters)
                return not_yet(model)
        _put_the_rest(request)
        return done({**model, **_stream(found)})

    def delete(self, request: Request) -> ProgressEvent[Any]:
        """Delete a table; one that is protected fails."""
        model, aws = request.desired_state, request.aws_client_factory.dynamodb
        try:
            if is_first(request):
                aws.delete_table(TableName=model["TableName"])
            aws.describe_table(TableName=model["TableName"])
        except aws.exceptions.ResourceNotFoundException:
            return done(model)
        return not_yet(model)

    def read(self, request: Request) -> ProgressEvent[Any]:
        """What the table is like, in the shape of a template."""
        expected, aws = request.desired_state, request.aws_client_factory.dynamodb
        name = expected["TableName"]
        found = aws.describe_table(TableName=name)["Table"]
        properties = selected(found, "TableName", "KeySchema", "DeletionProtectionEnabled")
        properties["AttributeDefinitions"] = like(
            found["AttributeDefinitions"], expected.get("AttributeDefinitions", []), "AttributeName"
        )
        properties["BillingMode"] = _billing_mode(found)
        if properties["BillingMode"] != _ON_DEMAND:
            properties[_THROUGHPUT] = _units(found[_THROUGHPUT])
        for kind in (_INDEXES, "LocalSecondaryIndexes"):
            indexes = [_index(index) for index in found.get(kind, [])]
            properties[kind] = like(indexes, expected.get(kind, []), "IndexName")
        if (found.get("StreamSpecification") or {}).get("StreamEnabled"):
            properties["StreamSpecification"] = selected(found["StreamSpecification"], "StreamViewType")
        ttl = aws.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        is_on = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
        properties[_TTL] = {
            **selected(ttl if is_on else expected.get(_TTL, {}), "AttributeName"),
            "Enabled": is_on,
        }
        properties[_RECOVERY] = {"PointInTimeRecoveryEnabled": _recovers(aws, name)}
        return done(properties)


def _check_indexes(model: Properties) -> None:
    """Refuse an index over an attribute that the table doesn't declare; moto would take it."""
    declared = {one["AttributeName"] for one in model.get("AttributeDefinitions") or []}
    for kind in (_INDEXES, "LocalSecondaryIndexes"):
        for index in model.get(kind) or []:
            if unknown := {key["AttributeName"] for key in index["KeySchema"]} - declared:
                raise ValueError(
                    "One or more parameter values were invalid: Some index key attributes are not defined in "
                    f"AttributeDefinitions. Keys: {sorted(unknown)}, AttributeDefinitions: {sorted(declared)}"
                )


def _creation(model: Properties) -> dict[str, Any]:
    names = ("TableName", "AttributeDefinitions", "KeySchema", "BillingMode", "LocalSecondaryIndexes", "Tags")
    creation = selected(model, *names, "TableClass", "DeletionProtectionEnabled")
    if model.get(_THROUGHPUT):
        creation[_THROUGHPUT] = _units(model[_THROUGHPUT])
    if model.get(_INDEXES):
        creation[_INDEXES] = [_new_index(index) for index in model[_INDEXES]]
    if model.get("SSESpecification"):
        creation["SSESpecification"] = _encryption(model)
    if model.get("StreamSpecification"):
        view = model["StreamSpecification"]["StreamViewType"]
        creation["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    return creation


def _steps(model: Properties, found: Properties) -> list[tuple[str, dict[str, Any]]]:
    """The updates that bring the table from what it is to what it is to be, each with a name."""
    steps: list[tuple[str, dict[str, Any]]] = []
    mode = model.get("BillingMode", "PROVISIONED")
    wanted = _units(model.get(_THROUGHPUT) or {})
    if mode != _billing_mode(found):
        change: dict[str, Any] = {"BillingMode": mode}
        if mode != _ON_DEMAND:
            change[_THROUGHPUT] = wanted
            indexes = {index["IndexName"]: index for index in model.get(_INDEXES, [])}
            change["GlobalSecondaryIndexUpdates"] = [
                {"Update": {"IndexName": name, _THROUGHPUT: indexes[name][_THROUGHPUT]}}
                for name in (index["IndexName"] for index in found.get(_INDEXES, []))
                if name in indexes
            ]
        steps.append(("billing", {key: value for key, value in change.items() if value}))
    elif mode != _ON_DEMAND and wanted and wanted != _units(found.get(_THROUGHPUT, {})):
        steps.append(("throughput", {_THROUGHPUT: wanted}))
    steps += _stream_steps(model, found)
    if bool(model.get("DeletionProtectionEnabled")) != bool(found.get("DeletionProtectionEnabled")):
        steps.append(("protection", {"DeletionProtectionEnabled": bool(model.get("DeletionProtectionEnabled"))}))
    wanted_class = model.get("TableClass", "STANDARD")
    if wanted_class != (found.get("TableClassSummary") or {}).get("TableClass", "STANDARD"):
        steps.append(("class", {"TableClass": wanted_class}))
    is_encrypted = (found.get("SSEDescription") or {}).get("Status") in ("ENABLED", "ENABLING")
    if bool((model.get("SSESpecification") or {}).get("SSEEnabled")) != is_encrypted:
        steps.append(("encryption", {"SSESpecification": _encryption(model)}))
    return steps + _index_steps(model, found)


def _stream_steps(model: Properties, found: Properties) -> list[tuple[str, dict[str, Any]]]:
    there = found.get("StreamSpecification") or {}
    is_on, view = bool(there.get("StreamEnabled")), there.get("StreamViewType")
    wanted = (model.get("StreamSpecification") or {}).get("StreamViewType")
    steps: list[tuple[str, dict[str, Any]]] = []
    if is_on and wanted != view:
        steps.append(("stream off", {"StreamSpecification": {"StreamEnabled": False}}))
    if wanted and (not is_on or wanted != view):
        steps.append(("stream on", {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": wanted}}))
    return steps


def _index_steps(model: Properties, found: Properties) -> list[tuple[str, dict[str, Any]]]:
    """Indexes to delete, to make anew and to make; the shape of one can't be changed."""
    wanted = {index["IndexName"]: index for index in model.get(_INDEXES) or []}
    there = {index["IndexName"]: index for index in found.get(_INDEXES) or []}
    steps: list[tuple[str, dict[str, Any]]] = []
    for name, index in there.items():
        if name not in wanted or _shape(index) != _shape(wanted[name]):
            steps.append((f"drop {name}", {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}))
        elif (units := _units(wanted[name].get(_THROUGHPUT) or {})) and units != _units(index.get(_THROUGHPUT) or {}):
            update = {"IndexName": name, _THROUGHPUT: units}
            steps.append((f"throughput of {name}", {"GlobalSecondaryIndexUpdates": [{"Update": update}]}))
    for name, index in wanted.items():
        if name not in there or _shape(there[name]) != _shape(index):
            change = {"GlobalSecondaryIndexUpdates": [{"Create": _new_index(index)}]}
            steps.append((f"make {name}", {"AttributeDefinitions": model["AttributeDefinitions"], **change}))
    return steps


def _shape(index: Properties) -> tuple[Any, ...]:
    projection = index.get("Projection") or {}
    keys = [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]]
    return keys, projection.get("ProjectionType"), sorted(projection.get("NonKeyAttributes") or [])


def _new_index(index: Properties) -> dict[str, Any]:
    return selected(index, "IndexName", "KeySchema", "Projection", _THROUGHPUT)


def _index(index: Properties) -> dict[str, Any]:
    """An index as a template has it."""
    shown = selected(index, "IndexName", "KeySchema", "Projection")
    return {**shown, **({_THROUGHPUT: _units(index[_THROUGHPUT])} if index.get(_THROUGHPUT) else {})}


def _units(throughput: Properties) -> dict[str, int]:
    return {name: int(throughput[name]) for name in ("ReadCapacityUnits", "WriteCapacityUnits") if name in throughput}


def _billing_mode(found: Properties) -> str:
    mode = (found.get("BillingModeSummary") or {}).get("BillingMode")
    return str(mode or "PROVISIONED")


def _encryption(model: Properties) -> dict[str, Any]:
    wanted = model.get("SSESpecification") or {}
    return {"Enabled": bool(wanted.get("SSEEnabled")), **selected(wanted, "SSEType", "KMSMasterKeyId")}


def _stream(found: Properties) -> dict[str, Any]:
    arn = found.get("LatestStreamArn")
    return {"StreamArn": arn} if arn and (found.get("StreamSpecification") or {}).get("StreamEnabled") else {}


def _with_status(found: Properties) -> list[dict[str, Any]]:
    return [{"IndexStatus": None, **index} for index in found.get(_INDEXES) or []]


def _recovers(aws: Any, name: str) -> bool:
    found = aws.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    status = (found.get("PointInTimeRecoveryDescription") or {}).get("PointInTimeRecoveryStatus")
    return bool(status == "ENABLED")


def _put_the_rest(request: Request) -> None:
    """What has an operation of its own."""
    model, aws = request.desired_state, request.aws_client_factory.dynamodb
    name = model["TableName"]
    _put_time_to_live(aws, name, model.get(_TTL) or {})
    recovers = bool((model.get(_RECOVERY) or {}).get("PointInTimeRecoveryEnabled"))
    if recovers != _recovers(aws, name):
        specification = {"PointInTimeRecoveryEnabled": recovers}
        aws.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)
    stream = (model.get("KinesisStreamSpecification") or {}).get("StreamArn")
    streamed = (before(request).get("KinesisStreamSpecification") or {}).get("StreamArn")
    if streamed and streamed != stream:
        aws.disable_kinesis_streaming_destination(TableName=name, StreamArn=streamed)
    if stream and streamed != stream:
        aws.enable_kinesis_streaming_destination(TableName=name, StreamArn=stream)
    if request.action == "Modify":
        wanted, dropped = tag_changes(request)
        if wanted:
            tags = [{"Key": key, "Value": value} for key, value in wanted.items()]
            aws.tag_resource(ResourceArn=model["Arn"], Tags=tags)
        if dropped:
            aws.untag_resource(ResourceArn=model["Arn"], TagKeys=dropped)


def _put_time_to_live(aws: Any, name: str, wanted: Properties) -> None:
    found = aws.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    is_on = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    attribute = found.get("AttributeName")
    # An attribute must be let go before another one is taken.
    if is_on and not (wanted.get("Enabled") and wanted.get("AttributeName") == attribute):
        specification = {"Enabled": False, "AttributeName": attribute}
        aws.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
        is_on = False
    if wanted.get("Enabled") and not is_on:
        specification = {"Enabled": True, **selected(wanted, "AttributeName")}
        aws.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
