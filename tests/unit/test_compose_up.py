"""`make compose-up`, with programs in the place of Docker and Compose."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

TABLE = "test  ready  http://test:4566\nprod  ready  http://prod:4566\n"
DOCKER = """\
case "$*" in
  "compose version") exit 1 ;;
  inspect*) echo "running healthy 0" ;;
esac
"""
COMPOSE = """\
case "$*" in
  "config --services") printf 'test\\nprod\\nproxy\\n' ;;
  "ps --quiet proxy") echo 4f ;;
  "port test 4566") echo 127.0.0.1:4580 ;;
  "port prod 4566") {unpublished} ;;
  exec*) printf '{table}'; echo "error: no space left" >&2; exit {code} ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The script beside a Compose file."""
    shutil.copy(REPOSITORY / "compose" / "up.sh", tmp_path)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    return tmp_path


def run(folder: Path, *, code: int = 0, unpublished: str = "echo") -> subprocess.CompletedProcess[str]:
    """Run it where Compose's ``exec`` ends with *code*."""
    compose = COMPOSE.format(table=TABLE.replace("\n", "\\n"), code=code, unpublished=unpublished)
    programs = {"docker": DOCKER, "docker-compose": compose, "multistack": ""}
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}")
        (folder / name).chmod(0o755)
    return subprocess.run(
        [folder / "up.sh", folder / "multistack"],
        env={"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("unpublished", ["echo", "exit 1"], ids=["1.29", "2"])
def test_addresses_are_those_of_this_machine(folder: Path, unpublished: str) -> None:
    """One that isn't published keeps its own; both versions of Compose say so in their way."""
    done = run(folder, unpublished=unpublished)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == TABLE.replace("http://test:4566", "http://127.0.0.1:4580")


def test_what_fails_inside_fails_outside(folder: Path) -> None:
    """With its exit code, its table and its error."""
    done = run(folder, code=4)
    assert (done.returncode, done.stderr) == (4, "error: no space left\n")
    assert "http://127.0.0.1:4580" in done.stdout
