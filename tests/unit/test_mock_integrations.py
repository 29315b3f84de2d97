"""The gap that ``mock_integrations`` fills."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from ministack.services import apigateway_v1 as v1

from emulator.drivers.launcher.gaps import mapping_templates, mock_integrations, rest_api_import, service_integrations

_JSON = "application/json"
_PATCHED = (
    "_authorize_request_v1",
    "_execute_in_scope",
    "_import_rest_api",
    "_invoke_lambda_custom_v1",
    "_invoke_lambda_proxy_v1",
    "_invoke_mock_v1",
    "_invoke_sqs_v1",
    "_media_type_matches",
    "_render_request_template_v1",
)


def integration(request: str | None, responses: Mapping[str, Any]) -> dict[str, Any]:
    """A mock with this request template."""
    return {
        "type": "mock",
        "responses": responses,
        **({} if request is None else {"requestTemplates": {_JSON: request}}),
    }


def answering(text: str, status: str = "200", **headers: str) -> dict[str, Any]:
    """A response of an integration."""
    parameters = {f"method.response.header.{name.replace('_', '-')}": value for name, value in headers.items()}
    return {"statusCode": status, "responseTemplates": {_JSON: text}, "responseParameters": parameters}


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an API of one mock and calls it; gives status, headers and body."""
    for name in _PATCHED:
        monkeypatch.setattr(v1, name, getattr(v1, name))
    for gap in (rest_api_import, mapping_templates, service_integrations, mock_integrations):
        gap.apply()

    def send(
        mock: Mapping[str, Any], query: Mapping[str, list[str]] | None = None, body: bytes = b"", **more: str
    ) -> Any:
        spec = {"info": {"title": "a"}, "paths": {"/{id}": {"options": {"x-amazon-apigateway-integration": mock}}}}
        api_id = v1._import_rest_api(spec)
        v1._create_deployment(api_id, {"stageName": "live"})
        return asyncio.run(v1.handle_execute(api_id, "live", "OPTIONS", "/7", more, body, dict(query or {})))

    return send


BOTH = {"default": answering("fine"), "404": answering("gone", "404")}


@pytest.mark.parametrize(
    ("template", "status"),
    [
        pytest.param('{"statusCode": 200}', 200, id="number"),
        pytest.param('#if($input.params("q") == "no"){"statusCode": 404}#else{"statusCode": 200}#end', 404, id="query"),
        pytest.param('#set($s = 404){"statusCode": $s}', 404, id="variable"),
        pytest.param("{ statusCode: 404 }", 404, id="as CDK writes it"),
        pytest.param("{'statusCode': 404, 'a': 1}", 404, id="other quotes"),
        pytest.param('{"statusCode": 999}', 200, id="default"),
        pytest.param('{"statusCode": "404"}', 500, id="text"),
        pytest.param('{"statusCode": "$input.params(\'q\')"}', 500, id="filled in text"),
        pytest.param("{}", 500, id="no status"),
        pytest.param("", 500, id="nothing"),
    ],
)
def test_the_request_template_chooses_the_response(call: Any, template: str, status: int) -> None:
    """By the number that it comes to; anything else is a configuration error, as on AWS."""
    answered, _, body = call(integration(template, BOTH), {"q": ["no"]})
    assert (answered, body) == (status, {200: b"fine", 404: b"gone"}.get(status, service_integrations.FAILED[2]))


def test_what_no_response_is_for_is_an_error(call: Any) -> None:
    """AWS looks no further than the patterns and the default."""
    assert call(integration('{"statusCode": 200}', {"404": answering("gone", "404")}))[0] == 500
    assert call(integration('{"statusCode": 200}', {}))[0] == 500


def test_a_content_type_without_a_template_passes_the_body(call: Any) -> None:
    """Which then names the status, or does not."""
    mock = integration('{"statusCode": 200}', BOTH)
    sent = {"content-type": "text/plain"}
    assert call(mock, body=b'{"statusCode": 404}', **sent)[0] == 404
    assert call(mock, body=b"hello", **sent)[0] == 500
    assert call(integration(None, BOTH), body=b"")[0] == 500


def test_a_preflight_as_sam_writes_it_is_answered(call: Any) -> None:
    """Its headers are constants, its template is spread over lines."""
    allowed = answering("{}\n", Access_Control_Allow_Origin="'*'", Access_Control_Allow_Methods="'GET,OPTIONS'")
    status, headers, body = call(integration('{\n  "statusCode" : 200\n}\n', {"default": allowed}))
    assert (status, body) == (200, b"{}\n")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == "GET,OPTIONS"


def test_headers_come_from_the_request_and_from_templates(call: Any) -> None:
    """A template's override counts more than the response's parameter."""
    template = '#set($context.responseOverride.header.XTwo = "of the template")$input.params("id")'
    response = answering(template, X_One="context.stage", XTwo="'constant'")
    status, headers, body = call(integration('{"statusCode": 200}', {"default": response}))
    assert (status, body) == (200, b"7")
    assert (headers["X-One"], headers["XTwo"]) == ("live", "of the template")


def test_a_mock_answers_nothing_itself(call: Any) -> None:
    """So the response's template doesn't see the request's body, and there is none without a template."""
    mock = integration('{"statusCode": 200}', {"default": answering("<$input.json('$')>")})
    assert call(mock, body=b'{"a": 1}')[2] == b"<{}>"
    assert call(integration('{"statusCode": 200}', {"default": {"statusCode": "204"}}))[::2] == (204, b"")


def test_ministack_still_looks_for_a_number() -> None:
    """When this fails, MiniStack evaluates the template itself: see what of mock_integrations is still needed."""
    responses = {"200": {"statusCode": "200"}, "404": {"statusCode": "404", "selectionPattern": "404"}}
    template = '#set($s = 404){"statusCode": $s}'
    mock = {"requestTemplates": {_JSON: template}, "integrationResponses": responses}
    assert v1._invoke_mock_v1(mock)[0] == 200
    assert json.loads(v1._invoke_mock_v1({})[2]) == {}
