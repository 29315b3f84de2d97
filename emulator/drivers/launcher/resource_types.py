"""How a gap adds to what MiniStack's CloudFormation does with the resources of one type."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Properties = Mapping[str, Any]
Made = tuple[str, Any]


def set_also(kind: str, set_properties: Callable[[str, Properties, Properties], None]) -> None:
    """
    Let creating and updating a resource of *kind* set more of its properties.

    Args:
        set_properties: Gets the resource's physical id, the properties it had (none when it is new) and those it gets.
            What it raises fails the resource.
    """
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[kind]
    created, updated, deleted = handlers["create"], handlers["update"], handlers["delete"]

    def create(logical_id: str, properties: Properties, stack_name: str) -> Made:
        made: Made = created(logical_id, properties, stack_name)
        try:
            set_properties(made[0], {}, properties)
        except Exception:
            # CloudFormation knows nothing of a resource whose creation failed: its rollback would leave this one.
            deleted(made[0], properties)
            raise
        return made

    def update(physical_id: str, old: Properties, new: Properties, *more: Any) -> Made:
        made: Made = updated(physical_id, old, new, *more)
        set_properties(made[0], old if made[0] == physical_id else {}, new)
        return made

    handlers.update(create=create, update=update)


def require(answer: tuple[int, Any, bytes] | None) -> None:
    """Raise what a service says when it refuses; None is what MiniStack's checks return when nothing is wrong."""
    if answer is not None and answer[0] >= 400:
        said = json.loads(answer[2])
        raise ValueError(said.get("message") or said.get("Message") or said["__type"])
