"""Which checkpoint is taken, and how a state is copied."""

from __future__ import annotations

import json
import resource
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator import checkpoint
from emulator.drivers import saved_state
from emulator.errors import MultistackError

HEADER = checkpoint.Header(
    emulator="ministack 1.5.33", at=datetime(2026, 11, 25, tzinfo=UTC), account_id="111111111111", region="eu-west-1"
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Two checkpoints, whose payloads are their numbers, and a file of an object."""
    state = tmp_path / "state"
    (state / saved_state.FOLDER).mkdir(parents=True)
    for number in (9, 10):
        checkpoint.write(path_of(state, number), HEADER, str(number).encode())
    (state / "s3/111111111111/bucket").mkdir(parents=True)
    (state / "s3/111111111111/bucket/key").write_text("content")
    return state


def path_of(state: Path, number: int) -> Path:
    """A checkpoint's file."""
    return state / saved_state.FOLDER / f"{number}.checkpoint"


def test_the_newest_is_taken(state: Path) -> None:
    """By number, not by name."""
    assert saved_state.newest(state) == saved_state.Found(header=HEADER, payload=b"10")


def test_a_broken_one_falls_back_to_the_one_before(state: Path) -> None:
    """And is named."""
    path_of(state, 10).write_bytes(path_of(state, 10).read_bytes()[:-1])
    found = saved_state.newest(state)
    assert found.payload == b"9"
    assert found.broken == (f"checkpoint {path_of(state, 10)} is broken: it is not as it was written",)


def test_where_all_are_broken_there_is_none(state: Path) -> None:
    """Each is named."""
    for number in (9, 10):
        path_of(state, number).write_bytes(b"")
    found = saved_state.newest(state)
    assert (found.payload, len(found.broken)) == (None, 2)


def test_a_newer_one_is_not_passed_over(state: Path) -> None:
    """An older state in its place would lose what a later multistack saved."""
    path_of(state, 10).write_text(json.dumps({"kind": "multistack-checkpoint", "format": 99}) + "\n")
    for look in (saved_state.newest, saved_state.refuse_newer):
        with pytest.raises(checkpoint.NewerCheckpoint, match="has format 99"):
            look(state)


def test_what_else_lies_there_is_no_checkpoint(state: Path) -> None:
    """A file that was being written, or was put aside."""
    for name in (".11.checkpoint.123", "11.broken", "x.checkpoint"):
        (state / saved_state.FOLDER / name).write_text("")
    assert [number for number, _ in saved_state.numbered(state)] == [10, 9]


def test_state_from_before_checkpoints_is_read_once(tmp_path: Path) -> None:
    """MiniStack's own files, one for each service; a checkpoint then takes their place."""
    wrapped = {"__ministack_format__": 2, "payload": {"a": 1}}
    (tmp_path / "ssm.json").write_text(json.dumps(wrapped))
    (tmp_path / "cut.json").write_text('{"__ministack_format__": 2, "pay')
    found = saved_state.newest(tmp_path)
    assert found.header is None
    assert json.loads(found.payload or b"") == {"ssm": wrapped}
    (tmp_path / saved_state.FOLDER).mkdir()
    checkpoint.write(path_of(tmp_path, 1), HEADER, b"later")
    assert saved_state.newest(tmp_path).payload == b"later"


def test_nothing_is_nothing(tmp_path: Path) -> None:
    """An environment that never ran."""
    assert saved_state.newest(tmp_path / "none") == saved_state.Found()


def test_a_copy_becomes_a_state_again(state: Path, tmp_path: Path) -> None:
    """Checkpoint and files; the checkpoints of the original stay where they are."""
    copy, again = tmp_path / "snapshots/one", tmp_path / "again"
    saved_state.write_copy(copy, lambda aside: saved_state.fill_copy(aside, state, HEADER, b"moment"))
    assert saved_state.read_copy(copy) == (HEADER, b"moment")
    assert copy.stat().st_mode & 0o777 == 0o700
    assert sorted(path.name for path in copy.iterdir()) == ["checkpoint", "files"]
    saved_state.as_state(copy, again)
    assert saved_state.newest(again).payload == b"moment"
    for folder in (copy, again):
        modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in (folder, *folder.rglob("*"))}
        assert modes == {(True, 0o700), (False, 0o600)}
    assert (again / "s3/111111111111/bucket/key").read_text() == "content"


def test_a_copy_that_does_not_fit_says_so_in_one_line(state: Path, tmp_path: Path) -> None:
    """However many files there are: it ends with the first one that can't be written."""
    for number in range(3):
        (state / f"s3/111111111111/bucket/{number}").write_bytes(bytes(100_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(MultistackError, match=r"^can't write \S*/one: File too large$"):
            saved_state.write_copy(
                tmp_path / "copies/one", lambda aside: saved_state.fill_copy(aside, state, HEADER, b"moment")
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_copy_is_whole_or_not_there(state: Path, tmp_path: Path) -> None:
    """Neither a failure nor a name that is taken leaves anything behind."""

    def fail(aside: Path) -> None:
        (aside / "half").write_text("")
        raise OSError(28, "No space left on device")

    with pytest.raises(MultistackError, match=r"can't write .*: No space left on device"):
        saved_state.write_copy(tmp_path / "copies/one", fail)
    assert list((tmp_path / "copies").iterdir()) == []
    with pytest.raises(MultistackError, match="File exists"):
        saved_state.write_copy(state, fail)
    assert saved_state.newest(state).payload == b"10"
