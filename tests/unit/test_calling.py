"""Resources by the names that people give them, and messages that don't fit."""

from __future__ import annotations

import pytest

from emulator.errors import ConfigError
from emulator.members import Member, find
from emulator.model import Endpoint
from emulator.sending import BUS, QUEUE, TOPIC, Message, send_to

ENDPOINT = Endpoint(environment="test", url="http://127.0.0.1:1", account_id="1" * 12, region="us-east-1")
FOUND = [
    Member(logical_id="Jobs", type=QUEUE, physical_id="http://127.0.0.1:1/111111111111/shop-test-Jobs-1"),
    Member(logical_id="News", type=TOPIC, physical_id="arn:aws:sns:us-east-1:111111111111:shop-test-News-1"),
    Member(logical_id="Shop.News", type=TOPIC, physical_id="arn:aws:sns:us-east-1:111111111111:Jobs"),
    Member(logical_id="A", type=QUEUE, physical_id="twins"),
    Member(logical_id="B", type=QUEUE, physical_id="twins"),
    *(Member(logical_id=name, type=QUEUE, physical_id=f"p-{name}") for name in ("GetLambdaFunction", "Put1", "PutB")),
]


@pytest.mark.parametrize(
    ("name", "logical_id"),
    [
        pytest.param("Jobs", "Jobs", id="logical id before name"),
        pytest.param("shop-test-Jobs-1", "Jobs", id="end of a URL"),
        pytest.param("shop-test-News-1", "News", id="end of an ARN"),
        pytest.param("arn:aws:sns:us-east-1:111111111111:Jobs", "Shop.News", id="whole physical id"),
        pytest.param("Shop.News", "Shop.News", id="nested"),
        pytest.param("get", "GetLambdaFunction", id="first word of an id"),
        pytest.param("lambdafunction", "GetLambdaFunction", id="other words of an id"),
    ],
)
def test_a_resource_is_found_by_its_names(name: str, logical_id: str) -> None:
    """The template's own first."""
    assert find(FOUND, name, environment="test", what="queue").logical_id == logical_id


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        pytest.param("Job", "environment test has no queue Job", "did you mean Jobs?", id="nearly"),
        pytest.param("put", "environment test has several that are called put: Put1, PutB", None, id="first words"),
        pytest.param(
            "x",
            "environment test has no queue x",
            "there are: Jobs, News, Shop.News, A, B, GetLambdaFunction, Put1, PutB",
            id="not at all",
        ),
        pytest.param("twins", "environment test has several that are called twins: A, B", None, id="several"),
    ],
)
def test_a_name_of_none_or_several_is_refused(name: str, message: str, hint: str | None) -> None:
    """With what there is."""
    with pytest.raises(ConfigError) as raised:
        find(FOUND, name, environment="test", what="queue")
    assert (raised.value.message, raised.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("kind", "message", "said"),
    [
        pytest.param(BUS, Message(body="{}"), "an event needs --source and --detail-type", id="bare event"),
        pytest.param(BUS, Message(body="{}", source="a"), "an event needs --detail-type", id="no detail type"),
        pytest.param(BUS, Message(body="[]", source="a", detail_type="b"), "must be a JSON object", id="detail"),
        pytest.param(QUEUE, Message(body="", subject="a"), "is a queue, which takes no --subject", id="subject"),
        pytest.param(QUEUE, Message(body="", group="a"), "is a queue, which takes no --group", id="group"),
        pytest.param(TOPIC, Message(body="", source="a"), "is a topic, which takes no --source", id="source"),
    ],
)
def test_a_message_that_does_not_fit_is_not_sent(kind: str, message: Message, said: str) -> None:
    """Nobody is asked: at this address nobody would answer."""
    with pytest.raises(ConfigError) as raised:
        send_to(ENDPOINT, Member(logical_id="X", type=kind, physical_id="x"), message)
    assert said in raised.value.message
