"""What a command asks of a running LocalStack."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from multistack_localstack.state import cli, control


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    """Where a LocalStack listens that has a checkpoint to offer, and a problem."""

    def fail() -> dict[str, str]:
        raise RuntimeError("broken")

    path = tmp_path / "c" / "s"
    answers = {"checkpoint": lambda: {"error": "no space"}, "condition": lambda: {"problem": "", "restored": "x"}}
    control.Control(path, {**answers, "fail": fail})
    return path


def test_answer_comes_back(socket: Path) -> None:
    """A question gets the answer of its action."""
    assert control.ask(socket, "condition", timeout=5) == {"problem": "", "restored": "x"}


def test_only_the_owner_may_ask(socket: Path) -> None:
    """Socket and folder are closed to everybody else."""
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_failed_action_is_an_answer(socket: Path) -> None:
    """Whoever asked does not wait for ever."""
    assert control.ask(socket, "fail", timeout=5) == {"error": "RuntimeError: broken"}
    assert "unknown" in control.ask(socket, "nonsense", timeout=5)["error"]


def test_condition_is_one_line_of_json(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The driver reads one line."""
    assert cli.main(["condition"], {control.VARIABLE: str(socket)}) == 0
    out = capsys.readouterr().out
    assert (out.count("\n"), json.loads(out)["restored"]) == (1, "x")


def test_failed_checkpoint_says_why(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and one line on stderr."""
    assert cli.main(["checkpoint"], {control.VARIABLE: str(socket)}) == 1
    assert capsys.readouterr().err == "error: no space\n"


def test_nobody_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A LocalStack that was stopped is told."""
    assert cli.main(["checkpoint"], {control.VARIABLE: str(tmp_path / "none")}) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["nonsense"], 2), (["--help"], 0)], ids=str)
def test_usage(arguments: list[str], code: int) -> None:
    """Whatever is no question is explained."""
    assert cli.main(arguments, {}) == code
