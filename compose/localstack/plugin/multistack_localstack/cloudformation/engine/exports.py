"""
Values that one stack gives to others: a name belongs to one stack, and stays while somebody uses it.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localstack.services.cloudformation.engine.validations import ValidationError
from localstack.services.cloudformation.stores import get_cloudformation_store
from localstack.services.cloudformation.v2.entities import Stack

_IMPORTS = "multistack_imports"


def keep_imports(stack: Stack, names: list[str]) -> None:
    """Remember which exports of other stacks *stack* uses."""
    setattr(stack, _IMPORTS, names)


def importers(stack: Stack, name: str) -> list[str]:
    """The names of the stacks that use the export *name*, sorted; *stack* is in their account and region."""
    stacks = get_cloudformation_store(stack.account_id, stack.region_name).stacks_v2.values()
    return sorted(one.stack_name for one in stacks if one.is_active() and name in getattr(one, _IMPORTS, []))


def check_new(exported: Mapping[str, str], known: Mapping[str, Any], *, stack: Stack) -> None:
    """
    Refuse the exports *exported* of *stack* where they take another stack's name, or what somebody uses.

    Args:
        known: All exports of the account and region, as LocalStack's store has them.
    """
    for name in exported:
        owner = known[name]["ExportingStackId"] if name in known else stack.stack_id
        if owner != stack.stack_id:
            other = owner.split("/")[1]
            raise ValidationError(f"Export with name {name} is already exported by stack {other}.")
    for name, before in stack.resolved_exports.items():
        users = importers(stack, name)
        if users and exported.get(name) != before:
            verb = "updated" if name in exported else "deleted"
            raise ValidationError(f"Export {name} cannot be {verb} as it is in use by {', '.join(users)}")


def check_unused(stack: Stack) -> None:
    """Refuse to delete a stack whose exports somebody uses."""
    for name in stack.resolved_exports:
        if users := importers(stack, name):
            raise ValidationError(f"Export {name} cannot be deleted as it is in use by {', '.join(users)}")
