"""Which requests may write, and the gate that holds them back."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest
from multistack_localstack.state.activity import Gate, may_run_functions, service_written, writes


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("PutItem", True),
        ("GetItem", False),
        ("ListObjectsV2", False),
        ("DescribeStacks", False),
        ("ReceiveMessage", False),
        ("DeleteMessage", True),
        ("CreateChangeSet", True),
        ("Invoke", True),
        ("GetSessionToken", True),
        ("GenerateDataKey", False),
        ("PutMetricData", False),
    ],
)
def test_writes_by_name(operation: str, expected: bool) -> None:
    """AWS names what reads; what is named otherwise may write."""
    assert writes(operation) is expected


def test_service_that_was_written() -> None:
    """A request of no AWS operation has changed nothing itself."""
    service = SimpleNamespace(service_name="sqs-query")
    written = SimpleNamespace(operation=SimpleNamespace(name="SendMessage"), service=service)
    assert service_written(written) == "sqs"
    assert service_written(SimpleNamespace(operation=None, service=None)) == ""


@pytest.mark.parametrize(
    ("path", "target", "expected"),
    [
        ("/_aws/execute-api/abc/live/x", "", True),
        ("/2015-03-31/functions/f/invocations", "", True),
        ("/", "AmazonSQS.ReceiveMessage", True),
        ("/", "DynamoDB_20120810.PutItem", False),
    ],
)
def test_what_may_wait_for_a_function(path: str, target: str, expected: bool) -> None:
    """Requests that wait for what waits outside a closed gate are not waited for."""
    assert may_run_functions(path, target) is expected


def test_closed_gate_holds_requests_back() -> None:
    """A request that comes while the gate is closed is answered once it opens."""
    gate, seen = Gate(), threading.Event()

    def request() -> None:
        with gate.admitted():
            seen.set()

    with gate.closed():
        thread = threading.Thread(target=request)
        thread.start()
        assert not seen.wait(0.05)
    thread.join()
    assert seen.is_set()


def test_gate_waits_for_requests_that_have_begun() -> None:
    """Nobody sees a request by half."""
    gate, begun, done = Gate(), threading.Event(), threading.Event()

    def request() -> None:
        with gate.admitted():
            begun.set()
            time.sleep(0.05)
            done.set()

    thread = threading.Thread(target=request)
    thread.start()
    begun.wait()
    with gate.closed():
        assert done.is_set()
    thread.join()


def test_gate_does_not_wait_for_long_requests() -> None:
    """A deployment or a long poll holds nobody up for long."""
    gate, begun, end = Gate(), threading.Event(), threading.Event()

    def request() -> None:
        with gate.admitted():
            begun.set()
            end.wait()

    thread = threading.Thread(target=request)
    thread.start()
    begun.wait()
    began = time.monotonic()
    with gate.closed():
        assert time.monotonic() - began < 1.0
    end.set()
    thread.join()


def test_own_requests_pass_a_closed_gate() -> None:
    """What another request waits for can't be held back."""
    gate = Gate()
    with gate.closed(), gate.passed():
        pass
