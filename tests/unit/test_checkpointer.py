"""The checkpoints of a process: it goes on writing them whatever happens, and says what it could not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from emulator import checkpoint
from emulator.drivers import saved_state
from emulator.drivers.launcher import checkpoints, forking, persistence
from emulator.errors import MultistackError


@dataclass
class FakeServices:
    """Services whose state is one word; *error* is raised in its place."""

    state: str = "first"
    error: Exception | None = None
    unsaved: tuple[str, ...] = ()
    unused_code: frozenset[str] = frozenset()

    def payload(self) -> bytes:
        """The word."""
        if self.error:
            raise self.error
        return self.state.encode()

    payload_of_copy = payload


@pytest.fixture
def services() -> FakeServices:
    """All is well at first."""
    return FakeServices()


@pytest.fixture
def checkpointer(tmp_path: Path, services: FakeServices) -> Iterator[checkpoints.Checkpointer]:
    """Started, with the first state saved."""
    made = checkpoints.Checkpointer(tmp_path / "state", cast("persistence.ServiceStates", services), header)
    made.start()
    made.mark()
    until(lambda: saved(tmp_path) == b"first")
    yield made
    services.error = None
    made.end()


def header() -> checkpoint.Header:
    """Of now."""
    return checkpoint.Header(
        emulator="ministack 1.5.33", at=datetime.now(UTC), account_id="111111111111", region="eu-west-1"
    )


def saved(folder: Path) -> bytes | None:
    """What the newest checkpoint holds."""
    return saved_state.newest(folder / "state").payload


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TypeError("a set is not JSON"), "TypeError: a set is not JSON"),
        (RuntimeError("dictionary changed"), "RuntimeError: dictionary changed"),
        (OSError(28, "No space left on device", "/x"), "/x: No space left on device"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_failure_ends_the_checkpoints(
    checkpointer: checkpoints.Checkpointer, services: FakeServices, tmp_path: Path, error: Exception, reason: str
) -> None:
    """It is told as long as it lasts, and the next state that can be saved is."""
    services.error, services.state = error, "second"
    checkpointer.mark()
    until(lambda: checkpointer.problem == f"its state can't be saved: {reason}")
    assert saved(tmp_path) == b"first"
    services.error = None
    until(lambda: saved(tmp_path) == b"second")
    until(lambda: checkpointer.problem == "")


def test_one_service_that_can_not_be_saved_costs_the_others_nothing(
    checkpointer: checkpoints.Checkpointer, services: FakeServices, tmp_path: Path
) -> None:
    """It is named; a snapshot, which must be whole, is refused."""
    services.unsaved, services.state = ("the state of x: TypeError: a set",), "second"
    checkpointer.mark()
    until(lambda: saved(tmp_path) == b"second")
    until(lambda: checkpointer.problem == "its state can't be saved: the state of x: TypeError: a set")
    with pytest.raises(MultistackError, match="can't save the state of x: TypeError: a set"):
        checkpointer.copy(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_copy_says_why_the_state_can_not_be_saved(
    checkpointer: checkpoints.Checkpointer, services: FakeServices, tmp_path: Path
) -> None:
    """Code of functions is written beside the state first, where the disk may be full."""
    services.error = OSError(28, "No space left on device", "/code.zip")
    with pytest.raises(MultistackError, match=r"/code\.zip: No space left on device") as caught:
        checkpointer.copy(tmp_path / "copy")
    assert caught.value.hint == "free some space, then run the same command again"


def test_what_a_killed_copy_of_the_process_began_is_removed(
    checkpointer: checkpoints.Checkpointer, services: FakeServices, tmp_path: Path
) -> None:
    """Else each would leave a whole state behind, until the next start."""
    folder = tmp_path / "state" / saved_state.FOLDER
    (folder / ".9.checkpoint.123").write_text("half")
    lock = threading.Lock()

    def locked() -> bytes:
        with lock:
            return b"never in a copy"

    services.payload_of_copy = locked  # type: ignore[method-assign]
    services.state = "second"
    with lock:
        checkpointer.save()
    assert saved(tmp_path) == b"second"
    assert sorted(path.name for path in folder.iterdir()) == ["1.checkpoint", "2.checkpoint"]


def test_a_service_of_ministack_that_can_not_be_saved_is_left_out() -> None:
    """The rest is in the payload."""

    def job() -> dict[str, Any]:
        from ministack import app

        services = persistence.ServiceStates(account_id="111111111111", port=4600)
        app._get_module("ssm")._parameters["p"] = {"Value": {"a set"}}
        app._get_module("sqs")
        payload = json.loads(services.payload())
        return {"there": sorted({"ssm", "sqs"} & set(payload)), "unsaved": services.unsaved}

    assert forking.run(job, timeout=60) == {
        "there": ["sqs"],
        "unsaved": ["the state of ssm: TypeError: Object of type set is not JSON serializable"],
    }


def until(condition: Callable[[], bool], *, timeout: float = 30) -> None:
    """Wait for *condition*."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_queues_are_found_at_the_port_of_now() -> None:
    """URLs of the account's queues change, and nothing else that has a port."""
    payload = (
        b'{"http://127.0.0.1:4608/111111111111/q": "http://127.0.0.1:4608/other http://127.0.0.1:4608/222222222222/q"}'
    )
    moved = persistence.at_port(payload, account_id="111111111111", port=4600)
    assert moved == payload.replace(b"4608/111111111111", b"4600/111111111111")
