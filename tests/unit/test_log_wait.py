"""The gap that ``emulator.drivers.launcher.gaps.log_wait`` fills."""

from __future__ import annotations

import inspect
import queue

import pytest
from ministack.core import lambda_runtime

from emulator.drivers.launcher.gaps.log_wait import MARK, _lines_to_mark


def test_ministack_still_waits_for_log_lines() -> None:
    """When this fails, MiniStack no longer waits: delete log_wait.py and its tests."""
    parameters = inspect.signature(lambda_runtime.Worker._drain_stderr_bounded).parameters
    assert parameters["first_line_wait"].default > 0


@pytest.mark.parametrize(
    ("lines", "expected", "left"),
    [
        pytest.param([MARK], [], 0, id="nothing was printed"),
        pytest.param(["a", "", "b", MARK, "c"], ["a", "", "b"], 1, id="what follows belongs to the next call"),
        pytest.param(["a", f"no line end{MARK}"], ["a", "no line end"], 0, id="text without line end"),
        pytest.param(["Traceback", "died"], ["Traceback", "died"], 0, id="the worker died before the mark"),
    ],
)
def test_lines_before_the_mark_belong_to_the_call(lines: list[str], expected: list[str], left: int) -> None:
    """No line is lost, and none is another call's."""
    waiting: queue.Queue[str] = queue.Queue()
    for line in lines:
        waiting.put(line)
    assert _lines_to_mark(waiting) == expected
    assert waiting.qsize() == left
