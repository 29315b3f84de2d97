"""
IAM's managed policies of AWS: the same 1,300 in each account, which need not be saved.

All of them are 6 MB and 25 ms in each checkpoint. What is saved of one is that it is attached, and to whom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.iam.models import AWSManagedPolicy, IAMBackend, iam_backends


def attributes(backend: IAMBackend) -> dict[str, Any]:
    """What of *backend* is to be saved."""
    saved = dict(vars(backend))
    del saved["aws_managed_policies"]
    saved["managed_policies"] = {
        arn: policy
        for arn, policy in backend.managed_policies.items()
        if not isinstance(policy, AWSManagedPolicy) or policy.attachment_count
    }
    return saved


def fill(backend: IAMBackend, saved: Mapping[str, Any]) -> None:
    """Take what :func:`attributes` gave; *backend* has all policies of AWS already."""
    policies = backend.managed_policies | saved["managed_policies"]
    vars(backend).update(saved)
    backend.managed_policies = policies


def reduce(policy: AWSManagedPolicy) -> Any:
    """How a policy of AWS is pickled: by its name."""
    changed = {"attachment_count": policy.attachment_count, "id": policy.id}
    return _find, (policy.account_id, policy.partition, policy.arn), changed


def _find(account: str, partition: str, arn: str) -> Any:
    return iam_backends[account][partition].managed_policies[arn]
