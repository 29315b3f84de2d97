"""One account with stacks, in a LocalStack that is started once; or in the one at MULTISTACK_LOCALSTACK_URL."""

from __future__ import annotations

import atexit
import functools
import io
import json
import os
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from localstack_process import LocalStackProcess

T = TypeVar("T")

ACCOUNT, REGION = "111111111111", "eu-west-1"
# Seconds that a stack may take; a deployment takes about one.
_PATIENCE = 60.0
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


@functools.cache
def running() -> Account:
    """The account; LocalStack ends with the tests."""
    if url := os.environ.get("MULTISTACK_LOCALSTACK_URL"):
        return Account(url)
    folder = tempfile.TemporaryDirectory(prefix="cloudformation-")
    process = LocalStackProcess(Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(process.kill)
    process.start()
    return Account(process.url)


def unique(prefix: str) -> str:
    """A name that nothing else has."""
    return f"{prefix}-{time.time_ns():x}"


def eventually(probe: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """What *probe* returns once it is *wanted*, or at last."""
    deadline = time.monotonic() + _PATIENCE
    while not wanted(found := probe()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Account:
    """An account of a running LocalStack."""

    url: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=ACCOUNT,
                aws_secret_access_key="test",
                config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
            )
        return self._clients[service]

    def stack(self) -> Stack:
        """A stack that isn't there yet."""
        return Stack(self, unique("stack"))

    def role(self) -> str:
        """The ARN of a role for functions."""
        name = unique("role")
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
        return str(made["Role"]["Arn"])

    def call(self, api: str, path: str, *, stage: str = "live") -> tuple[int, str]:
        """Status and body of a GET through a deployed API."""
        try:
            with urllib.request.urlopen(f"{self.url}/_aws/execute-api/{api}/{stage}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@dataclass
class Stack:
    """A stack, deployed by change sets as `multistack deploy` does it."""

    account: Account
    name: str

    @property
    def aws(self) -> Any:
        """The client."""
        return self.account.client("cloudformation")

    def plan(self, template: Mapping[str, Any] | str, *, name: str = "", **more: Any) -> Any:
        """A change set, described; *more* goes to CreateChangeSet."""
        name = name or unique("plan")
        found = self.describe()
        is_new = found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS"
        more.setdefault("TemplateBody", template if isinstance(template, str) else json.dumps(template))
        parameters = more.pop("Parameters", {})
        self.aws.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            **{key: value for key, value in more.items() if value is not None},
        )
        return self.aws.describe_change_set(StackName=self.name, ChangeSetName=name)

    def execute(self, plan: Any, **more: Any) -> str:
        """Carry a change set out; returns the status of the stack in the end."""
        self.aws.execute_change_set(StackName=self.name, ChangeSetName=plan["ChangeSetId"], **more)
        return self.settled()

    def deploy(self, template: Mapping[str, Any] | str, **more: Any) -> str:
        """Plan and execute; returns the status of the stack in the end."""
        plan = self.plan(template, **more)
        assert plan["Status"] == "CREATE_COMPLETE", plan.get("StatusReason")
        return self.execute(plan)

    def delete(self, **more: Any) -> str:
        """Delete it; returns its status in the end."""
        found = self.describe()
        assert found is not None
        self.aws.delete_stack(StackName=self.name, **more)
        arn = found["StackId"]
        ended = eventually(
            lambda: self.aws.describe_stacks(StackName=arn)["Stacks"][0],
            lambda stack: not stack["StackStatus"].endswith("_IN_PROGRESS"),
        )
        return str(ended["StackStatus"])

    def describe(self) -> Any:
        """The stack, or None."""
        try:
            return self.aws.describe_stacks(StackName=self.name)["Stacks"][0]
        except self.aws.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def settled(self) -> str:
        """The status once nothing is in progress."""
        found = eventually(self.describe, lambda it: it is None or not it["StackStatus"].endswith("_IN_PROGRESS"))
        return "" if found is None else str(found["StackStatus"])

    @property
    def outputs(self) -> dict[str, str]:
        """Its outputs."""
        return {one["OutputKey"]: one["OutputValue"] for one in self.describe().get("Outputs", [])}

    @property
    def resources(self) -> dict[str, str]:
        """Logical id to physical id."""
        found = self.aws.list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}

    @property
    def events(self) -> list[tuple[str, str, str]]:
        """Logical id, status and reason, oldest first."""
        pages = self.aws.get_paginator("describe_stack_events").paginate(StackName=self.name)
        found = [event for page in pages for event in page["StackEvents"]][::-1]
        return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in found]

    @property
    def told(self) -> str:
        """Why things failed, for the message of a test."""
        return "; ".join(f"{name} {status}: {reason}" for name, status, reason in self.events if reason)


def template(resources: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    """A template; *sections* are ``Parameters``, ``Outputs`` and so on."""
    return {"Resources": dict(resources), **sections}


def resource(kind: str, properties: Mapping[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """A resource of ``AWS::`` *kind*."""
    return {"Type": f"AWS::{kind}", "Properties": dict(properties or {}), **attributes}


def parameter(value: Any, **attributes: Any) -> dict[str, Any]:
    """The cheapest resource there is."""
    return resource("SSM::Parameter", {"Type": "String", "Value": value}, **attributes)


def failing(*after: str) -> dict[str, Any]:
    """A resource that SSM refuses, once *after* is there."""
    return resource("SSM::Parameter", {"Name": "/aws/reserved", "Type": "String", "Value": "x"}, DependsOn=list(after))


def changes(plan: Any) -> dict[str, tuple[str, str | None]]:
    """Logical id to action and replacement."""
    shown = (change["ResourceChange"] for change in plan["Changes"])
    return {one["LogicalResourceId"]: (one["Action"], one.get("Replacement")) for one in shown}


def zipped(code: str) -> bytes:
    """A deployment package of ``index.py``."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", code)
    return packed.getvalue()
