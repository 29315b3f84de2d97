"""
Lifecycle rules of a bucket: a template writes them in other words than S3's API.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]

_TRANSITION = {"StorageClass": "StorageClass", "TransitionInDays": "Days", "TransitionDate": "Date"}
_NONCURRENT = {
    "StorageClass": "StorageClass",
    "TransitionInDays": "NoncurrentDays",
    "NewerNoncurrentVersions": "NewerNoncurrentVersions",
    "NoncurrentDays": "NoncurrentDays",
}


def lifecycle_rules(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """The rules of a template as the API takes them."""
    return [_rule(rule, f"rule-{position}") for position, rule in enumerate(rules, start=1)]


def _rule(rule: Rule, name: str) -> dict[str, Any]:
    expiration = _renamed(
        rule,
        {
            "ExpirationDate": "Date",
            "ExpirationInDays": "Days",
            "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
        },
    )
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    if days := rule.get("NoncurrentVersionExpirationInDays"):
        noncurrent = {"NoncurrentDays": days}
    abort = rule.get("AbortIncompleteMultipartUpload") or {}
    transitions = [*(rule.get("Transitions") or []), *([rule["Transition"]] if rule.get("Transition") else [])]
    older = [
        *(rule.get("NoncurrentVersionTransitions") or []),
        *([rule["NoncurrentVersionTransition"]] if rule.get("NoncurrentVersionTransition") else []),
    ]
    made = {
        "ID": rule.get("Id") or name,
        "Status": rule["Status"],
        "Filter": _filter(rule),
        "Expiration": expiration,
        "NoncurrentVersionExpiration": _renamed(noncurrent, _NONCURRENT),
        "Transitions": [_renamed(one, _TRANSITION) for one in transitions],
        "NoncurrentVersionTransitions": [_renamed(one, _NONCURRENT) for one in older],
        "AbortIncompleteMultipartUpload": _renamed(abort, {"DaysAfterInitiation": "DaysAfterInitiation"}),
    }
    return {key: value for key, value in made.items() if value or key == "Filter"}


def _renamed(given: Rule, names: Mapping[str, str]) -> dict[str, Any]:
    return {api: given[name] for name, api in names.items() if given.get(name) is not None}


def _filter(rule: Rule) -> dict[str, Any]:
    sizes = {key: rule[key] for key in ("ObjectSizeGreaterThan", "ObjectSizeLessThan") if rule.get(key) is not None}
    tags = list(rule.get("TagFilters") or [])
    prefix = {"Prefix": rule.get("Prefix") or ""} if rule.get("Prefix") or not (sizes or tags) else {}
    if len(prefix) + len(sizes) + len(tags) > 1:
        return {"And": {**prefix, **sizes, **({"Tags": tags} if tags else {})}}
    return {"Tag": tags[0]} if tags else {**prefix, **sizes}
