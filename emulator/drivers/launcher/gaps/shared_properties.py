"""
Gap: MiniStack 1.5.33 gives a resource the very objects that its stack remembers as the template's properties.

A stage variable that somebody edits by hand then changes what the stack expects as well: no drift is found, and a
rollback goes back to the edit.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Properties = Mapping[str, Any]


def apply() -> None:
    """Give copies to what makes and updates resources."""
    from ministack.services.cloudformation import stacks

    provisioned, updated = stacks._provision_resource, stacks._update_resource

    def provision(kind: str, logical_id: str, properties: Properties, stack_name: str) -> Any:
        return provisioned(kind, logical_id, copy.deepcopy(properties), stack_name)

    def update(kind: str, physical_id: str, old: Properties, new: Properties, *more: Any) -> Any:
        return updated(kind, physical_id, copy.deepcopy(old), copy.deepcopy(new), *more)

    stacks._provision_resource = provision
    stacks._update_resource = update
