"""
What somebody changed by hand: each resource held against what its template asked for.

Source:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_PropertyDifference.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from localstack.services.cloudformation.v2.entities import Stack

from multistack_localstack.cloudformation.engine import dynamic
from multistack_localstack.cloudformation.engine.calls import Caller
from multistack_localstack.cloudformation.engine.records import Record
from multistack_localstack.cloudformation.engine.resource_types import provider_for
from multistack_localstack.cloudformation.engine.target import place_of
from multistack_localstack.cloudformation.engine.values import same, text_of

Difference = dict[str, str]


def can_compare(kind: str) -> bool:
    """Whether resources of the type *kind* can be read and compared."""
    return bool(_compared(kind))


def _compared(kind: str) -> frozenset[str]:
    found: frozenset[str] = getattr(provider_for(kind), "COMPARED", frozenset())
    return found


def drift_of(stack: Stack, record: Record) -> dict[str, Any]:
    """How a resource that can be compared differs, as the API shows it."""
    place = place_of(stack)
    compared = _compared(record.kind)
    asked = dynamic.fill_in(record.desired, account_id=place.account_id, region=place.region)
    expected = {name: value for name, value in asked.items() if name in compared}
    read = Caller(place=place).read(record.kind, record.logical_id, {**record.model, **expected})
    shown: dict[str, Any] = {
        "StackId": stack.stack_id,
        "LogicalResourceId": record.logical_id,
        "PhysicalResourceId": record.physical_id,
        "ResourceType": record.kind,
        "Timestamp": datetime.now(UTC),
        "ExpectedProperties": json.dumps(expected),
    }
    if read is None:
        return {**shown, "StackResourceDriftStatus": "DELETED"}
    actual = {name: value for name, value in read.items() if name in expected}
    differences = list(_differences("", expected, actual))
    return {
        **shown,
        "ActualProperties": json.dumps(actual),
        "PropertyDifferences": differences,
        "StackResourceDriftStatus": "MODIFIED" if differences else "IN_SYNC",
    }


def _differences(path: str, expected: Any, actual: Any) -> Iterator[Difference]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            yield from _at(f"{path}/{key}", key in expected, expected.get(key), key in actual, actual.get(key))
    elif isinstance(expected, list) and isinstance(actual, list):
        for index in range(max(len(expected), len(actual))):
            is_expected, is_there = index < len(expected), index < len(actual)
            yield from _at(
                f"{path}/{index}",
                is_expected,
                expected[index] if is_expected else None,
                is_there,
                actual[index] if is_there else None,
            )
    elif not same(expected, actual):
        yield _difference(path, "NOT_EQUAL", expected, actual)


def _at(path: str, is_expected: bool, expected: Any, is_there: bool, actual: Any) -> Iterator[Difference]:
    if is_expected and is_there:
        yield from _differences(path, expected, actual)
    elif is_expected:
        yield _difference(path, "REMOVE", expected, None)
    else:
        yield _difference(path, "ADD", None, actual)


def _difference(path: str, kind: str, expected: Any, actual: Any) -> Difference:
    return {
        "PropertyPath": path,
        "DifferenceType": kind,
        "ExpectedValue": _shown(expected),
        "ActualValue": _shown(actual),
    }


def _shown(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, (Mapping, list)) else text_of(value)
