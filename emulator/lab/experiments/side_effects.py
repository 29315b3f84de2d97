"""X16, X18: harm that prod's own answers don't show."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Generator

from emulator.endpoint import client, connection_to
from emulator.errors import NotReady
from emulator.lab.experiment import UNSEEN, Basis, Experiment, in_both_worlds
from emulator.lab.operator import Operator
from emulator.lab.releases import TALKATIVE, release, take_back, version_of
from emulator.lab.topologies import Place

_LOGS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html"
_QUEUES = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"
# A number that no card has: test numbers of card companies begin so.
_CARD = "4111111111111111"
_ORDERS = 5
# Seconds to wait for a line of a log or a message, and between two looks.
_PATIENCE = 20.0
_LOOK = 0.05


def _log_cards(operator: Operator) -> Generator[None, None, None]:
    test, prod = operator.test, operator.prod
    group = f"/aws/lambda/{prod.function}"
    before = version_of(operator, test)
    yield
    release(operator, TALKATIVE)
    order = {"id": "card-1", "item": "tea", "qty": 1, "price": 2, "card": _CARD}
    operator.does(f"curl -d '{json.dumps(order)}' {test.api_url}/orders", lambda: _post(test, order))
    found = operator.does(
        f"aws logs filter-log-events --log-group-name {group} --filter-pattern {_CARD}",
        lambda: _cards_in_log(test, prod),
    )
    operator.doubt("no card number came into the log of test's function either", when=found is None)
    operator.finds("a card number is in the log group of prod's function", when=bool(found))
    yield
    take_back(operator, test, before)
    operator.aws("logs", "delete_log_group", logGroupName=f"/aws/lambda/{test.function}")


def _consume(operator: Operator) -> Generator[None, None, None]:
    """Prod's orders go through a queue; test's consumer is let loose on the queue that it was given."""
    test, prod = operator.test, operator.prod
    taken: list[str] = []
    ended = threading.Event()
    consumer = threading.Thread(target=_take, args=(test, taken, ended), daemon=True)
    try:
        yield
        operator.does(f"python consumer.py --queue-url {test.queue}", consumer.start)
        lost = operator.does(
            f"# meanwhile, customers: {_ORDERS} times curl -d … {prod.api_url}/orders", lambda: _lost(prod, taken)
        )
        operator.doubt("what became of prod's messages was not seen in time", when=lost is None)
        operator.finds(f"{lost} messages of prod were taken by test's consumer", when=bool(lost))
        yield
        operator.does("^C  # ends the consumer; what it took does not come back", ended.set)
    finally:
        ended.set()
        if consumer.ident is not None:
            consumer.join(_PATIENCE)


def _lost(prod: Place, taken: list[str]) -> int | None:
    """
    Post orders to prod; how many of their messages the consumer of test took before prod's own had them.

    None if some were seen nowhere.
    """
    orders = [f"night-{number}" for number in range(1, _ORDERS + 1)]
    for order in orders:
        _post(prod, {"id": order, "item": "tea", "qty": 7, "price": 2})
    if not _wait_until(lambda: all(order in taken or _is_processed(prod, order) for order in orders)):
        return None
    return len(set(orders) & set(taken))


def _is_processed(place: Place, order: str) -> bool:
    found = client(place.endpoint, "dynamodb").get_item(
        TableName=place.table, Key={"id": {"S": order}}, ConsistentRead=True
    )
    return bool(found["Item"]["status"]["S"] == "processed")


def _cards_in_log(test: Place, prod: Place) -> int | None:
    """How many lines of prod's log hold the card, once the log of test has it; None if that never has."""
    return _cards(prod) if _wait_until(lambda: _cards(test) > 0) else None


def _cards(place: Place) -> int:
    aws = client(place.endpoint, "logs")
    try:
        found = aws.filter_log_events(logGroupName=f"/aws/lambda/{place.function}", filterPattern=_CARD)
    except aws.exceptions.ResourceNotFoundException:
        return 0
    return sum(_CARD in event["message"] for event in found["events"])


def _post(place: Place, order: dict[str, object]) -> None:
    connection = connection_to(place.endpoint.url, timeout=_PATIENCE)
    try:
        connection.request("POST", f"{place.api_path}/orders", body=json.dumps(order))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise NotReady(f"{place.path} takes no order: {answer.status}", hint="multistack lab reset")
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"{place.path} takes no order: {error}", hint="multistack lab reset") from error
    finally:
        connection.close()


def _wait_until(is_so: Callable[[], bool]) -> bool:
    """Whether it came to be so in time."""
    deadline = time.monotonic() + _PATIENCE
    while not (is_it := is_so()) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    return is_it


def _take(place: Place, taken: list[str], ended: threading.Event) -> None:
    """Read and delete messages until told to stop."""
    aws = client(place.endpoint, "sqs")
    while not ended.is_set():
        found = aws.receive_message(QueueUrl=place.queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            taken.append(str(json.loads(message["Body"])["id"]))
            aws.delete_message(QueueUrl=place.queue, ReceiptHandle=message["ReceiptHandle"])
        if not found:
            ended.wait(_LOOK)


EXPERIMENTS = (
    Experiment(
        id="X16",
        title="test logs card data",
        meant="Log whole requests in test, to find a fault.",
        setting="one log group, as there is one function",
        variants=in_both_worlds(
            single=_log_cards,
            multi=_log_cards,
            prod_sees=UNSEEN,
            shared="A function has one log group; only a stream's name tells versions apart.",
            separate="Test's function logs into a group of its own.",
        ),
        sources=(_LOGS,),
        needs=("lambda-logs/versions-share-a-log-group",),
    ),
    Experiment(
        id="X18",
        title="a consumer of test reads the shared queue",
        meant="Try a new consumer on test's queue.",
        setting="a queue that test and prod share",
        variants=in_both_worlds(
            single=_consume,
            multi=_consume,
            prod_sees=UNSEEN,
            shared="A message goes to whoever asks first, and is gone when they delete it.",
            separate="Prod's messages are in prod's queue.",
        ),
        sources=(_QUEUES,),
        basis=Basis.MODEL,
    ),
)
