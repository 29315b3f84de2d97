"""
CloudFormation: a deployment that a stop interrupted doesn't go on.

Its stack stays in progress here: the engine takes it back, or goes on with what was on its way back, as soon as somebody
asks for the stack. By then all services are there.
"""

from __future__ import annotations

from typing import Any

from localstack.services.cloudformation.stores import cloudformation_stores

_ENDED = "LocalStack stopped while this was in progress"


def revive(_provider: Any) -> None:
    """Let change sets that were in progress be failed ones."""
    for _account, _region, store in list(cloudformation_stores.iter_stores()):
        for change_set in store.change_sets.values():
            if change_set.status.endswith(("_IN_PROGRESS", "_PENDING")):
                change_set.status, change_set.status_reason = "FAILED", _ENDED
                change_set.execution_status = "UNAVAILABLE"
            elif change_set.execution_status == "EXECUTE_IN_PROGRESS":
                change_set.execution_status = "EXECUTE_FAILED"
