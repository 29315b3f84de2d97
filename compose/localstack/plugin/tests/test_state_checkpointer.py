"""When checkpoints are written, of what, and what is said when they can't be."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from multistack_localstack.state import checkpointer as module
from multistack_localstack.state import pickling
from multistack_localstack.state.activity import Gate
from multistack_localstack.state.checkpoint import Header
from multistack_localstack.state.checkpointer import Checkpointer
from multistack_localstack.state.folder import StateFolder
from multistack_localstack.state.moment import Source
from multistack_localstack.state.object_files import ObjectFiles


class FakeGroup:
    """A service whose state is *content*, or fails to be had."""

    services: tuple[str, ...]

    def __init__(self, name: str, content: Any) -> None:
        self.name, self.services, self.content = name, (name,), content
        self.saved = 0

    def save(self) -> dict[str, Any]:
        """Its state."""
        self.saved += 1
        if isinstance(self.content, Exception):
            raise self.content
        return {"content": self.content} if self.content else {}


class State:
    """What a checkpointer saves, and itself."""

    def __init__(self, path: Path) -> None:
        self.folder = StateFolder(path)
        self.files = ObjectFiles(self.folder.objects, self.folder.aside)
        self.groups = [FakeGroup("sqs", "1"), FakeGroup("s3", "2")]
        self.objects: dict[str, int] = {}
        self.prepared = 0
        source = Source(
            prepare=self.prepare, groups=lambda: tuple(self.groups), objects=lambda: self.objects, header=header
        )  # type: ignore[arg-type, return-value]
        self.checkpointer = Checkpointer(self.folder, self.files, source, Gate())

    def prepare(self) -> None:
        """Before each moment."""
        self.prepared += 1

    def newest(self) -> dict[str, Any]:
        """What the newest checkpoint holds."""
        found = self.folder.read(self.folder.numbered()[0])
        return {name: pickling.loads(found.unpack(name))["content"] for name in found.packed}

    def numbers(self) -> list[int]:
        """Those of the checkpoints there are."""
        return [each.number for each in self.folder.numbered()]


def header() -> Header:
    """Of now."""
    return Header(emulator="localstack 4.14.0", at=datetime.now(UTC), account_id="1", region="r")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A new one."""
    made = State(tmp_path / "state")
    yield made
    made.checkpointer.end()


def wait_for(is_so: Callable[[], bool]) -> None:
    """Until it is so."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_is_saved(state: State) -> None:
    """Each service's state, and nothing for one that has none."""
    state.groups.append(FakeGroup("empty", ""))
    state.checkpointer.save()
    assert state.newest() == {"sqs": "1", "s3": "2"}
    assert (state.checkpointer.problem, state.prepared) == ("", 1)


def test_unchanged_state_is_not_written_again(state: State) -> None:
    """Unless somebody asks for a checkpoint of now."""
    state.checkpointer.save()
    state.checkpointer.save(everything=True)
    assert state.numbers() == [1]
    state.checkpointer.save(anyway=True)
    assert state.numbers() == [2, 1]


def test_only_touched_services_are_looked_at(state: State) -> None:
    """The others are as in the checkpoint before."""
    state.checkpointer.save()
    state.groups[0].content, state.groups[1].content = "new", "unseen"
    state.checkpointer.mark("sqs")
    state.checkpointer.save()
    assert state.newest() == {"sqs": "new", "s3": "2"}
    assert state.groups[1].saved == 1


def test_what_nobody_touched_is_found_in_the_end(state: State) -> None:
    """A stop saves also what changed without a request."""
    state.checkpointer.save()
    state.groups[1].content = "unseen"
    state.checkpointer.end()
    assert state.newest()["s3"] == "unseen"


def test_writes_are_saved_within_a_second(state: State) -> None:
    """A mark is followed by a checkpoint, and a burst of them by few."""
    state.checkpointer.start(0, {})
    began = time.monotonic()
    for number in range(200):
        state.groups[0].content = str(number)
        state.checkpointer.mark("sqs")
        time.sleep(0.01)
    wait_for(lambda: bool(state.numbers()) and state.newest()["sqs"] == "199")
    assert time.monotonic() - began < 4.0
    assert state.numbers()[0] < 6


