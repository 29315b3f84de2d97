"""Whose turn it is with the state of environments that several processes with tests share."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator.testing.keeper.turns import Turns
from emulator.testing.keeper.users import Users

MakeTurns = Callable[[], Turns]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeTurns]:
    """Turns of several processes: locks of the kernel belong to open files, so one process can play them all."""
    made: list[Turns] = []

    def make_one() -> Turns:
        made.append(Turns(tmp_path))
        return made[-1]

    yield make_one
    for turns in made:
        turns.close()


def is_free(folder: Path, how: int) -> bool:
    """Whether somebody else would get the state at once."""
    with (folder / "state.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_tests_that_share_the_state_run_at_the_same_time(make: MakeTurns, tmp_path: Path) -> None:
    """Nothing is put back for them, and nobody waits but who wants it alone."""
    first, second = make(), make()
    assert first.begin(None, ["test"]) == second.begin(None, ["test"]) == frozenset()
    assert not is_free(tmp_path, fcntl.LOCK_EX)
    first.end(None)
    second.end(None)
    assert is_free(tmp_path, fcntl.LOCK_EX)


def test_an_isolated_test_has_the_state_to_itself(make: MakeTurns, tmp_path: Path) -> None:
    """What it names is put back, and others wait until it ends."""
    turns = make()
    assert turns.begin("one", ["test"]) == {"test"}
    turns.put_back(frozenset({"test"}))
    assert not is_free(tmp_path, fcntl.LOCK_SH)
    turns.end("two")
    assert is_free(tmp_path, fcntl.LOCK_SH)


def test_tests_of_one_key_share_a_turn(make: MakeTurns, tmp_path: Path) -> None:
    """A module that has the state to itself gets each environment put back once, when it first uses it."""
    turns = make()
    turns.begin("module", ["test"])
    turns.put_back(frozenset({"test"}))
    turns.end("module")
    assert not is_free(tmp_path, fcntl.LOCK_SH)
    assert turns.begin("module", ["test", "prod"]) == {"prod"}
    turns.put_back(frozenset({"prod"}))
    turns.end(None)
    assert is_free(tmp_path, fcntl.LOCK_SH)


def test_an_emulator_that_came_back_is_put_back_again(make: MakeTurns) -> None:
    """A test that kills its emulator leaves the next one of its module what it began with."""
    turns = make()
    turns.begin("module", ["test", "prod"])
    turns.put_back(frozenset({"test", "prod"}))
    turns.end("module")
    assert turns.begin("module", ["test", "prod"], revived=["test"]) == {"test"}


def test_what_an_isolated_test_left_is_put_back_once(make: MakeTurns, tmp_path: Path) -> None:
    """Whoever comes next, in whichever process, does not see it; the one after that has nothing to do."""
    first, second = make(), make()
    first.begin("one", ["test"])
    first.put_back(frozenset({"test"}))
    first.end(None)
    assert second.begin(None, ["prod"]) == {"test"}
    assert not is_free(tmp_path, fcntl.LOCK_SH)
    second.put_back(frozenset({"test"}))
    assert is_free(tmp_path, fcntl.LOCK_SH)
    second.end(None)
    assert second.begin(None, ["test"]) == frozenset()


def test_state_is_free_again_after_it_was_saved_between_tests(make: MakeTurns, tmp_path: Path) -> None:
    """Outside a test nobody would give the turn back."""
    turns = make()
    with turns.alone():
        assert not is_free(tmp_path, fcntl.LOCK_SH)
    assert is_free(tmp_path, fcntl.LOCK_SH)
    turns.begin(None, ["test"])
    with turns.alone():
        pass
    assert not is_free(tmp_path, fcntl.LOCK_SH)
    turns.end(None)


def test_first_user_is_told_and_so_is_the_last(tmp_path: Path) -> None:
    """The first gets environments fresh, the last stops them, each environment for itself."""
    one, other = Users(tmp_path), Users(tmp_path)
    with one.deciding():
        assert one.join("test")
        assert not other.join("test")
        assert other.join("prod")
        assert not one.leave("test")
        assert other.leave("prod")
        assert other.is_any_used()
        assert other.leave("test")
        assert not other.is_any_used()
    assert one.mine == other.mine == frozenset()


def test_what_fails_alone_blocks_nobody(make: MakeTurns, tmp_path: Path) -> None:
    """A state that can't be saved leaves the turn to the others."""
    with pytest.raises(OSError, match="full"), make().alone():
        raise OSError("the disk is full")
    assert is_free(tmp_path, fcntl.LOCK_EX)
