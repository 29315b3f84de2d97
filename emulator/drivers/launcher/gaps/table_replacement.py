"""
Gap: MiniStack 1.5.33 deletes a table at once when an update gives it another key.

On AWS the new table comes first, under a new name; the old one goes when the whole update has succeeded. Deleted at
once, its items are lost although the update is rolled back.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPE = "AWS::DynamoDB::Table"
_IMMUTABLE = ("KeySchema", "LocalSecondaryIndexes")

Properties = Mapping[str, Any]


def apply() -> None:
    """Send such an update of a table without a name of its own through MiniStack's general replacement."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[_TYPE]
    updated = handlers["update"]

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None) -> Any:
        if _is_replaced(old, new) and "TableName" not in old and "TableName" not in new:
            return provisioners._replace_resource(_TYPE, physical_id, old, new, stack_name, logical_id)
        return updated(physical_id, old, new, stack_name, logical_id)

    handlers["update"] = update
    # MiniStack refuses it for a table with a name of its own before it begins: nothing has to be sent back then.
    provisioners._CUSTOM_NAME_REPLACEMENT[_TYPE]["requires_replacement"] = _is_replaced


def _is_replaced(old: Properties, new: Properties) -> bool:
    from ministack.services.cloudformation import provisioners

    changed = any(old.get(name) != new.get(name) for name in _IMMUTABLE)
    return changed or bool(provisioners._requires_replacement_dynamodb(old, new))
