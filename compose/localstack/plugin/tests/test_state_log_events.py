"""Events of CloudWatch Logs as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.logs.models import LogEvent, logs_backends
from multistack_localstack.state import pickling
from multistack_localstack.state.log_events import FEWEST, MOST, LogEvents
from multistack_localstack.state.object_files import ObjectFiles

ACCOUNT, REGION = "111111111111", "eu-west-1"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[ObjectFiles]:
    """Those of a new folder; Logs is empty before and after."""
    logs_backends[ACCOUNT][REGION].reset()
    yield ObjectFiles(tmp_path / "objects", tmp_path / "aside")
    logs_backends[ACCOUNT][REGION].reset()


@pytest.fixture
def events(files: ObjectFiles) -> LogEvents:
    """The part of the state."""
    return LogEvents(files)


def a_stream(number: int, name: str = "s") -> Any:
    """A stream with *number* more events."""
    backend: Any = logs_backends[ACCOUNT][REGION]
    if "g" not in backend.groups:
        backend.create_log_group("g", {})
    if name not in backend.groups["g"].streams:
        backend.create_log_stream("g", name)
    stream = backend.groups["g"].streams[name]
    first = len(stream.events)
    stream.put_log_events([{"timestamp": n, "message": f"m{n}"} for n in range(first, first + number)])
    return stream


def restart(events: LogEvents, files: ObjectFiles) -> Any:
    """What a new process makes of the state: the groups."""
    backend: Any = logs_backends[ACCOUNT][REGION]
    content, saved = pickling.dumps(backend.groups), pickling.loads(pickling.dumps(events.save()))
    backend.reset()
    backend.groups = pickling.loads(content)
    LogEvent._event_id = 0
    LogEvents(files).load(saved)
    return backend.groups


@pytest.mark.parametrize("number", [0, 1, FEWEST, FEWEST + 1, 7 * FEWEST + 3, 3 * MOST])
def test_all_events_come_back(number: int, events: LogEvents, files: ObjectFiles) -> None:
    """In their order, with their ids and times, wherever they lay."""
    stream = a_stream(number)
    before = [(vars(event), type(event)) for event in stream.events]
    events.prepare()
    found = restart(events, files)["g"].streams["s"]
    assert [(vars(event), type(event)) for event in found.events] == before
    assert found.log_group is logs_backends[ACCOUNT][REGION].groups["g"]


def test_pickle_stays_small(events: LogEvents) -> None:
    """Only the newest events are in a checkpoint, however many there are, and in few files."""
    stream = a_stream(FEWEST)
    events.prepare()
    small = len(pickling.dumps(stream))
    for _ in range(100):
        a_stream(FEWEST)
        events.prepare()
    assert len(pickling.dumps(stream)) < small + 100
    assert len(events.sizes()) < 12
    assert sum(count for chunks in events.save().values() for _, count, _ in chunks) == 101 * FEWEST


def test_new_events_have_new_ids(events: LogEvents, files: ObjectFiles) -> None:
    """Whoever follows a log takes an event that has a known id for one that was seen."""
    a_stream(FEWEST + 5)
    events.prepare()
    restart(events, files)
    ids = [event.event_id for event in a_stream(5).events]
    assert len(set(ids)) == len(ids)


def test_files_of_deleted_streams_go(events: LogEvents, files: ObjectFiles) -> None:
    """A deleted stream's files are dropped, and those that became one with another."""
    a_stream(2 * FEWEST, "gone")
    a_stream(FEWEST, "kept")
    events.prepare()
    del logs_backends[ACCOUNT][REGION].groups["g"].streams["gone"]
    events.prepare()
    files.taken(1)
    files.clean(oldest=1)
    assert {path.name for path in files.folder.iterdir()} == set(events.sizes())
    assert len(events.sizes()) == 1


def test_restored_streams_go_on(events: LogEvents, files: ObjectFiles) -> None:
    """After a restart more events are added to what there is, and saved again."""
    a_stream(3 * FEWEST + 1)
    events.prepare()
    restart(events, files)
    again = LogEvents(files)
    stream = a_stream(FEWEST)
    again.prepare()
    assert [event.message for event in stream.events] == [f"m{n}" for n in range(4 * FEWEST + 1)]
    assert sum(count for chunks in again.save().values() for _, count, _ in chunks) == 4 * FEWEST
    found = restart(again, files)["g"].streams["s"]
    assert [event.message for event in found.events] == [f"m{n}" for n in range(4 * FEWEST + 1)]


def test_nothing_is_left_of_an_unwritable_folder(events: LogEvents, files: ObjectFiles) -> None:
    """A full disk loses no event: they stay where they are."""
    stream = a_stream(FEWEST)
    files.folder.rename(files.folder.with_name("gone"))
    with pytest.raises(OSError, match="No such file"):
        events.prepare()
    assert (len(stream.events), events.save()) == (FEWEST, {})
