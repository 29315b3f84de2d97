"""The manual page."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from emulator.cli import cli
from tests.documentation.manual import PAGE, manual


def test_the_manual_page_is_of_these_commands() -> None:
    """`make manual` writes it; a wheel carries what is in the repository."""
    assert PAGE.read_text(encoding="utf-8") == manual(), "run `make manual`"


def test_the_manual_page_names_every_command() -> None:
    """Whatever a user can type."""
    assert [name for name in cli.commands if f'"multistack {name}'.replace("-", "\\-") not in manual()] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_manual_page_is_troff_without_warnings() -> None:
    """A line that begins with a dot would vanish."""
    command = ["groff", "-man", "-ww", "-z", str(PAGE)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
