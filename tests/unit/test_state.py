"""The folder that holds all state."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.lock import exclusive
from emulator.state import make_state_folder


@pytest.mark.parametrize("before", [None, 0o755, 0o777, 0o700], ids=["new", "0755", "0777", "0700"])
def test_state_is_for_its_owner_and_not_for_git(tmp_path: Path, before: int | None) -> None:
    """Deployed secrets and data concern nobody else, also in a folder made by an older version."""
    state = tmp_path / ".multistack"
    if before is not None:
        state.mkdir()
        state.chmod(before)
    make_state_folder(state)
    assert state.stat().st_mode & 0o7777 == 0o700
    assert (state / ".gitignore").read_text() == "*\n"


def test_a_gitignore_of_the_users_stays(tmp_path: Path) -> None:
    """What they want in git is their business."""
    (tmp_path / ".gitignore").write_text("secrets\n")
    make_state_folder(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "secrets\n"


def test_a_command_makes_the_folder_this_way(tmp_path: Path) -> None:
    """Whatever changes a project takes its lock first."""
    with exclusive(tmp_path / ".multistack", "up", emit=lambda _event: None):
        assert (tmp_path / ".multistack").stat().st_mode & 0o077 == 0
        assert (tmp_path / ".multistack/.gitignore").exists()
