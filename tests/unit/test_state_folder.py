"""A state folder that goes while its emulator runs is noticed."""

from __future__ import annotations

import shutil
from pathlib import Path

from emulator.drivers.launcher.state_folder import StateFolder

LOSS = "its state folder was deleted or moved while it ran, its S3 objects with it"


def test_one_that_is_there_is_not_lost(tmp_path: Path) -> None:
    """Whatever is written into it; it is made if there is none, for its owner only."""
    path = tmp_path / "test/state"
    folder = StateFolder(path)
    folder.hold()
    (path / "s3").mkdir()
    assert folder.loss() == ""
    assert path.stat().st_mode & 0o777 == 0o700


def test_one_that_is_deleted_is_lost_also_when_there_is_another(tmp_path: Path) -> None:
    """A new folder often has the number of the one that went, unless somebody holds it."""
    path = tmp_path / "state"
    folder = StateFolder(path)
    folder.hold()
    shutil.rmtree(path)
    assert folder.loss() == LOSS
    path.mkdir()
    assert folder.loss() == LOSS


def test_one_that_is_moved_back_is_there_again(tmp_path: Path) -> None:
    """With a file in its place it is not told as deleted: who saves says what stands in the way."""
    path = tmp_path / "state"
    folder = StateFolder(path)
    folder.hold()
    path.rename(tmp_path / "aside")
    assert folder.loss() == LOSS
    path.write_text("in the way")
    assert folder.loss() == ""
    path.unlink()
    (tmp_path / "aside").rename(path)
    assert folder.loss() == ""


def test_one_that_was_never_held_is_not_lost(tmp_path: Path) -> None:
    """It could not be made, which is told as a state that can't be saved."""
    (tmp_path / "file").write_text("")
    folder = StateFolder(tmp_path / "file/state")
    folder.hold()
    assert folder.loss() == ""
