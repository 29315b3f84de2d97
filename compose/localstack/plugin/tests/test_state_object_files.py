"""Files of objects: there as long as a checkpoint may need them."""

from __future__ import annotations

from pathlib import Path

import pytest
from multistack_localstack.state.object_files import ObjectFiles, missing


@pytest.fixture
def files(tmp_path: Path) -> ObjectFiles:
    """Those of a new folder."""
    return ObjectFiles(tmp_path / "objects", tmp_path / "aside")


def keep(files: ObjectFiles, content: bytes) -> str:
    """The name of a new file."""
    name, file = files.create()
    file.write(content)
    file.close()
    files.keep(name)
    return name


def names(files: ObjectFiles) -> set[str]:
    """What lies there."""
    return {path.name for path in files.folder.iterdir()}


def test_file_is_there_once_it_is_whole(files: ObjectFiles) -> None:
    """A file that is being written is not among those that checkpoints may refer to."""
    name, file = files.create()
    assert names(files) == set()
    file.write(b"x")
    file.close()
    files.keep(name)
    assert files.open(name).read() == b"x"


def test_discarded_file_is_gone(files: ObjectFiles) -> None:
    """What was not kept leaves nothing."""
    name, file = files.create()
    file.close()
    files.discard(name)
    assert not list(files.aside.iterdir())


def test_dropped_file_stays_while_a_checkpoint_may_need_it(files: ObjectFiles) -> None:
    """A file goes once all kept checkpoints were taken after it was dropped."""
    name = keep(files, b"x")
    files.taken(1)
    files.drop(name)
    files.taken(2)
    files.clean(oldest=1)
    assert names(files) == {name}
    files.clean(oldest=2)
    assert names(files) == set()


def test_nothing_goes_while_somebody_copies(files: ObjectFiles) -> None:
    """A held folder keeps what is dropped."""
    name = keep(files, b"x")
    files.drop(name)
    files.taken(1)
    files.hold()
    files.clean(oldest=5)
    assert names(files) == {name}


def test_leftovers_of_a_kill_are_removed(files: ObjectFiles) -> None:
    """At a start, what no checkpoint refers to goes, and so does what was being written."""
    kept, lost = keep(files, b"1"), keep(files, b"2")
    files.create()[1].close()
    files.remove_all_but({kept})
    assert names(files) == {kept} != {lost}
    assert not list(files.aside.iterdir())


@pytest.mark.parametrize("number", [3, 40], ids=["few", "many"])
def test_files_are_synced_once(files: ObjectFiles, number: int) -> None:
    """What was synced needs it no more; one that is gone meanwhile is no error."""
    kept = [keep(files, b"x") for _ in range(number)]
    waiting = files.unsynced()
    assert set(waiting) == set(kept)
    (files.folder / kept[0]).unlink()
    files.sync(waiting)
    files.synced(waiting)
    assert files.unsynced() == []


def test_missing_are_told_by_size(files: ObjectFiles) -> None:
    """A file of another size is as good as none."""
    name = keep(files, b"abc")
    assert missing(files.folder, {name: 3}) == []
    assert missing(files.folder, {name: 4, "other": 0}) == [name, "other"]
    assert missing(files.folder / "nowhere", {"other": 0}) == ["other"]
