"""
Gap: MiniStack 1.5.33 lets any stack take, change or drop an export that another stack owns or imports.

On AWS an export's name is unique per account and region, and a value in use can neither change nor go. A dropped
export also stayed readable.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Exports = Mapping[str, Mapping[str, str]]


def apply() -> None:
    """Hold a stack's exports against the others' where its outputs are resolved: what raises there rolls it back."""
    from ministack.services.cloudformation import stacks

    resolved = stacks._resolve_stack_outputs

    def resolve(definitions: Any, conditions: Any, resources: Any, parameters: Any, *more: Any) -> tuple[Any, Exports]:
        outputs, exports = resolved(definitions, conditions, resources, parameters, *more)
        *_, stack_id = more
        _check(stack_id, exports)
        return outputs, exports

    stacks._resolve_stack_outputs = resolve


def _check(stack_id: str, exports: Exports) -> None:
    from ministack.services.cloudformation import _exports, _stacks

    for name in exports:
        owner = _exports.get(name, {}).get("StackId", stack_id)
        if owner != stack_id:
            taken_by = next((stack for stack, found in _stacks.items() if found["StackId"] == owner), owner)
            raise ValueError(f"Export with name {name} is already exported by stack {taken_by}")
    before = {name: export for name, export in _exports.items() if export["StackId"] == stack_id}
    for name, export in before.items():
        if name not in exports or exports[name]["Value"] != export["Value"]:
            _refuse_if_imported(stack_id, name, is_dropped=name not in exports)
    for name in before.keys() - exports.keys():
        del _exports[name]


def _refuse_if_imported(stack_id: str, name: str, *, is_dropped: bool) -> None:
    from ministack.services.cloudformation import _stacks, handlers

    importers = [
        stack
        for stack, found in _stacks.items()
        if found["StackId"] != stack_id
        and found["StackStatus"] != "DELETE_COMPLETE"
        and name in handlers._imported_export_names(found, stack)
    ]
    if importers:
        verb = "delete" if is_dropped else "update"
        raise ValueError(f"Cannot {verb} export {name} as it is in use by {', '.join(sorted(importers))}")
