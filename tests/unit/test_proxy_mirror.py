"""What a proxy elsewhere keeps of what is published, where that can't be taken."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import NotReady
from emulator.proxy.mirror import Mirror
from emulator.store.changes import Change, What


class Once(threading.Event):
    """Set after the first wait, which takes no time."""

    def wait(self, timeout: float | None = None) -> bool:
        """Nobody sleeps."""
        self.set()
        return True


class Published:
    """What can't be read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def spaces(self) -> Any:
        """Of no use."""
        raise self._error


@pytest.mark.parametrize(
    ("error", "has_traceback"),
    [
        pytest.param(NotReady("the store is away"), False, id="foreseen"),
        pytest.param(OSError(28, "No space left on device"), False, id="full disk"),
        pytest.param(KeyError("url"), True, id="bug"),
    ],
)
def test_what_was_not_foreseen_has_its_traceback_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, has_traceback: bool
) -> None:
    """The thread goes on in any case; only of a bug the line alone says nothing."""
    published: Any = Published(error)
    with caplog.at_level(logging.ERROR):
        Mirror(published, tmp_path).take(Change(what=What.SPACES), Once())
    (record,) = caplog.records
    assert "requests go on with what is known" in record.message
    assert bool(record.exc_info) == has_traceback
