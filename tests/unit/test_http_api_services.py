"""The gap that ``http_api_services`` fills, and what ``http_api_parameters`` knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from ministack import app
from ministack.services import apigateway as v2
from ministack.services.cloudformation import provisioners

from emulator.drivers.launcher.gaps import http_api_services
from emulator.http_api_parameters import problem, unknown_variables

QUEUE = {"QueueUrl": "http://q", "MessageBody": "$request.body"}


@pytest.fixture(autouse=True)
def _filled(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_create_integration", "_update_integration", "_invoke_lambda_proxy"):
        monkeypatch.setattr(v2, name, getattr(v2, name))
    properties = provisioners._apigw_v2_integration_props
    monkeypatch.setattr(provisioners, "_apigw_v2_integration_props", properties)
    http_api_services.apply()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls an API that asks a service; gives its status, its message, and what the service was asked."""
    asked: list[Any] = []

    async def service(*request: Any) -> tuple[int, Mapping[str, str], bytes]:
        asked.append(json.loads(request[3]))
        return 200, {}, b"{}"

    for name in ("sqs", "events", "kinesis", "states"):
        monkeypatch.setitem(app.SERVICE_HANDLERS, name, service)

    def send(subtype: str, parameters: Mapping[str, str], body: bytes = b"", **more: Any) -> Any:
        integration = {"integrationSubtype": subtype, "requestParameters": parameters}
        headers = {"x-one": "1", "user-agent": "curl", "x-forwarded-for": "10.0.0.1, 10.0.0.2", "delay": ""}
        called = ("api", "live", "/a", "POST", headers, body, {"q": ["a", "b"]}, "POST /a", {"id": "7"})
        status, _, answer = asyncio.run(v2._invoke_lambda_proxy(integration, *called, **more))
        return status, json.loads(answer).get("message", ""), asked[-1] if asked else None

    return send


def test_ministack_still_forgets_the_subtype() -> None:
    """When this fails, MiniStack asks services itself: see what of http_api_services is still needed."""
    v2._apis["api"] = {"apiId": "api"}
    _, _, answer = v2._create_integration.__wrapped__("api", {"integrationSubtype": "SQS-PurgeQueue"})
    assert "integrationSubtype" not in json.loads(answer)


def sent(ask: Any, source: str, **more: Any) -> str:
    """The body of a message that comes from *source*."""
    status, _, asked = ask("SQS-SendMessage", {"QueueUrl": "http://q", "MessageBody": source}, **more)
    assert status == 200
    return str(asked["MessageBody"])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("$context.apiId $context.stage $context.routeKey", "api live POST /a", id="API"),
        pytest.param("$context.path", "/live/a", id="path"),
        pytest.param("$context.identity.sourceIp", "10.0.0.1", id="address"),
        pytest.param("$context.identity.userAgent", "curl", id="user agent"),
        pytest.param("$context.domainPrefix", "api", id="domain"),
        pytest.param("$context.authorizer.claims.scope", "[a b]", id="claim"),
        pytest.param("$context.authorizer.tier", "gold", id="context of an authorizer"),
        pytest.param("$request.header.X-One|${request.path.id}|$request.querystring.q", "1|7|a,b", id="request"),
        pytest.param("<${context.no}${request.header.no}>", "<>", id="nothing within a text"),
    ],
)
def test_parameters_come_from_the_request_and_its_context(ask: Any, source: str, expected: str) -> None:
    """By the names that AWS documents for HTTP APIs."""
    told = {"authorizer_claims": {"scope": ["a", "b"]}, "authorizer_lambda_context": {"tier": "gold"}}
    assert sent(ask, source, **told) == expected


def test_a_request_has_an_id_of_its_own(ask: Any) -> None:
    """A FIFO queue told messages apart by an empty id, and kept the first one only."""
    first, second = (sent(ask, "$context.requestId|${context.extendedRequestId}") for _ in range(2))
    assert first != second
    request_id, _, extended = first.partition("|")
    assert request_id == extended != ""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("$context.status", id="what is known later"),
        pytest.param("$context.bogus", id="no variable"),
        pytest.param("$context.authorizer", id="a whole authorizer"),
        pytest.param("$request.header.no", id="header"),
        pytest.param("$request.body.no", id="part of the body"),
        pytest.param("$request.body", id="no body"),
    ],
)
def test_a_parameter_that_the_request_lacks_is_told_to_its_sender(ask: Any, source: str) -> None:
    """As AWS does; the service is not asked."""
    status, message, asked = ask("SQS-SendMessage", {"QueueUrl": "http://q", "MessageBody": source})
    assert (status, asked) == (400, None)
    assert message.startswith(f"Unable to resolve property MessageBody from source {source}. ")


