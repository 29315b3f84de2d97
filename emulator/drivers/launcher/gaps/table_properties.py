"""
Gap: MiniStack 1.5.33 drops time to live and point-in-time recovery of an ``AWS::DynamoDB::Table``, in silence.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

from emulator.drivers.launcher.resource_types import Properties, require, set_also

_TTL = "TimeToLiveSpecification"
_RECOVERY = "PointInTimeRecoverySpecification"


def apply() -> None:
    """Let creating and updating a table set them as DynamoDB's own calls do."""
    set_also("AWS::DynamoDB::Table", _set)


def _set(table: str, old: Properties, new: Properties) -> None:
    from ministack.services import dynamodb

    if old.get(_TTL) != new.get(_TTL):
        off = {**old.get(_TTL, {}), "Enabled": False}
        require(dynamodb._update_ttl({"TableName": table, _TTL: new.get(_TTL) or off}))
    if old.get(_RECOVERY) != new.get(_RECOVERY):
        wanted = new.get(_RECOVERY) or {"PointInTimeRecoveryEnabled": False}
        require(dynamodb._update_continuous_backups({"TableName": table, _RECOVERY: wanted}))
