"""A job in a forked copy of this process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from multistack_localstack.state.forking import Abandoned, Copy


def test_copy_answers() -> None:
    """What the job says comes back, and the copy is another process."""
    answer = Copy(lambda: {"pid": os.getpid()}).wait(10)
    assert answer["pid"] != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(answer["pid"], 0)


def test_copy_sees_one_moment() -> None:
    """What changes after the fork is not in the copy."""
    values = ["before"]
    copy = Copy(lambda: {"values": values})
    values.append("after")
    assert copy.wait(10) == {"values": ["before"]}


def test_slow_copy_is_given_up(tmp_path: Path) -> None:
    """A copy that does not answer in time is killed."""

    def job() -> dict[str, str]:
        time.sleep(0.5)
        (tmp_path / "done").touch()
        return {}

    with pytest.raises(Abandoned, match="no answer"):
        Copy(job).wait(0.05)
    time.sleep(0.7)
    assert not (tmp_path / "done").exists()


def test_failed_copy_is_told() -> None:
    """A job that fails has no answer."""

    def job() -> dict[str, str]:
        raise ValueError

    with pytest.raises(Abandoned, match="without an answer"):
        Copy(job).wait(10)


def test_copy_has_no_open_files(tmp_path: Path) -> None:
    """Whoever waits for the end of a connection of the original must not wait for the copy."""
    with (tmp_path / "x").open("w") as file:
        number = file.fileno()
        assert Copy(lambda: {"open": Path(f"/proc/self/fd/{number}").exists()}).wait(10) == {"open": False}
