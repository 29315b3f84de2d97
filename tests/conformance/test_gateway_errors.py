"""What an API answers when something behind it, or about the request, is wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conformance.account import Account, Api, answering, unique
from tests.conformance.cases import case

_ERRORS = "https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html"
_PROXY = "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"
_GATEWAY = "https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html"
_THROTTLE = "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html"
_GAP = "gateway_errors"
_INTERNAL = {"message": "Internal server error"}


def _api(account: Account, code: str, **more: Any) -> Api:
    """A REST API of a new function, deployed to ``live``."""
    function = account.function(code, **more)
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "live")
    return api


@case(rule=5, source=_ERRORS, gap=_GAP)
def test_a_function_that_raises_answers_502(account: Account) -> None:
    """A function that raises answers 502, and tells the caller nothing else."""
    answer = account.call(_api(account, "def handler(e, c):\n    raise ValueError('secret')\n"), "live")
    assert (answer.status, answer.json()) == (502, _INTERNAL)


@pytest.mark.parametrize(
    "result",
    ["'text'", "None", "[1]", "{'answer': 1}", "{'statusCode': 200, 'body': {'a': 1}}", "{'statusCode': 'fine'}"],
    ids=["text", "nothing", "list", "other keys", "object as body", "no status"],
)
@case(rule=5, source=_PROXY, gap=_GAP)
def test_a_malformed_answer_is_502(account: Account, result: str) -> None:
    """A function whose answer has not the documented format answers 502."""
    answer = account.call(_api(account, f"def handler(e, c):\n    return {result}\n"), "live")
    assert (answer.status, answer.json()) == (502, _INTERNAL)


@case(rule=5, source=_ERRORS, gap=_GAP)
def test_a_function_that_runs_out_of_time_answers_502(account: Account) -> None:
    """A function that takes longer than its own timeout answers 502."""
    code = "import time\ndef handler(e, c):\n    time.sleep(20)\n"
    answer = account.call(_api(account, code, timeout=1), "live")
    assert (answer.status, answer.json()) == (502, _INTERNAL)


@case(rule=5, source=_GATEWAY, gap=_GAP)
def test_an_integration_that_runs_out_of_time_answers_504(account: Account) -> None:
    """A function that takes longer than the integration's timeout answers 504."""
    function = account.function("import time\ndef handler(e, c):\n    time.sleep(2)\n    return {'statusCode': 200}\n")
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.client("apigateway").update_integration(
        restApiId=api.id,
        resourceId=api.resources["/x"],
        httpMethod="GET",
        patchOperations=[{"op": "replace", "path": "/timeoutInMillis", "value": "500"}],
    )
    account.deploy(api, "live")
    answer = account.call(api, "live")
    assert (answer.status, answer.json()) == (504, {"message": "Endpoint request timed out"})


@case(rule=5, source=_ERRORS, gap=_GAP)
def test_a_call_that_lambda_refuses_answers_500(account: Account) -> None:
    """A function with reserved concurrency 0 answers 500."""
    function = account.function(answering("one"))
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "live")
    account.client("lambda").put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    answer = account.call(api, "live")
    assert (answer.status, answer.json()) == (500, _INTERNAL)


@case(rule=5, source=_ERRORS, gap=_GAP)
def test_calls_over_the_concurrency_answer_500(account: Account) -> None:
    """Of two calls at once of a function with reserved concurrency 1 one answers 500."""
    code = "import time\ndef handler(e, c):\n    time.sleep(1)\n    return {'statusCode': 200}\n"
    function = account.function(code)
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "live")
    account.client("lambda").put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda _: account.call(api, "live").status, range(2)))
    assert statuses == [200, 500]


@case(rule=5, source=_ERRORS)
def test_a_deleted_function_answers_500(account: Account) -> None:
    """An API whose function was deleted answers 500."""
    function = account.function(answering("one"))
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.deploy(api, "live")
    account.client("lambda").delete_function(FunctionName=function.name)
    answer = account.call(api, "live")
    assert (answer.status, answer.json()) == (500, _INTERNAL)


@case(rule=5, source=_GATEWAY)
def test_an_unknown_path_answers_403(account: Account) -> None:
    """A path or method that an API does not have answers 403 Missing Authentication Token."""
    api = _api(account, answering("one"))
    for method, path in (("GET", "/nothing"), ("POST", "/x")):
        answer = account.call(api, "live", path, method=method)
        assert (answer.status, answer.json()) == (403, {"message": "Missing Authentication Token"})


