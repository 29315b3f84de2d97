"""State as bytes and back."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from typing import Any

import pytest
from localstack.services.sqs.models import SqsStore, StandardQueue, sqs_stores
from localstack.services.ssm import provider as _ssm  # noqa: F401 - as LocalStack has it
from localstack.services.stores import AccountRegionBundle
from moto.ssm.models import ParameterDict
from multistack_localstack.state import pickling, places

ACCOUNT = "111111111111"


def again(value: Any) -> Any:
    """*value* after a restart."""
    return pickling.loads(pickling.dumps(value))


def test_locks_are_new_and_free() -> None:
    """A lock that was held when it was saved is free."""
    lock, reentrant, condition = threading.Lock(), threading.RLock(), threading.Condition()
    with lock, reentrant, condition:
        restored = again([lock, reentrant, condition, threading.Event()])
    for each in restored[:3]:
        assert each.acquire(blocking=False)
    assert not restored[3].is_set()


def test_default_dictionaries_keep_their_defaults() -> None:
    """Also those whose default is a function that nobody exports."""
    offset = 2
    restored = again(defaultdict(lambda: offset + 1, a=1))
    assert (restored["a"], restored["b"]) == (1, 3)


def test_dictionary_classes_with_arguments() -> None:
    """A class that can't be made without arguments comes back with what it holds."""
    before = ParameterDict(ACCOUNT, "eu-west-1")
    restored = again(before)
    assert (type(restored), restored.account_id) == (ParameterDict, ACCOUNT)


def test_modules_are_referred_to() -> None:
    """A module is the one that is there."""
    assert again({"m": logging})["m"] is logging


def test_stores_are_referred_to_by_their_place() -> None:
    """What refers to a store refers, after a restore, to the one that is there."""
    bundle = AccountRegionBundle("sqs", SqsStore)
    places.register(bundle)
    store = bundle[ACCOUNT]["eu-west-1"]
    try:
        content = pickling.dumps({"store": store})
        assert pickling.loads(content)["store"] is store
        del bundle[ACCOUNT]
        assert pickling.loads(content)["store"] is bundle[ACCOUNT]["eu-west-1"] is not store
    finally:
        places.register(sqs_stores)


def test_queue_works_again() -> None:
    """Messages are received, and one that was in flight is deleted by its old receipt."""
    queue = StandardQueue("q", "eu-west-1", ACCOUNT)
    queue.put({"MessageId": "1", "Body": "a", "Attributes": {}})
    receipt = queue.receive().receipt_handles[0]
    queue.put({"MessageId": "2", "Body": "b", "Attributes": {}})
    restored = again(queue)
    restored.remove(receipt)
    assert [message.message["Body"] for message in restored.receive().successful] == ["b"]
    assert len(restored.inflight) == 1


def test_what_is_no_data_is_told() -> None:
    """A thread can't be saved."""
    with pytest.raises(TypeError):
        pickling.dumps(threading.current_thread())
