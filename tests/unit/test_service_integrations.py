"""The gap that ``service_integrations`` fills."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from ministack import app
from ministack.services import apigateway_v1 as v1

from emulator.drivers.launcher.gaps import service_integrations

PNG = b"\x89PNG\r\n\x1a\n\xff\xfe"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><g/><g/></svg>'
RESPONSES = {"integrationResponses": {"200": {"statusCode": "200"}}}


@dataclass
class Service:
    """One that answers everything alike and notes what it was asked."""

    answer: bytes = b"{}"
    asked: list[Any] = field(default_factory=list)

    async def __call__(self, *request: Any) -> tuple[int, Mapping[str, str], bytes]:
        self.asked.append(request)
        return 200, {}, self.answer


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sends a body to an API whose integration asks a service."""
    for name in ("_invoke_lambda_proxy_v1", "_invoke_sqs_v1", "_invoke_lambda_custom_v1", "_media_type_matches"):
        monkeypatch.setattr(v1, name, getattr(v1, name))
    service_integrations.apply()

    def asked(service: Service, uri: str, body: bytes = b"", **integration: Any) -> tuple[int, bytes]:
        monkeypatch.setitem(app.SERVICE_HANDLERS, uri.partition(":")[0], service)
        whole = {"uri": f"arn:aws:apigateway:eu-central-1:{uri}", **RESPONSES, **integration}
        resource = {"path": "/", "id": "r"}
        called: tuple[Any, ...] = ("api", "v1", {}, resource, "/", "POST", {}, body, {}, {})
        status, _, content = asyncio.run(v1._invoke_lambda_custom_v1(whole, *called))
        return status, content

    return asked


@pytest.mark.parametrize("content", [pytest.param(PNG, id="picture"), pytest.param(SVG, id="drawing")])
def test_objects_pass_through_an_api_as_they_are(ask: Any, content: bytes) -> None:
    """In both directions: they are neither read as text nor as the answer of an action."""
    bucket = Service(content)
    assert ask(bucket, "s3:path/bucket/key", content, httpMethod="PUT") == (200, content)
    method, path, _, body, _ = bucket.asked[0]
    assert (method, path, body) == ("PUT", "/bucket/key", content)


def test_what_an_action_answers_in_xml_is_given_as_json(ask: Any) -> None:
    """API Gateway asks for it."""
    topic = Service(b"<R xmlns='n'><Id>1</Id><L><member>a</member><member>b</member></L></R>")
    status, body = ask(topic, "sns:action/Publish")
    assert (status, json.loads(body)) == (200, {"R": {"Id": "1", "L": ["a", "b"]}})


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        pytest.param(b"Action=SendMessage&MessageBody=hi+there", {}, id="form"),
        pytest.param(b"", {"integration.request.querystring.MessageBody": "'hi there'"}, id="query"),
    ],
)
def test_a_queue_takes_forms(ask: Any, body: bytes, parameters: Mapping[str, str]) -> None:
    """Not only JSON."""
    queue = Service()
    ask(queue, "sqs:action/SendMessage", body, httpMethod="GET", requestParameters=parameters)
    method, _, headers, sent, query = queue.asked[0]
    assert (method, headers, query) == ("POST", {"content-type": "application/x-www-form-urlencoded"}, {})
    assert dict(urllib.parse.parse_qsl(sent.decode())) == {"Action": "SendMessage", "MessageBody": "hi there"}


def test_a_queue_takes_json(ask: Any) -> None:
    """As its clients send it, whatever stands in it."""
    queue = Service()
    ask(queue, "sqs:action/SendMessage", b' {"MessageBody": "a=b&c"}')
    _, _, headers, sent, _ = queue.asked[0]
    assert (headers["x-amz-target"], json.loads(sent)) == ("AmazonSQS.SendMessage", {"MessageBody": "a=b&c"})


def test_actions_of_a_service_that_is_not_known_are_answered_with_500(ask: Any) -> None:
    """The emulator may have one that AWS's client calls otherwise."""
    assert ask(Service(), "tagging:action/GetResources")[0] == 500