def test_a_number_that_is_none_is_told_to_its_sender(ask: Any) -> None:
    """Its header was empty."""
    status, message, asked = ask("SQS-SendMessage", {**QUEUE, "DelaySeconds": "$request.header.delay"}, b"a")
    assert (status, message, asked) == (400, "Invalid value for DelaySeconds: ''", None)


@pytest.mark.parametrize(
    ("subtype", "parameters", "expected"),
    [
        pytest.param(
            "SQS-ReceiveMessage",
            {"QueueUrl": "u", "MaxNumberOfMessages": "5", "AttributeNames": '["All"]'},
            {"QueueUrl": "u", "MaxNumberOfMessages": 5, "AttributeNames": ["All"]},
            id="numbers and lists",
        ),
        pytest.param(
            "EventBridge-PutEvents",
            {"Detail": "{}", "DetailType": "t", "Source": "s", "Resources": '["a"]', "Region": "eu-west-1"},
            {"Entries": [{"Detail": "{}", "DetailType": "t", "Source": "s", "Resources": ["a"]}]},
            id="event",
        ),
        pytest.param(
            "Kinesis-PutRecord",
            {"StreamName": "s", "Data": "hi", "PartitionKey": "p"},
            {"StreamName": "s", "Data": "aGk=", "PartitionKey": "p"},
            id="data",
        ),
        pytest.param(
            "StepFunctions-StopExecution", {"ExecutionArn": "arn"}, {"executionArn": "arn"}, id="names of its own"
        ),
    ],
)
def test_a_service_gets_the_types_that_it_takes(
    ask: Any, subtype: str, parameters: Mapping[str, str], expected: Any
) -> None:
    """Parameters are texts."""
    assert ask(subtype, parameters)[2] == expected


@pytest.mark.parametrize(
    ("subtype", "parameters", "said"),
    [
        pytest.param("SQS-Send", {}, "Invalid integration subtype", id="subtype"),
        pytest.param("SQS-SendMessage", {"QueueUrl": "u"}, "Missing required parameters", id="missing"),
        pytest.param("SQS-SendMessage", {**QUEUE, "Delay": "1"}, "Invalid parameters", id="unknown"),
        pytest.param(
            "SQS-SendMessage",
            {**QUEUE, "MessageGroupId": "$contextual"},
            "[Invalid source: $contextual specified for destination: MessageGroupId]",
            id="no source",
        ),
        pytest.param(
            "SQS-SendMessage", {**QUEUE, "MessageGroupId": "${request.cookie.a}"}, "Invalid source", id="place"
        ),
        pytest.param(
            "SQS-SendMessage", {**QUEUE, "MessageGroupId": "$request.body..a"}, "Invalid source", id="descent"
        ),
    ],
)
def test_what_aws_does_not_make_is_not_made(subtype: str, parameters: Mapping[str, str], said: str) -> None:
    """By the API, by an update of what was right, and by a template."""
    v2._apis["api"] = {"apiId": "api"}
    status, _, answer = v2._create_integration("api", {"integrationSubtype": subtype, "requestParameters": parameters})
    assert (status, said in json.loads(answer)["message"]) == (400, True)
    right = {"integrationSubtype": "SQS-SendMessage", "requestParameters": QUEUE}
    status, _, answer = v2._create_integration("api", right)
    assert status == 201
    made = json.loads(answer)["integrationId"]
    wrong = {"integrationSubtype": subtype, "requestParameters": parameters}
    assert v2._update_integration("api", made, wrong)[0] == 400
    with pytest.raises(ValueError, match=r"Invalid|Missing"):
        provisioners._apigw_v2_integration_props({"IntegrationSubtype": subtype, "RequestParameters": parameters})


def test_integrations_of_other_kinds_are_left_alone() -> None:
    """Their parameters have another form."""
    v2._apis["api"] = {"apiId": "api"}
    parameters = {"append:header.a": "$request.header.b"}
    assert v2._create_integration("api", {"requestParameters": parameters})[0] == 201
    assert (
        provisioners._apigw_v2_integration_props({"RequestParameters": parameters})["requestParameters"] == parameters
    )


def test_values_that_a_template_fills_in_are_no_problem() -> None:
    """What they come to is known later."""
    parameters = {"QueueUrl": {"Ref": "Queue"}, "MessageBody": "static"}
    assert problem("SQS-SendMessage", parameters) == ""
    assert list(unknown_variables({**parameters, "MessageGroupId": "$context.status ${context.a}"})) == ["status", "a"]
