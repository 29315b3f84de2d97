"""Whether the page notices that the project file can't be read any more."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from emulator.dashboard.jobs import Command
from emulator.dashboard.project_check import ProjectCheck

# Stands for multistack: it says what the file says is wrong, and how often it was asked.
PROGRAM = """
import pathlib, sys
file = pathlib.Path(sys.argv[sys.argv.index("--file") + 1])
with (file.parent / "asked").open("a") as asked:
    asked.write("x")
if text := file.read_text():
    sys.exit("error: " + text + "\\nhint: mend it")
print("{}")
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "multistack.toml"
        self.rules = folder / "rules.json"
        self.file.write_text("")
        self.rules.write_text("")
        self._answered = threading.Event()
        command = Command(program=(sys.executable, "-c", PROGRAM), file=self.file, environ=lambda: os.environ)
        self.check = ProjectCheck(command, since=self.rules, on_change=self._answered.set)

    @property
    def asked(self) -> int:
        file = self.file.parent / "asked"
        return len(file.read_text()) if file.exists() else 0

    def edit(self, text: str) -> str:
        self._answered.clear()
        before = self.file.stat().st_mtime_ns
        self.file.write_text(text)
        os.utime(self.file, ns=(before + 10**9, before + 10**9))
        self.check.problem()
        assert self._answered.wait(30.0)
        return self.check.problem()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_an_edit_that_breaks_the_project_is_told_and_so_is_its_mending(project):
    """With what multistack says of it."""
    assert project.check.problem() == ""
    assert project.edit("it broke") == "The project file can't be read: it broke; mend it"
    assert project.edit("") == ""


def test_a_project_file_is_looked_into_once_after_each_edit(project):
    """What commands have read already isn't read again: a page that is open costs one stat a second."""
    for _ in range(3):
        project.check.problem()
    assert project.asked == 0
    project.edit("it broke")
    for _ in range(3):
        project.check.problem()
    assert project.asked == 1


def test_without_a_project_nothing_is_wrong_with_it(tmp_path):
    """As in Compose."""
    assert ProjectCheck(None, since=tmp_path / "rules.json", on_change=lambda: None).problem() == ""
