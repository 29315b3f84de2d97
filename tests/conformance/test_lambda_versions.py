"""Versions: what a release of a function is, and what can't be changed about it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.account import Account, Function, answering, zipped
from tests.conformance.cases import case

_VERSIONS = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html"
_PUBLISH = "https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html"


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
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert "$LATEST" in refused.value.response["Error"]["Message"]
    assert aws.get_function_configuration(FunctionName=function.name, Qualifier=version)["MemorySize"] == 128


@case(rule=2, source="https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html")
def test_publishing_nothing_new_makes_no_version(account: Account) -> None:
    """Publishing unchanged code and configuration returns the version there is."""
    function = account.function(answering("one"))
    assert account.publish(function) == account.publish(function)


@case(rule=1, source="https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html")
def test_a_version_can_not_get_other_code(account: Account) -> None:
    """Giving a published version other code is refused, and it goes on running what it ran."""
    function = account.function(answering("one"))
    version = account.publish(function)
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.InvalidParameterValueException):
        aws.update_function_code(FunctionName=f"{function.arn}:{version}", ZipFile=zipped(answering("two")))
    assert account.invoke(function, qualifier=version)["Payload"]["body"] == "one"


@case(rule=1, source=_PUBLISH, gap="version_rules")
def test_publishing_other_code_than_expected_is_refused(account: Account) -> None:
    """A version is only published when `$LATEST` has the code hash that the caller names."""
    function = account.function(answering("one"))
    aws = account.client("lambda")
    expected = aws.get_function_configuration(FunctionName=function.name)["CodeSha256"]
    account.update_code(function, answering("two"))
    with pytest.raises(aws.exceptions.InvalidParameterValueException):
        aws.publish_version(FunctionName=function.name, CodeSha256=expected)
    assert [found["Version"] for found in _versions(account, function)] == ["$LATEST"]


@case(rule=1, source=_PUBLISH, gap="version_rules")
def test_publishing_a_revision_that_is_gone_is_refused(account: Account) -> None:
    """A version is only published when `$LATEST` still is the revision that the caller names."""
    function = account.function(answering("one"))
    aws = account.client("lambda")
    seen = aws.get_function_configuration(FunctionName=function.name)["RevisionId"]
    account.update_code(function, answering("two"))
    with pytest.raises(aws.exceptions.PreconditionFailedException):
        aws.publish_version(FunctionName=function.name, RevisionId=seen)
    assert [found["Version"] for found in _versions(account, function)] == ["$LATEST"]


@case(rule=1, source=_VERSIONS)
def test_a_deleted_version_leaves_a_gap(account: Account) -> None:
    """The number of a deleted version is not given to another one."""
    function = account.function(answering("one"))
    first = account.publish(function)
    account.client("lambda").delete_function(FunctionName=function.name, Qualifier=first)
    account.update_code(function, answering("two"))
    assert int(account.publish(function)) == int(first) + 1
    assert [found["Version"] for found in _versions(account, function)] == ["$LATEST", "2"]


@case(rule=2, source="https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html", gap="version_rules")
def test_updating_and_publishing_at_once_gives_a_whole_version(account: Account) -> None:
    """Code updated with `Publish` becomes a version at once; publishing again makes none."""
    function = account.function(answering("one"))
    updated = account.client("lambda").update_function_code(
        FunctionName=function.name, ZipFile=zipped(answering("two")), Publish=True
    )
    account.settle(function.name)
    assert updated["FunctionArn"] == f"{function.arn}:{updated['Version']}"
    assert account.publish(function) == updated["Version"]
    assert account.invoke(function, qualifier=updated["Version"])["Payload"]["body"] == "two"


def _versions(account: Account, function: Function) -> list[Any]:
    return list(account.client("lambda").list_versions_by_function(FunctionName=function.name)["Versions"])
