"""Versions: what a release of a function is, and what can't be changed about it."""

from __future__ import annotations

import pytest

from tests.conformance.account import Account, answering
from tests.conformance.cases import case

_VERSIONS = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html"


@case(rule=1, source=_VERSIONS)
def test_a_version_keeps_its_code(account: Account) -> None:
    """A published version runs the code it was published with, whatever `$LATEST` runs."""
    function = account.function(answering("one"))
    version = account.publish(function)
    account.update_code(function, answering("two"))
    assert account.invoke(function, qualifier=version)["Payload"]["body"] == "one"
    assert account.invoke(function)["Payload"]["body"] == "two"


@case(rule=1, source=_VERSIONS)
def test_a_version_keeps_its_environment_variables(account: Account) -> None:
    """A published version keeps the environment variables it was published with."""
    code = "import os\ndef handler(event, context):\n    return os.environ['WHO']\n"
    function = account.function(code, Environment={"Variables": {"WHO": "one"}})
    version = account.publish(function)
    account.client("lambda").update_function_configuration(
        FunctionName=function.name, Environment={"Variables": {"WHO": "two"}}
    )
    account.settle(function.name)
    assert account.invoke(function, qualifier=version)["Payload"] == "one"
    assert account.invoke(function)["Payload"] == "two"


@case(rule=1, source="https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html")
def test_a_version_can_not_be_edited(account: Account) -> None:
    """Changing the configuration of a published version is refused: only `$LATEST` can be edited."""
    function = account.function(answering("one"))
    version = account.publish(function)
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.ClientError) as refused:
        aws.update_function_configuration(FunctionName=f"{function.arn}:{version}", MemorySize=256)
    assert refused.value.response["Error"]["Code"] in ("InvalidParameterValueException", "ValidationException")


@case(rule=2, source="https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html")
def test_publishing_nothing_new_makes_no_version(account: Account) -> None:
    """Publishing unchanged code and configuration returns the version there is."""
    function = account.function(answering("one"))
    assert account.publish(function) == account.publish(function)
