"""The state folder: which checkpoint is used, kept, or put aside."""

from __future__ import annotations

from pathlib import Path

import pytest
from multistack_localstack.state.checkpoint import BrokenCheckpoint
from multistack_localstack.state.folder import StateFolder
from test_state_checkpoint import write


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """A new one."""
    return StateFolder(tmp_path / "state")


def test_newest_comes_first_by_number(folder: StateFolder) -> None:
    """Ten is newer than nine, and what is no number is no checkpoint."""
    for number in (9, 10, 2):
        write(folder.path_of(number), {})
    (folder.checkpoints / "x.checkpoint").touch()
    assert [each.number for each in folder.numbered()] == [10, 9, 2]


def test_two_are_kept(folder: StateFolder) -> None:
    """Older ones go, and the oldest that stays is told."""
    for number in range(1, 6):
        write(folder.path_of(number), {})
    assert folder.prune() == 4
    assert [each.number for each in folder.numbered()] == [5, 4]


def test_broken_ones_are_told_on_the_way(folder: StateFolder) -> None:
    """Whoever looks for the newest good one learns why newer ones are none."""
    write(folder.path_of(1), {"sqs": b"x"})
    folder.path_of(2).write_bytes(b"rubbish")
    newest, before = [read for _, read in folder.candidates()]
    assert isinstance(newest, BrokenCheckpoint)
    assert not isinstance(before, BrokenCheckpoint)


def test_missing_or_cut_objects_break_a_checkpoint(folder: StateFolder) -> None:
    """A checkpoint is whole only with the files it refers to."""
    write(folder.path_of(1), {}, {"a": 3, "b": 1})
    (folder.objects / "a").write_bytes(b"abc")
    with pytest.raises(BrokenCheckpoint, match="1 of its objects"):
        folder.read(folder.numbered()[0])
    (folder.objects / "b").write_bytes(b"b")
    assert folder.read(folder.numbered()[0]).contents.objects == {"a": 3, "b": 1}
    (folder.objects / "a").write_bytes(b"ab")
    with pytest.raises(BrokenCheckpoint):
        folder.read(folder.numbered()[0])


def test_newest_broken_one_is_kept_aside(folder: StateFolder) -> None:
    """One broken checkpoint stays for who wants to look, with its objects; the others go."""
    write(folder.path_of(4), {}, {"old": 1})
    write(folder.path_of(5), {}, {"needed": 1})
    broken = folder.numbered()
    folder.put_aside(broken)
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["5.broken"]
    assert folder.needed_objects() == {"needed"}


def test_what_is_written_lies_beside_the_folder(folder: StateFolder) -> None:
    """Nothing in the folder ever grows, so that it can be copied at any time."""
    assert folder.aside.parent == folder.path.parent
    assert folder.aside not in folder.path.iterdir()
