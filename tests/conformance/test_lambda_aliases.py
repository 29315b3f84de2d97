"""Aliases: names for versions, and shares of their calls for a second one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.account import Account, Api, Function, answering, eventually, unique
from tests.conformance.cases import case
from tests.conftest import http

_ALIASES = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html"
_WEIGHTS = "https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html"
_ROUTING = "https://docs.aws.amazon.com/lambda/latest/api/API_AliasRoutingConfiguration.html"
_ECHO = """
import os

def handler(event, context):
    return {"statusCode": 200, "body": os.environ["AWS_LAMBDA_FUNCTION_VERSION"]}
"""
# Calls that show a share; the chance that 0.5 looks like less than a fifth or more than four fifths is below 1e-5.
_CALLS = 60
# Calls after which both versions have run, but for a chance below 1e-4; each may be a cold start.
_FEW = 16


def _two_versions(account: Account, code: str = _ECHO, **more: Any) -> Function:
    """A function with the versions 1 and 2."""
    function = account.function(code, **more)
    account.publish(function)
    account.client("lambda").update_function_configuration(FunctionName=function.name, Description="second")
    account.settle(function.name)
    account.publish(function)
    return function


def _share(call: Callable[[], str], version: str = "2", *, calls: int = _CALLS) -> float:
    return sum(call() == version for _ in range(calls)) / calls


def _body(account: Account, api: Api) -> str:
    return account.call(api, "live").body.decode()


@case(rule=1, source=_ALIASES)
def test_an_alias_runs_its_version(account: Account) -> None:
    """A call through an alias runs the version it names, and moves when the alias is moved."""
    function = _two_versions(account)
    account.alias(function, "prod", "1")
    assert account.invoke(function, qualifier="prod")["ExecutedVersion"] == "1"
    account.client("lambda").update_alias(FunctionName=function.name, Name="prod", FunctionVersion="2")
    assert account.invoke(function, qualifier="prod")["Payload"]["body"] == "2"


@case(rule=1, source=_ALIASES)
def test_an_alias_of_latest_follows_updates(account: Account) -> None:
    """An alias that names `$LATEST` runs whatever was uploaded last."""
    function = account.function(answering("one"))
    account.alias(function, "dev", "$LATEST")
    assert account.invoke(function, qualifier="dev")["Payload"]["body"] == "one"
    account.update_code(function, answering("two"))
    assert account.invoke(function, qualifier="dev")["Payload"]["body"] == "two"


@case(rule=1, source="https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html", gap="alias_rules")
def test_an_alias_of_an_unknown_version_is_refused(account: Account) -> None:
    """An alias can't be made for, or moved to, a version that does not exist."""
    function = _two_versions(account)
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        account.alias(function, "prod", "9")
    account.alias(function, "test", "1")
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.update_alias(FunctionName=function.name, Name="test", FunctionVersion="9")
    assert account.invoke(function, qualifier="test")["ExecutedVersion"] == "1"


@case(rule=1, source="https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html")
def test_an_alias_has_no_environment_variables(account: Account) -> None:
    """Two aliases of a version run with the same environment variables: an alias has none of its own."""
    code = "import os\ndef handler(event, context):\n    return os.environ['TABLE']\n"
    function = account.function(code, Environment={"Variables": {"TABLE": "orders"}})
    version = account.publish(function)
    for name in ("test", "prod"):
        account.alias(function, name, version)
    assert account.invoke(function, qualifier="test")["Payload"] == "orders"
    assert account.invoke(function, qualifier="prod")["Payload"] == "orders"
    members = account.client("lambda").meta.service_model.operation_model("CreateAlias").input_shape.members
    assert "Environment" not in members


@case(rule=1, source="https://docs.aws.amazon.com/lambda/latest/dg/python-context.html", gap="alias_weights")
def test_a_function_sees_the_alias_it_was_called_by(account: Account) -> None:
    """The invoked function's ARN names the alias, also when an API calls it."""
    code = "def handler(event, context):\n    return {'statusCode': 200, 'body': context.invoked_function_arn}\n"
    function = account.function(code)
    account.alias(function, "prod", account.publish(function))
    account.allow_apis(function, "prod")
    api = account.http_api(function.uri("prod"))
    assert account.invoke(function, qualifier="prod")["Payload"]["body"] == f"{function.arn}:prod"
    assert account.call(api, "live").body.decode() == f"{function.arn}:prod"