@case(rule=5, source="https://repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden")
def test_an_unknown_stage_answers_403(account: Account) -> None:
    """A stage that an API does not have answers 403 Forbidden."""
    answer = account.call(_api(account, answering("one")), "nothing")
    assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})


def _plan(account: Account, api: Api, **more: Any) -> str:
    """A usage plan with one key; returns the key's value."""
    gateway = account.client("apigateway")
    plan = gateway.create_usage_plan(name=unique("plan"), apiStages=[{"apiId": api.id, "stage": "live"}], **more)["id"]
    key = gateway.create_api_key(name=unique("key"), enabled=True)
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    return str(key["value"])


def _keyed_api(account: Account) -> Api:
    """A REST API that wants an API key."""
    function = account.function(answering("one"))
    account.allow_apis(function)
    api = account.rest_api(function.uri())
    account.client("apigateway").update_method(
        restApiId=api.id,
        resourceId=api.resources["/x"],
        httpMethod="GET",
        patchOperations=[{"op": "replace", "path": "/apiKeyRequired", "value": "true"}],
    )
    account.deploy(api, "live")
    return api


@case(rule=5, source="https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html")
def test_a_missing_api_key_answers_403(account: Account) -> None:
    """A method that requires an API key answers 403 Forbidden without one, or with a wrong one."""
    api = _keyed_api(account)
    key = _plan(account, api)
    for headers in ({}, {"x-api-key": "x" * 20}):
        answer = account.call(api, "live", headers=headers)
        assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})
    assert account.call(api, "live", headers={"x-api-key": key}).status == 200


def _statuses(account: Account, api: Api, **more: Any) -> list[int]:
    return [account.call(api, "live", **more).status for _ in range(8)]


@case(rule=5, source=_THROTTLE)
def test_a_stage_that_is_throttled_answers_429(account: Account) -> None:
    """Calls over a stage's limit answer 429 Too Many Requests."""
    api = _api(account, answering("one"))
    account.client("apigateway").update_stage(
        restApiId=api.id,
        stageName="live",
        patchOperations=[
            {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.01"},
            {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "2"},
        ],
    )
    statuses = _statuses(account, api)
    assert statuses == [200] * 2 + [429] * 6
    assert account.call(api, "live").json() == {"message": "Too Many Requests"}


@case(rule=5, source=_THROTTLE)
def test_a_usage_plan_that_is_throttled_answers_429(account: Account) -> None:
    """Calls over a usage plan's limit answer 429 Too Many Requests."""
    api = _keyed_api(account)
    key = _plan(account, api, throttle={"rateLimit": 0.01, "burstLimit": 2})
    assert _statuses(account, api, headers={"x-api-key": key}) == [200] * 2 + [429] * 6


@case(rule=5, source=_GATEWAY)
def test_a_used_up_quota_answers_429(account: Account) -> None:
    """Calls over a usage plan's quota answer 429 Limit Exceeded."""
    api = _keyed_api(account)
    key = _plan(account, api, quota={"limit": 2, "period": "DAY"})
    assert _statuses(account, api, headers={"x-api-key": key}) == [200] * 2 + [429] * 6
    assert account.call(api, "live", headers={"x-api-key": key}).json() == {"message": "Limit Exceeded"}


@case(source="https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html", gap="payload_limits")
def test_a_request_too_large_for_an_event_is_413(account: Account) -> None:
    """A request to an API whose event would be over 6 MB answers 413, and the function is not called."""
    function = account.function(
        "def handler(event, context):\n    return {'statusCode': 200, 'body': str(len(event['body']))}\n"
    )
    account.allow_apis(function)
    rest = account.rest_api(function.uri(), method="POST")
    account.deploy(rest, "live")
    for api in (rest, account.http_api(function.arn, route="POST /x")):
        headers = {"Content-Type": "text/plain"}
        assert account.call(api, "live", method="POST", body=b"x" * 6 * 1024**2 + b"x", headers=headers).status == 413
        assert account.call(api, "live", method="POST", body=b"x" * 1024**2, headers=headers).body == b"1048576"
