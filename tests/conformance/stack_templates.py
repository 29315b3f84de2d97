"""Parts of CloudFormation templates, and what a case asks about a stack more than once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.conformance.account import Account, unique

GUIDE = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide"
API = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference"
TEMPLATES = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference"


def template(resources: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    """A template; *sections* are ``Parameters``, ``Outputs`` and so on."""
    return {"Resources": dict(resources), **sections}


def resource(kind: str, properties: Mapping[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A resource of ``AWS::`` *kind*; *attributes* are ``DependsOn``, ``DeletionPolicy`` and so on."""
    return {"Type": f"AWS::{kind}", "Properties": dict(properties or {}), **attributes}


def parameter(value: str, **attributes: Any) -> dict[str, Any]:
    """The cheapest resource there is: an SSM parameter."""
    return resource("SSM::Parameter", {"Type": "String", "Value": value}, **attributes)


def function(account: Account, says: str, **properties: Any) -> dict[str, Any]:
    """A function whose answer is *says* and its environment variable ``WHO``."""
    code = f"import os\ndef handler(event, context):\n    return [{says!r}, os.environ.get('WHO')]\n"
    return resource(
        "Lambda::Function",
        {
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Role": account.role(),
            "Code": {"ZipFile": code},
            **properties,
        },
    )


def failing() -> dict[str, Any]:
    """A resource that can't be created: its function isn't there."""
    return resource("Lambda::EventInvokeConfig", {"FunctionName": unique("nowhere"), "Qualifier": "$LATEST"})


def status(account: Account, stack: str) -> str:
    """The status of a stack, e.g. ``ROLLBACK_COMPLETE``."""
    return str(account.stack_settled(stack)["StackStatus"])


def outputs(account: Account, stack: str) -> dict[str, str]:
    """The outputs of a stack."""
    found = account.stack_settled(stack).get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in found}


def events(account: Account, stack: str) -> list[dict[str, Any]]:
    """The events of a stack, oldest first."""
    pages = account.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
    return [event for page in pages for event in page["StackEvents"]][::-1]


def calls(account: Account, stack: str, logical_id: str) -> Any:
    """What a stack's function answers."""
    answer = account.client("lambda").invoke(FunctionName=account.physical_id(stack, logical_id))
    return json.loads(answer["Payload"].read())


@contextlib.contextmanager
def refused(account: Account, code: str = "ValidationError", says: str = "") -> Iterator[None]:
    """Expect CloudFormation to refuse a call with *code* and a message that has *says* in it."""
    with pytest.raises(account.client("cloudformation").exceptions.ClientError) as error:
        yield
    assert error.value.response["Error"]["Code"] == code, error.value
    assert says in error.value.response["Error"]["Message"]
