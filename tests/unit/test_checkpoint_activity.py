"""Which requests may have written, and the gate that holds them back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from emulator.drivers.launcher import activity

SIGNED = [(b"authorization", b"AWS4-HMAC-SHA256 Credential=x")]


@pytest.mark.parametrize(
    ("method", "path", "action", "writes"),
    [
        ("GET", "/_localstack/health", b"", False),
        ("POST", "/", b"PutItem", True),
        ("POST", "/", b"GetItem", False),
        ("POST", "/", b"BatchGetItem", False),
        ("POST", "/", b"Query", False),
        ("POST", "/", b"Scan", False),
        ("POST", "/", b"DescribeTable", False),
        ("POST", "/", b"ListQueues", False),
        ("POST", "/", b"ReceiveMessage", True),
        ("POST", "/", b"GetActivityTask", True),
        ("POST", "/", b"", True),
        ("PUT", "/bucket/key", b"", True),
        ("GET", "/bucket/key", b"", False),
        ("HEAD", "/bucket/key", b"", False),
        ("POST", "/2015-03-31/functions/f/invocations", b"", True),
        ("GET", "/2015-03-31/functions/f", b"", False),
        ("GET", "/_aws/execute-api/abc/live/orders", b"", True),
    ],
)
def test_what_may_write_is_told_by_the_request(method: str, path: str, action: bytes, writes: bool) -> None:
    """A wrong guess for reading costs a second look later; one for writing a checkpoint that is not needed."""
    assert activity.may_write(method, path, action, SIGNED) is writes


def test_an_unsigned_read_may_be_for_a_function() -> None:
    """Function URLs are told by their host alone."""
    assert activity.may_write("GET", "/", b"", [(b"host", b"abc.lambda-url.eu-west-1.localhost")])


def test_the_action_is_what_follows_the_last_dot() -> None:
    """As DynamoDB and others send it."""
    assert activity.action_of([(b"host", b"x"), (b"x-amz-target", b"DynamoDB_20120810.PutItem")]) == b"PutItem"
    assert activity.action_of([(b"x-amz-target", b"AmazonSSM.PutParameter")]) == b"PutParameter"
    assert activity.action_of([]) == b""


def test_a_closed_gate_lets_what_began_end_and_holds_the_rest() -> None:
    """Nothing changes while it is closed; then everything goes on."""
    done: list[str] = []

    async def story() -> None:
        gate, release = activity.Gate(), asyncio.Event()

        async def application(scope: Any, _receive: Any, _send: Any) -> None:
            if scope["path"] == "/slow":
                await release.wait()
            done.append(scope["path"])

        watched = activity.watch(application, mark=lambda: done.append("mark"), gate=gate)
        slow = asyncio.ensure_future(watched(request("/slow"), None, None))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.02, release.set)
        async with gate.closed():
            late = asyncio.ensure_future(watched(request("/late"), None, None))
            await asyncio.sleep(0)
            assert done == ["/slow", "mark"]
        await asyncio.gather(slow, late)

    asyncio.run(story())
    assert done == ["/slow", "mark", "/late", "mark"]


def test_a_gate_that_closes_again_at_once_lets_nothing_slip_through() -> None:
    """Who waited has not had a turn yet when the next copy begins."""

    async def story() -> None:
        gate = activity.Gate()
        async with gate.closed():
            waiting = asyncio.ensure_future(gate.wait())
            await asyncio.sleep(0)
        async with gate.closed():
            for _ in range(5):
                await asyncio.sleep(0)
            assert not waiting.done()
        await waiting

    asyncio.run(story())


def test_the_gate_does_not_wait_for_functions() -> None:
    """What they write comes as requests that wait outside: both would wait for ever."""

    async def story() -> None:
        gate, never = activity.Gate(), asyncio.Event()

        async def application(_scope: Any, _receive: Any, _send: Any) -> None:
            await never.wait()

        watched = activity.watch(application, mark=lambda: None, gate=gate)
        call = asyncio.ensure_future(watched(request("/_aws/execute-api/a/live/"), None, None))
        await asyncio.sleep(0)
        assert gate.in_flight == 0
        async with asyncio.timeout(0.2), gate.closed():
            pass
        never.set()
        await call

    asyncio.run(story())


def request(path: str) -> dict[str, Any]:
    """A request that may write."""
    return {"type": "http", "method": "POST", "path": path, "headers": []}