@case(rule=3, source=_WEIGHTS, gap="alias_weights")
def test_weights_steer_calls(account: Account) -> None:
    """An alias with a weight sends that share of calls to its second version, and says which one ran."""
    function = _two_versions(account)
    account.alias(function, "prod", "1", {"2": 0.5})
    answers = [account.invoke(function, qualifier="prod") for _ in range(_CALLS)]
    assert all(answer["ExecutedVersion"] == answer["Payload"]["body"] for answer in answers)
    assert 0.2 < sum(answer["ExecutedVersion"] == "2" for answer in answers) / _CALLS < 0.8


@case(rule=3, source=_WEIGHTS, gap="alias_weights")
def test_a_changed_weight_changes_the_share(account: Account) -> None:
    """Changing an alias's weight changes its share at once; taking it away ends it."""
    function = _two_versions(account)
    account.alias(function, "prod", "1", {"2": 1.0})
    aws = account.client("lambda")

    def call() -> str:
        return str(account.invoke(function, qualifier="prod")["ExecutedVersion"])

    assert _share(call, calls=20) == 1
    for weights, wanted in (({"2": 0.0}, 0), ({}, 0)):
        aws.update_alias(FunctionName=function.name, Name="prod", RoutingConfig={"AdditionalVersionWeights": weights})
        assert _share(call, calls=20) == wanted
    assert "RoutingConfig" not in aws.get_alias(FunctionName=function.name, Name="prod")


@case(rule=3, source=_WEIGHTS, gap="alias_weights")
def test_weights_steer_calls_from_an_http_api(account: Account) -> None:
    """An HTTP API that integrates an alias sends the alias's share to its second version."""
    function = _two_versions(account)
    account.alias(function, "prod", "1", {"2": 0.5})
    account.allow_apis(function, "prod")
    api = account.http_api(function.uri("prod"))
    assert 0.2 < _share(lambda: _body(account, api)) < 0.8


@case(rule=3, source=_WEIGHTS, gap="alias_weights")
def test_weights_steer_calls_from_a_rest_api(account: Account) -> None:
    """A REST API that integrates an alias sends the alias's share to its second version."""
    function = _two_versions(account)
    account.alias(function, "prod", "1", {"2": 0.5})
    account.allow_apis(function, "prod")
    api = account.rest_api(function.uri("prod"))
    account.deploy(api, "live")
    assert 0.2 < _share(lambda: _body(account, api)) < 0.8


