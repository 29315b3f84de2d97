"""What builds of one process have in common is made once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from emulator.archives import KeptArchives
from emulator.artifact import ArtifactStore
from emulator.building import build
from emulator.config import load_project
from emulator.events import Event
from emulator.model import Project

TEMPLATE = """
Resources:
  One: {Type: AWS::Lambda::Function, Properties: {Runtime: python3.12, Handler: app.handler, Code: one/, Role: r}}
  Two: {Type: AWS::Lambda::Function, Properties: {Runtime: python3.12, Handler: app.handler, Code: two/, Role: r}}
"""


class Builds:
    """Builds of one service."""

    def __init__(self, project: Project, root: Path) -> None:
        self.kept, self._project, self._store = KeptArchives(), project, ArtifactStore(root / "store")

    def made(self) -> tuple[str, list[str]]:
        """The digest, and the folders whose archives were made anew."""
        events: list[Event] = []
        digest = build(self._project, self._store, emit=events.append, kept=self.kept).digest
        return digest, [event.detail for event in events if event.step == "building"]


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    """Two functions that were edited a while ago."""
    (tmp_path / "multistack.toml").write_text('service = "two"\n[environments.test]\naccount_id = "111111111111"\n')
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "app.py", "def handler(event, context): return 1\n")
    project = load_project(file=None, environ={}, cwd=tmp_path, overrides={}, needs_template=True)
    return Builds(project, tmp_path)


def write(path: Path, text: str, *, age: float = 10.0) -> None:
    """A file that was saved *age* seconds ago."""
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))


def test_only_what_changed_is_zipped_again(builds: Builds, tmp_path: Path) -> None:
    """Of twenty functions one is zipped, and the digest is that of a build from nothing."""
    digest, made = builds.made()
    assert made == ["one", "two"]
    assert builds.made() == (digest, [])
    write(tmp_path / "two/app.py", "def handler(event, context): return 2\n", age=5.0)
    changed, made = builds.made()
    assert made == ["two"]
    builds.kept = KeptArchives()
    assert builds.made() == (changed, ["one", "two"])


def test_a_file_that_was_saved_this_moment_is_read_again(builds: Builds, tmp_path: Path) -> None:
    """Two saves within one tick of the file system's clock look the same from outside."""
    write(tmp_path / "one/app.py", "def handler(event, context): return 3\n", age=0.0)
    first, _ = builds.made()
    status = (tmp_path / "one/app.py").stat()
    (tmp_path / "one/app.py").write_text("def handler(event, context): return 4\n")
    os.utime(tmp_path / "one/app.py", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert builds.made()[0] != first


def test_a_new_file_an_executable_bit_and_a_removed_file_are_changes(builds: Builds, tmp_path: Path) -> None:
    """All that makes another archive is noticed."""
    write(tmp_path / "one/more.py", "")
    seen = [builds.made()[0]]
    (tmp_path / "one/more.py").chmod(0o755)
    seen.append(builds.made()[0])
    (tmp_path / "one/more.py").unlink()
    seen.append(builds.made()[0])
    assert len(set(seen)) == 3
