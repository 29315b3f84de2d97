"""Every shell block of README.md and docs/ runs as it is printed, and prints what stands under it."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, ProjectFolder, copy_sample
from tests.documentation.blocks import blocks_of, pages_in
from tests.documentation.running import run_blocks

NEEDED = ("curl", "git", "jq")  # what pages use of the machine
MISSING = [program for program in NEEDED if shutil.which(program) is None]
pytestmark = [
    pytest.mark.embedded("pages show the embedded driver; containers have tests of their own"),
    pytest.mark.skipif(bool(MISSING), reason=f"pages need {', '.join(MISSING)}"),
]
PROJECTS = REPOSITORY / "tests" / "documentation" / "projects"
# Run by test_seats.py, for two readers at the same time.
ELSEWHERE = frozenset({"docs/guides/seat.md"})
_CLONED = ("Makefile", "pyproject.toml", "constraints.txt")


@contextlib.contextmanager
def clone(root: Path) -> Iterator[ProjectFolder]:
    """The repository as a reader has it, as far as pages need it; everything that is started there is stopped."""
    (root / "home").mkdir(parents=True)
    project = ProjectFolder(copy_sample(root / "clone/sample_service"), root / "home")
    for name in _CLONED:
        shutil.copy2(REPOSITORY / name, root / "clone" / name)
    (root / "clone/.venv").symlink_to(sys.prefix)
    everything = ProjectFolder(root, root / "home")
    try:
        yield project
    finally:
        for lab in list(root.rglob(".multistack/lab")):
            ProjectFolder(lab.parent.parent, root / "home").run("lab", "down", check=False)
        for file in list(root.rglob("multistack.toml")):
            ProjectFolder(file.parent, root / "home").run("down", check=False)
    assert everything.processes() == []


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


PAGES = [page for page in pages_in(REPOSITORY) if page.relative_to(REPOSITORY).as_posix() not in ELSEWHERE]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_every_shell_block_runs_as_printed(page: Path, tmp_path: Path) -> None:
    """A reader who types what a page shows, from its first block to its last, sees what it shows."""
    found = blocks_of(page.read_text("utf-8"))
    blocks = [block for block in found if not block.skipped]
    if not blocks:
        pytest.skip("; ".join(sorted({block.skipped for block in found})))
    parts = itertools.groupby(blocks, key=_counting_fresh())
    for number, part in parts:
        with clone(tmp_path / str(number)) as project:
            port = free_port()
            environ = project.command_environ(
                {"MULTISTACK_PROXY_PORT": str(port), "LOGNAME": "root", "DOCS_PROJECTS": str(PROJECTS)}
            )
            failure = run_blocks(list(part), folder=project.folder, environ=environ, port=port, timeout=280)
        assert failure is None, f"{os.path.relpath(page)}:{failure}"


def _counting_fresh():
    """Numbers blocks by the clone that they run in."""
    seen = itertools.count()
    last = [next(seen)]

    def number(block) -> int:
        if block.is_fresh:
            last[0] = next(seen)
        return last[0]

    return number
