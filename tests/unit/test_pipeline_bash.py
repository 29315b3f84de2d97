"""Scripts in a real bash, without anything around it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from emulator.errors import MultistackError
from emulator.pipelines.bash import Outcome, run_script


def run(place: Path, *lines: str, check=lambda: None, **given) -> tuple[Outcome, list[str]]:
    """A script's end and its output."""
    notes = place / "notes"
    notes.mkdir(exist_ok=True)
    printed: list[str] = []
    environ = given.pop("environ", {"PATH": os.environ["PATH"]})
    outcome = run_script(
        lines,
        **{"options": ("-e",), "folder": place, "is_echoed": False, **given},
        environ=environ,
        notes=notes,
        write=printed.append,
        check=check,
    )
    return outcome, printed


def test_lines_share_one_bash(tmp_path):
    """Folder and variables go from line to line."""
    assert run(tmp_path, "cd /", "X=1", 'echo "$PWD $X"') == (Outcome(0), ["/ 1"])


def test_the_line_that_failed_is_known(tmp_path):
    """It ends the script, and nothing after it runs."""
    assert run(tmp_path, "echo a", "(exit 3)\necho no", "echo b") == (Outcome(3, "(exit 3)"), ["a"])


def test_lines_are_shown_before_they_run(tmp_path):
    """As CI shows them."""
    assert run(tmp_path, "echo 'a b'", is_echoed=True)[1] == ["+ echo 'a b'", "a b"]


def test_output_is_whole(tmp_path):
    """Without a last line break, with both streams, binary, and as long as it is."""
    assert run(tmp_path, "printf 'a\\nb'; printf c >&2")[1] == ["a", "bc"]
    assert run(tmp_path, "printf '\\377\\000x\\n'")[1] == ["\ufffd\0x"]
    assert len(run(tmp_path, "seq 100000")[1]) == 100000


def test_a_script_that_a_signal_ends(tmp_path):
    """Its code is what a shell says."""
    assert run(tmp_path, "kill -9 $$")[0] == Outcome(137, "kill -9 $$")


def test_what_a_script_leaves_running_ends_with_it(tmp_path):
    """As with CI's container: nothing holds the step open, nothing stays."""
    started = time.monotonic()
    outcome, printed = run(tmp_path, "sleep 600 & echo $!")
    assert outcome == Outcome(0)
    assert time.monotonic() - started < 300
    assert not _runs(int(printed[0]))


def test_a_script_that_is_stopped_ends_with_all_it_started(tmp_path):
    """Also those who would rather not."""
    begun = threading.Event()

    def stop() -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip():
            begun.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "bash -c 'echo $$ > pid; sleep 600' & wait", check=stop)
    assert begun.is_set()
    assert not _runs(int((tmp_path / "pid").read_text()))


def test_a_folder_that_is_not_there_fails_the_script(tmp_path):
    """It is the step's failure, and says so."""
    outcome, printed = run(tmp_path, "true", folder=tmp_path / "gone")
    assert (outcome.code, printed) == (1, ["there is no folder gone"])


def test_no_bash(tmp_path):
    """It is an error of the machine."""
    with pytest.raises(MultistackError, match="there is no bash"):
        run(tmp_path, "true", environ={"PATH": "/nowhere"})


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
