"""What boto3 raises becomes an error of ours."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from emulator.endpoint import answering
from emulator.errors import DeployError, NotReady
from emulator.model import Endpoint

ENDPOINT = Endpoint(environment="test", url="http://127.0.0.1:1", account_id="111111111111", region="eu-west-1")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(EndpointConnectionError(endpoint_url=ENDPOINT.url), id="refused"),
        pytest.param(ConnectionClosedError(endpoint_url=ENDPOINT.url), id="closed"),
        pytest.param(ReadTimeoutError(endpoint_url=ENDPOINT.url), id="silent"),
        pytest.param(ResponseParserError("half an answer"), id="broken off"),
    ],
)
def test_an_emulator_that_went_away_is_not_ready(error: Exception) -> None:
    """With the command that brings it back."""
    with (
        pytest.raises(NotReady, match="environment test: its emulator no longer answers") as caught,
        answering(ENDPOINT),
    ):
        raise error
    assert caught.value.hint == "multistack up test"


def test_a_refused_call_fails_the_deployment() -> None:
    """The emulator's own words, and where to read more."""
    refusal = ClientError({"Error": {"Code": "Nope", "Message": "no"}}, "PutObject")
    with pytest.raises(DeployError, match=r"environment test: .*Nope.*PutObject.*: no") as caught, answering(ENDPOINT):
        raise refusal
    assert caught.value.hint == "multistack logs test"


def test_a_bug_stays_a_bug() -> None:
    """It keeps its traceback."""
    with pytest.raises(TypeError), answering(ENDPOINT):
        raise TypeError