@case(rule=3, source="https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html", gap="alias_weights")
def test_weights_steer_calls_of_a_function_url(account: Account) -> None:
    """The URL of an alias sends the alias's share of calls to its second version."""
    function, aws = _two_versions(account), account.client("lambda")
    account.alias(function, "prod", "1", {"2": 0.5})
    made = aws.create_function_url_config(FunctionName=function.name, Qualifier="prod", AuthType="NONE")
    aws.add_permission(
        FunctionName=function.name,
        Qualifier="prod",
        StatementId="everyone",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    # Emulators know the function by the first part of the name.
    name = urlsplit(made["FunctionUrl"]).netloc.partition(".")[0]
    host = f"{name}.lambda-url.{account.endpoint.region}.localhost"

    def call() -> str:
        return http("GET", account.endpoint.url, headers={"Host": host}).body.decode()

    assert 0.2 < _share(call) < 0.8


@case(rule=3, source=_WEIGHTS, gap="alias_weights")
def test_weights_steer_asynchronous_calls(account: Account) -> None:
    """Asynchronous calls of an alias are shared between its versions as well."""
    function = _two_versions(account, "def handler(event, context):\n    print('ran', context.function_version)\n")
    account.alias(function, "prod", "1", {"2": 0.5})
    for _ in range(_FEW):
        account.invoke(function, qualifier="prod", InvocationType="Event")
    lines = eventually(
        lambda: [line for line in account.log_lines(f"/aws/lambda/{function.name}") if line.startswith("ran ")],
        lambda found: len(found) >= _FEW,
        timeout=5,
    )
    assert {"ran 1", "ran 2"} == set(lines)


@case(
    rule=3,
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-alias-aliasroutingconfiguration.html",
    gap="alias_weights",
)
def test_weights_come_from_a_stack(account: Account) -> None:
    """The weights of an alias that CloudFormation makes steer calls."""
    function = _two_versions(account)
    weights = {"AdditionalVersionWeights": [{"FunctionVersion": "2", "FunctionWeight": 0.5}]}
    alias = {"FunctionName": function.name, "FunctionVersion": "1", "Name": "prod", "RoutingConfig": weights}
    stack = account.create_stack({"Resources": {"Alias": {"Type": "AWS::Lambda::Alias", "Properties": alias}}})
    assert account.stack_settled(stack)["StackStatus"] == "CREATE_COMPLETE"
    assert 0.2 < _share(lambda: str(account.invoke(function, qualifier="prod")["ExecutedVersion"])) < 0.8


def _refused(account: Account, function: Function, version: str, weights: Mapping[str, float]) -> str:
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.ClientError) as refused:
        account.alias(function, unique("alias"), version, weights)
    return str(refused.value.response["Error"]["Code"])


@case(rule=3, source=_WEIGHTS, gap="alias_rules")
def test_weights_never_include_latest(account: Account) -> None:
    """An alias of two versions can't include `$LATEST`, neither first nor second."""
    function = _two_versions(account)
    assert _refused(account, function, "$LATEST", {"1": 0.5}) == "InvalidParameterValueException"
    assert _refused(account, function, "1", {"$LATEST": 0.5}) in (
        "InvalidParameterValueException",
        "ValidationException",
    )


@case(rule=3, source=_WEIGHTS, gap="alias_rules")
def test_an_alias_has_at_most_two_versions(account: Account) -> None:
    """An alias can't share its calls between three versions."""
    function = _two_versions(account)
    account.update_code(function, answering("three"))
    account.publish(function)
    assert _refused(account, function, "1", {"2": 0.3, "3": 0.3}) == "InvalidParameterValueException"


@case(rule=3, source=_WEIGHTS, gap="alias_rules")
def test_the_versions_of_an_alias_have_one_role(account: Account) -> None:
    """An alias can't share its calls between versions with different roles."""
    function = account.function(_ECHO)
    account.publish(function)
    account.client("lambda").update_function_configuration(FunctionName=function.name, Role=account.role())
    account.settle(function.name)
    account.publish(function)
    assert _refused(account, function, "1", {"2": 0.5}) == "InvalidParameterValueException"


@case(rule=3, source=_WEIGHTS, gap="alias_rules")
def test_the_versions_of_an_alias_have_one_dead_letter_queue(account: Account) -> None:
    """An alias can't share its calls between versions with different dead-letter queues."""
    function = account.function(_ECHO)
    account.publish(function)
    sqs = account.client("sqs")
    queue = sqs.create_queue(QueueName=unique("dlq"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.client("lambda").update_function_configuration(
        FunctionName=function.name, DeadLetterConfig={"TargetArn": arn}
    )
    account.settle(function.name)
    account.publish(function)
    assert _refused(account, function, "1", {"2": 0.5}) == "InvalidParameterValueException"


@case(rule=3, source=_ROUTING, gap="alias_rules")
def test_a_weight_lies_between_0_and_1(account: Account) -> None:
    """A weight above 1 is refused; 1 itself is not."""
    function = _two_versions(account)
    assert _refused(account, function, "1", {"2": 1.5}) in ("InvalidParameterValueException", "ValidationException")
    account.alias(function, "prod", "1", {"2": 1.0})
    assert account.invoke(function, qualifier="prod")["ExecutedVersion"] == "2"
