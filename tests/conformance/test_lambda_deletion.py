"""Deletion: what goes along with a function, and what holds a version."""

from __future__ import annotations

import pytest

from tests.conformance.account import Account, answering
from tests.conformance.cases import case

_DELETE = "https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html"


@case(rule=7, source=_DELETE)
def test_deleting_a_function_removes_its_versions_and_aliases(account: Account) -> None:
    """A deleted function takes its versions and aliases along: none of them can be called or found."""
    function = account.function(answering("one"))
    version = account.publish(function)
    account.alias(function, "prod", version)
    aws = account.client("lambda")
    aws.delete_function(FunctionName=function.name)
    for qualifier in (None, version, "prod"):
        with pytest.raises(aws.exceptions.ResourceNotFoundException):
            account.invoke(function, qualifier=qualifier)
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        aws.get_alias(FunctionName=function.name, Name="prod")


@case(rule=7, source=_DELETE)
def test_a_version_that_an_alias_uses_can_not_be_deleted(account: Account) -> None:
    """A version that an alias names is held by it, and goes once the alias has moved."""
    function = account.function(answering("one"))
    version = account.publish(function)
    account.alias(function, "prod", version)
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.ResourceConflictException):
        aws.delete_function(FunctionName=function.name, Qualifier=version)
    assert account.invoke(function, qualifier="prod")["ExecutedVersion"] == version
    aws.update_alias(FunctionName=function.name, Name="prod", FunctionVersion="$LATEST")
    aws.delete_function(FunctionName=function.name, Qualifier=version)
    with pytest.raises(aws.exceptions.ResourceNotFoundException):
        account.invoke(function, qualifier=version)


@case(rule=7, source=_DELETE)
def test_a_version_with_a_weight_can_not_be_deleted(account: Account) -> None:
    """A version that an alias sends a share of its calls to is held by it."""
    function = account.function(answering("one"))
    account.publish(function)
    account.update_code(function, answering("two"))
    account.publish(function)
    account.alias(function, "prod", "1", {"2": 0.1})
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.ResourceConflictException):
        aws.delete_function(FunctionName=function.name, Qualifier="2")
    assert account.invoke(function, qualifier="2")["Payload"]["body"] == "two"


@case(rule=7, source=_DELETE, gap="version_rules")
def test_latest_alone_can_not_be_deleted(account: Account) -> None:
    """`$LATEST` can't be deleted as a version: the function stays."""
    function = account.function(answering("one"))
    aws = account.client("lambda")
    with pytest.raises(aws.exceptions.InvalidParameterValueException):
        aws.delete_function(FunctionName=function.name, Qualifier="$LATEST")
    assert account.invoke(function)["Payload"]["body"] == "one"


@case(rule=7, source="https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html", gap="version_rules")
def test_a_function_made_again_goes_on_counting(account: Account) -> None:
    """Version numbers are not reused, not even by a function that was deleted and made again."""
    function = account.function(answering("one"))
    first = account.publish(function)
    account.client("lambda").delete_function(FunctionName=function.name)
    again = account.function(answering("two"), FunctionName=function.name)
    assert again.arn == function.arn
    account.settle(function.name)
    assert int(account.publish(function)) == int(first) + 1