def test_big_state_is_saved_by_a_copy(state: State, tmp_path: Path) -> None:
    """What takes long to turn into bytes is left to a forked copy, which sees the same."""
    pids = tmp_path / "pids"

    class Slow(FakeGroup):
        def save(self) -> dict[str, Any]:
            until = time.thread_time() + 2 * module.LITTLE
            while time.thread_time() < until:
                pass
            with pids.open("a") as file:
                file.write(f"{os.getpid()}\n")
            return super().save()

    state.groups[0] = Slow("sqs", "1")
    state.checkpointer.save(everything=True)
    state.groups[0].content = "2"
    state.checkpointer.save(everything=True)
    assert state.newest() == {"sqs": "2", "s3": "2"}
    here, copy = pids.read_text().split()
    assert here == str(os.getpid()) != copy


def test_failing_service_keeps_what_was_saved(state: State) -> None:
    """A service that can't be saved is told, and its last good state stays; the others are saved."""
    state.checkpointer.save()
    state.groups[0].content, state.groups[1].content = RuntimeError("no"), "new"
    state.checkpointer.save(everything=True)
    assert state.newest() == {"sqs": "1", "s3": "new"}
    assert state.checkpointer.problem == "its state can't be saved: sqs: RuntimeError: no"
    state.groups[0].content = "back"
    state.checkpointer.save(everything=True)
    assert (state.newest()["sqs"], state.checkpointer.problem) == ("back", "")


def test_state_that_changes_meanwhile_is_tried_again(state: State) -> None:
    """What LocalStack does on its own may come in between, once."""

    class Changing(FakeGroup):
        def save(self) -> dict[str, Any]:
            if super().save() and self.saved == 1:
                raise RuntimeError("dictionary changed size during iteration")
            return {"content": self.content}

    state.groups[0] = Changing("sqs", "1")
    state.checkpointer.save()
    assert (state.newest()["sqs"], state.checkpointer.problem) == ("1", "")


def test_unwritable_folder_is_a_problem_until_it_is_not(state: State) -> None:
    """The reason names the file; the next checkpoint has what this one should have had."""
    state.checkpointer.save()
    state.folder.checkpoints.rename(state.folder.path / "gone")
    state.groups[0].content = "new"
    state.checkpointer.mark("sqs")
    state.checkpointer.save()
    assert "No such file or directory" in state.checkpointer.problem
    (state.folder.path / "gone").rename(state.folder.checkpoints)
    state.checkpointer.save()
    assert (state.newest()["sqs"], state.checkpointer.problem) == ("new", "")


def test_deleted_checkpoints_are_written_again(state: State) -> None:
    """Somebody emptied the folder: the next look finds that."""
    state.checkpointer.save()
    state.folder.path_of(1).unlink()
    state.checkpointer.save(everything=True)
    assert state.numbers() == [2]


def test_two_checkpoints_are_kept(state: State) -> None:
    """And none goes while somebody copies the folder."""
    for _ in range(4):
        state.checkpointer.save(anyway=True)
    assert state.numbers() == [4, 3]
    state.files.hold()
    state.checkpointer.save(anyway=True)
    assert state.numbers() == [5, 4, 3]


def test_dropped_objects_go_two_checkpoints_later(state: State) -> None:
    """As long as a kept checkpoint refers to a file, it stays."""
    name, file = state.files.create()
    file.close()
    state.files.keep(name)
    state.objects = {name: 0}
    state.checkpointer.save()
    state.objects = {}
    state.files.drop(name)
    state.checkpointer.save(everything=True)
    assert (state.folder.objects / name).exists()
    state.checkpointer.save(anyway=True)
    assert not (state.folder.objects / name).exists()


def test_requests_wait_while_the_moment_is_taken(tmp_path: Path) -> None:
    """What is saved is of one moment."""
    state, inside = State(tmp_path / "state"), threading.Event()
    gate = state.checkpointer._gate

    class Watching(FakeGroup):
        def save(self) -> dict[str, Any]:
            thread = threading.Thread(target=self.request)
            thread.start()
            assert not inside.wait(0.05)
            return super().save()

        def request(self) -> None:
            with gate.admitted():
                inside.set()

    state.groups = [Watching("sqs", "1")]
    state.checkpointer.save()
    assert inside.wait(5)
    assert state.newest() == {"sqs": "1"}
