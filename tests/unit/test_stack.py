"""How CloudFormation's refusals become errors of ours."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from emulator import stack
from emulator.errors import DeployError
from emulator.model import Endpoint

ENDPOINT = Endpoint(environment="test", url="http://127.0.0.1:1", account_id="111111111111", region="eu-west-1")


def _error(message: str) -> DeployError:
    response = {"Error": {"Code": "ValidationError", "Message": message}}
    return stack._deploy_error(ENDPOINT, ClientError(response, "CreateChangeSet"))


def test_unknown_types_are_named_with_a_way_out() -> None:
    """Sorted, and with a command that works while other environments are down."""
    error = _error("Template format error: Unrecognized resource types: [AWS::Foo::Bar, AWS::Bar::Foo]")
    assert isinstance(error, stack.UnsupportedTypes)
    assert error.types == ("AWS::Bar::Foo", "AWS::Foo::Bar")
    assert "environment test: its emulator does not know AWS::Bar::Foo, AWS::Foo::Bar" in error.message
    assert "`multistack deploy test --skip-unsupported`" in str(error.hint)


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        pytest.param("Parameter 'Size' must match pattern", "[environments.test.config]", id="parameter"),
        pytest.param("Template error", "None", id="template"),
    ],
)
def test_other_refusals_are_told_as_they_are(message: str, hint: str) -> None:
    """CloudFormation's own words, and for a parameter where its value stands."""
    error = _error(message)
    assert error.message == f"environment test: {message}"
    assert hint in str(error.hint)


@pytest.mark.parametrize(
    ("status", "stable"),
    [
        pytest.param("CREATE_COMPLETE", True, id="created"),
        pytest.param("UPDATE_COMPLETE", True, id="updated"),
        pytest.param("UPDATE_ROLLBACK_COMPLETE", True, id="rolled back"),
        pytest.param("ROLLBACK_COMPLETE", False, id="never created"),
        pytest.param("UPDATE_IN_PROGRESS", False, id="busy"),
    ],
)
def test_a_stack_is_stable_when_it_serves_a_release(status: str, stable: bool) -> None:
    """Created, updated, or back at the one before."""
    assert stack.Stack(name="s", status=status, tags={}, outputs={}).is_stable is stable
