"""An emulated account as the cases see it: boto3 clients, and the few things nearly every case makes first."""

from __future__ import annotations

import io
import itertools
import json
import os
import textwrap
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from emulator.endpoint import client
from emulator.model import Endpoint
from tests.conftest import Answer, http

T = TypeVar("T")

_numbers = itertools.count(1)
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def unique(prefix: str) -> str:
    """A name that nothing else in any account has, also not after a second run against the same endpoint."""
    return f"{prefix}-{os.getpid():x}-{time.time_ns() % 10**9:x}-{next(_numbers)}"


def zipped(code: str, *, module: str = "index.py") -> bytes:
    """A deployment package of one Python module; *code* may be indented as a whole."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(module, textwrap.dedent(code))
    return packed.getvalue()


def answering(text: str) -> str:
    """A handler that answers *text* through an API."""
    return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': {text!r}}}\n"


def eventually(probe: Callable[[], T], wanted: Callable[[T], bool], *, timeout: float = 10.0) -> T:
    """What *probe* returns once it is *wanted*, or its last value when *timeout* seconds have passed."""
    deadline = time.monotonic() + timeout
    while not wanted(value := probe()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


@dataclass(frozen=True)
class Function:
    """A function and where an API finds it."""

    name: str
    arn: str
    region: str

    def uri(self, qualifier: str | None = None) -> str:
        """
        The integration URI of the function, or of one qualifier.

        Args:
            qualifier: A version, an alias or ``${stageVariables.<name>}``.
        """
        target = f"{self.arn}:{qualifier}" if qualifier else self.arn
        return f"arn:aws:apigateway:{self.region}:lambda:path/2015-03-31/functions/{target}/invocations"


@dataclass(frozen=True)
class Api:
    """A REST or HTTP API; *resources* are the ids of a REST API's resources by path."""

    id: str
    resources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """One emulated account. What a case makes in it has a name of its own and stays."""

    endpoint: Endpoint

    def client(self, service: str) -> Any:
        """A boto3 client."""
        return client(self.endpoint, service)

    def role(self, *statements: Mapping[str, Any]) -> str:
        """A role for functions that allows *statements*, or everything; returns its ARN."""
        iam, name = self.client("iam"), unique("role")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"]["Arn"]
        allowed = list(statements) or [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy)
        return str(arn)

    def function(self, code: str, *, role: str | None = None, timeout: int = 10, **more: Any) -> Function:
        """A Python function ``index.handler`` that is ready to be called; *more* is given to CreateFunction."""
        name = str(more.get("FunctionName") or unique("function"))
        made = self.client("lambda").create_function(
            **{
                "FunctionName": name,
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "Role": role or self.role(),
                "Timeout": timeout,
                "Code": {"ZipFile": zipped(code)},
                **more,
            }
        )
        self.settle(name)
        return Function(name=name, arn=made["FunctionArn"], region=self.endpoint.region)

    def settle(self, name: str) -> None:
        """Wait until a function is active and its last update is done."""
        self.client("lambda").get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )
        self.client("lambda").get_waiter("function_updated_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )

    def update_code(self, function: Function, code: str) -> None:
        """Put *code* into ``$LATEST``."""
        self.client("lambda").update_function_code(FunctionName=function.name, ZipFile=zipped(code))
        self.settle(function.name)

    def publish(self, function: Function) -> str:
        """Publish a version of what ``$LATEST`` is; returns its number."""
        return str(self.client("lambda").publish_version(FunctionName=function.name)["Version"])

    def alias(self, function: Function, name: str, version: str, weights: Mapping[str, float] | None = None) -> None:
        """Make an alias; *weights* sends shares of its calls to other versions."""
        routing = {"RoutingConfig": {"AdditionalVersionWeights": dict(weights)}} if weights else {}
        self.client("lambda").create_alias(FunctionName=function.name, Name=name, FunctionVersion=version, **routing)

    def invoke(self, function: Function, payload: Any = None, *, qualifier: str | None = None, **more: Any) -> Any:
        """Call a function and wait; returns boto3's answer with its ``Payload`` read and parsed."""
        where = {"Qualifier": qualifier} if qualifier else {}
        answer = self.client("lambda").invoke(
            FunctionName=function.name, Payload=json.dumps(payload).encode(), **where, **more
        )
        body = answer["Payload"].read()
        return {**answer, "Payload": json.loads(body) if body else None}

    def allow_apis(self, function: Function, qualifier: str | None = None) -> None:
        """Let API Gateway call the function, or just one qualifier of it."""
        where = {"Qualifier": qualifier} if qualifier else {}
        self.client("lambda").add_permission(
            FunctionName=function.name,
            StatementId=unique("apis"),
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            **where,
        )

    def rest_api(self, uri: str, *, paths: Sequence[str] = ("/x",), method: str = "GET") -> Api:
        """A REST API, not deployed yet, whose *paths* of one part each are proxied to *uri*."""
        gateway = self.client("apigateway")
        made = gateway.create_rest_api(name=unique("api"))
        api = Api(made["id"], {"/": made["rootResourceId"]})
        for path in paths:
            api = self.add_path(api, path, uri, method=method)
        return api

    def add_path(self, api: Api, path: str, uri: str, *, method: str = "GET") -> Api:
        """Add one more path, such as ``/x``, to a REST API; takes effect with its next deployment."""
        gateway = self.client("apigateway")
        resource = gateway.create_resource(restApiId=api.id, parentId=api.resources["/"], pathPart=path[1:])["id"]
        where = {"restApiId": api.id, "resourceId": resource, "httpMethod": method}
        gateway.put_method(**where, authorizationType="NONE")
        gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        return Api(api.id, {**api.resources, path: resource})

    def deploy(self, api: Api, stage: str, **more: Any) -> str:
        """Deploy a REST API to a stage, made when missing; returns the deployment's id."""
        return str(self.client("apigateway").create_deployment(restApiId=api.id, stageName=stage, **more)["id"])

    def http_api(self, uri: str, *, route: str = "GET /x", stage: str = "live", **more: Any) -> Api:
        """An HTTP API with one route to *uri* (a function's ARN or integration URI) and one stage."""
        gateway = self.client("apigatewayv2")
        api = gateway.create_api(Name=unique("api"), ProtocolType="HTTP")["ApiId"]
        integration = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri, PayloadFormatVersion="2.0"
        )["IntegrationId"]
        gateway.create_route(ApiId=api, RouteKey=route, Target=f"integrations/{integration}")
        gateway.create_stage(ApiId=api, StageName=stage, AutoDeploy=True, **more)
        return Api(api)

    def call(
        self,
        api: Api,
        stage: str,
        path: str = "/x",
        *,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call a deployed API."""
        return http(method, self.url(api, stage, path), body, headers=headers)

    def url(self, api: Api, stage: str, path: str = "/x") -> str:
        """Where a deployed API answers."""
        return f"{self.endpoint.url}/_aws/execute-api/{api.id}/{stage}{path}"

    def log_lines(self, group: str) -> list[str]:
        """All messages of a log group, oldest first; none when the group does not exist."""
        logs = self.client("logs")
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event["message"].rstrip("\n") for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def create_stack(self, template: Mapping[str, Any], **more: Any) -> str:
        """Create a stack and wait for its end, good or bad; returns its name."""
        name = unique("stack")
        self.client("cloudformation").create_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"], **more
        )
        self.stack_settled(name)
        return name

    def update_stack(self, name: str, template: Mapping[str, Any], **more: Any) -> None:
        """Update a stack and wait for its end, good or bad."""
        self.client("cloudformation").update_stack(
            StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"], **more
        )
        self.stack_settled(name)

    def stack_settled(self, name: str) -> Any:
        """The description of a stack once nothing is in progress any more."""
        return eventually(
            lambda: self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0],
            lambda stack: not stack["StackStatus"].endswith("_IN_PROGRESS"),
            timeout=30,
        )

    def physical_id(self, stack: str, logical_id: str) -> str:
        """What a stack's resource is really called."""
        found = self.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])
