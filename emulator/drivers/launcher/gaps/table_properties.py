"""
Gap: MiniStack 1.5.33 drops time to live and point-in-time recovery of an ``AWS::DynamoDB::Table``, in silence.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPE = "AWS::DynamoDB::Table"
_TTL = "TimeToLiveSpecification"
_RECOVERY = "PointInTimeRecoverySpecification"

Properties = Mapping[str, Any]
Made = tuple[str, Any]


def apply() -> None:
    """Let creating and updating a table set them as DynamoDB's own calls do."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    created, updated = handlers["create"], handlers["update"]

    def create(logical_id: str, properties: Properties, stack_name: str) -> Made:
        made: Made = created(logical_id, properties, stack_name)
        _set(made[0], {}, properties)
        return made

    def update(physical_id: str, old: Properties, new: Properties, *more: Any) -> Made:
        made: Made = updated(physical_id, old, new, *more)
        _set(made[0], old if made[0] == physical_id else {}, new)
        return made

    handlers.update(create=create, update=update)


def _set(table: str, old: Properties, new: Properties) -> None:
    from ministack.services import dynamodb

    if old.get(_TTL) != new.get(_TTL):
        off = {**old.get(_TTL, {}), "Enabled": False}
        _require(dynamodb._update_ttl({"TableName": table, _TTL: new.get(_TTL) or off}))
    if old.get(_RECOVERY) != new.get(_RECOVERY):
        wanted = new.get(_RECOVERY) or {"PointInTimeRecoveryEnabled": False}
        _require(dynamodb._update_continuous_backups({"TableName": table, _RECOVERY: wanted}))


def _require(answer: tuple[int, Any, bytes]) -> None:
    status, _, body = answer
    if status >= 400:
        raise ValueError(body.decode())
