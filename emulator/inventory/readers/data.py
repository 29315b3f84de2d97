"""Where data lies: tables and buckets. Their content is never looked at."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from emulator.inventory.account import Account, document, given, tags_in
from emulator.inventory.resource import Properties

_THROUGHPUT = ("ReadCapacityUnits", "WriteCapacityUnits")


def table(account: Account, name: str, _parent: str) -> Properties:
    """A table: keys, indexes, capacity, stream, time to live, backups."""
    aws = account.client("dynamodb")
    found = aws.describe_table(TableName=name)["Table"]
    ttl = account.optional(lambda: aws.describe_time_to_live(TableName=name)["TimeToLiveDescription"], {})
    backups = account.optional(lambda: aws.describe_continuous_backups(TableName=name), {})
    recovery = backups.get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
    mode = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    return given(
        {
            "AttributeDefinitions": {
                one["AttributeName"]: one["AttributeType"] for one in _listed(found, "AttributeDefinitions")
            },
            "KeySchema": _keys(found),
            "BillingMode": mode,
            "ProvisionedThroughput": _throughput(found, mode),
            "GlobalSecondaryIndexes": _indexes(found, "GlobalSecondaryIndexes", mode),
            "LocalSecondaryIndexes": _indexes(found, "LocalSecondaryIndexes", mode),
            "StreamSpecification": given(found.get("StreamSpecification") or {}),
            "TimeToLiveSpecification": _ttl(ttl),
            "PointInTimeRecoverySpecification": recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            "DeletionProtectionEnabled": bool(found.get("DeletionProtectionEnabled")),
            "TableClass": (found.get("TableClassSummary") or {}).get("TableClass"),
        }
    )


def _listed(found: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    return found.get(key) or ()


def _keys(found: Mapping[str, Any]) -> Mapping[str, str]:
    return {one["AttributeName"]: one["KeyType"] for one in _listed(found, "KeySchema")}


def _throughput(found: Mapping[str, Any], mode: str) -> Mapping[str, int]:
    """On demand there is none, whatever an emulator shows."""
    shown = found.get("ProvisionedThroughput") or {}
    return {key: shown[key] for key in _THROUGHPUT if key in shown} if mode == "PROVISIONED" else {}


def _indexes(found: Mapping[str, Any], kind: str, mode: str) -> Mapping[str, Properties]:
    return {
        one["IndexName"]: given(
            {"KeySchema": _keys(one), "Projection": one.get("Projection"), "Throughput": _throughput(one, mode)}
        )
        for one in _listed(found, kind)
    }


def _ttl(found: Mapping[str, Any]) -> Mapping[str, Any]:
    is_on = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return {"AttributeName": found.get("AttributeName", ""), "Enabled": True} if is_on else {}


def bucket(account: Account, name: str, _parent: str) -> Properties:
    """A bucket: who may reach it, what it keeps, whom it tells."""
    aws = account.client("s3")
    aws.head_bucket(Bucket=name)

    def ask(operation: str, key: str) -> Any:
        call = functools.partial(getattr(aws, operation), Bucket=name)
        return account.optional(lambda: call().get(key), None)

    notifications = account.optional(lambda: aws.get_bucket_notification_configuration(Bucket=name), {})
    return given(
        {
            "AccessPolicy": document(ask("get_bucket_policy", "Policy")),
            "BucketEncryption": ask("get_bucket_encryption", "ServerSideEncryptionConfiguration"),
            "CorsConfiguration": ask("get_bucket_cors", "CORSRules"),
            "LifecycleConfiguration": ask("get_bucket_lifecycle_configuration", "Rules"),
            "NotificationConfiguration": _without_answer(notifications),
            "OwnershipControls": ask("get_bucket_ownership_controls", "OwnershipControls"),
            "PublicAccessBlockConfiguration": ask("get_public_access_block", "PublicAccessBlockConfiguration"),
            "Tags": tags_in(ask("get_bucket_tagging", "TagSet") or []),
            "VersioningConfiguration": ask("get_bucket_versioning", "Status"),
            "WebsiteConfiguration": _without_answer(account.optional(lambda: aws.get_bucket_website(Bucket=name), {})),
        }
    )


def _without_answer(found: Mapping[str, Any]) -> Properties:
    return {key: value for key, value in found.items() if key != "ResponseMetadata"}


READERS = {"AWS::DynamoDB::Table": table, "AWS::S3::Bucket": bucket}
