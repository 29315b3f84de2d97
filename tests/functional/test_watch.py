"""``multistack watch``: what is saved runs a moment later, what can't run is said, and what served before serves on."""

from __future__ import annotations

import contextlib
import fcntl
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from emulator.history import History
from emulator.model import Deployment, Outcome
from tests.conftest import ProjectFolder
from tests.functional.tiny import TEMPLATE, get, refused, source, tiny_project, write, write_service

pytestmark = pytest.mark.embedded("code is tried before it is deployed by this driver only")

PROTECTED = """
[environments.prod]
account_id = "222222222222"
protected = true
"""


class Watching:
    """A running ``multistack watch``, and all that it has said."""

    def __init__(self, project: ProjectFolder, *args: str) -> None:
        self.project = project
        self.lines: list[str] = []
        self._said = threading.Condition()
        self.process = project.start("watch", *args)
        streams = [stream for stream in (self.process.stdout, self.process.stderr) if stream is not None]
        self._readers = [(threading.Thread(target=self._read, args=(stream,)), stream) for stream in streams]
        for reader, _ in self._readers:
            reader.start()
        self.until("watching")

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._said:
                self.lines.append(line.rstrip())
                self._said.notify_all()

    def until(self, pattern: str, *, since: int = 0, timeout: float = 60) -> str:
        """The first line after *since* others in which *pattern* is found."""

        def found() -> str | None:
            return next((line for line in self.lines[since:] if re.search(pattern, line)), None)

        with self._said:
            assert self._said.wait_for(lambda: found() is not None, timeout), f"no {pattern} in {self.lines}"
            return str(found())

    def after(self, change: Callable[[], object], pattern: str) -> str:
        """Make *change*, and wait for the line that it leads to."""
        since = len(self.lines)
        change()
        return self.until(pattern, since=since)

    def after_any(self, change: Callable[[], object], pattern: str) -> str:
        """
        Make *change* until a line tells of it.

        One made while the watch begins anew, because folders came or went, is told of only if what it leads to is news.
        """
        since = len(self.lines)
        for _ in range(20):
            change()
            with contextlib.suppress(AssertionError):
                return self.until(pattern, since=since, timeout=3)
        return self.until(pattern, since=since)

    def end(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=30)
        for reader, stream in self._readers:
            reader.join(timeout=30)
            stream.close()
        return code


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The tiny service, up."""
    with tiny_project(tmp_path_factory.mktemp("watch")) as project:
        project.run("up")
        yield project


@pytest.fixture(scope="module")
def everything(running: ProjectFolder) -> Iterator[Watching]:
    """One watch for all tests of this module, and its end by Ctrl-C."""
    watching = Watching(running)
    yield watching
    assert watching.end() == 130
    assert not [line for line in watching.lines if "Traceback" in line]


@pytest.fixture
def watching(everything: Watching) -> Watching:
    """The watch, when the service stands there as it works and is deployed."""
    everything.after(lambda: reset(everything.project), "deployed")
    return everything


_turns = iter(range(1_000_000))


def reset(project: ProjectFolder) -> None:
    """The service as it works, but new in each test: its function answers with how often that was done."""
    write(project, "template.yaml", TEMPLATE)
    save(project, source(f"'good {next(_turns)}'"))


def save(project: ProjectFolder, content: str) -> None:
    """Write the function's file."""
    write(project, "src/app.py", content)


def deployments(project: ProjectFolder) -> list[Deployment]:
    """All on record, oldest first."""
    return History(project.folder / ".multistack/history.sqlite").deployments("test")


def test_a_save_is_deployed_verified_and_on_record(watching: Watching) -> None:
    """What runs after a save is a release like any other: the ledger has it, and nothing has drifted."""
    project, before = watching.project, len(deployments(watching.project))
    said = watching.after(lambda: save(project, source("'saved'")), "deployed")
    assert re.fullmatch(r"test: deployed [0-9a-f]{12} in \d+\.\d\d s: src/app.py", said)
    assert get(project).body == b"saved"
    (made,) = deployments(project)[before:]
    assert made.outcome is Outcome.SUCCEEDED
    assert made.release.id in said
    assert project.status()["test"]["release"] == made.release.id
    project.run("drift", "test")


def test_a_burst_of_saves_is_one_deployment(watching: Watching) -> None:
    """Saving all files, or the same one again and again, deploys what stands there when it is quiet."""
    project, before = watching.project, len(deployments(watching.project))

    def burst() -> None:
        for number in range(10):
            save(project, source(f"'burst {number}'"))
            time.sleep(0.02)  # the pace of the burst is what is tested

    assert "src/app.py" in watching.after(burst, "deployed")
    watching.after(lambda: save(project, source("'the end'")), "deployed")
    assert len(deployments(project)) == before + 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("def handler(:\n", r"UserCodeSyntaxError.*app\.py, line 1", id="syntax"),
        pytest.param("import no_such_module\n", "ImportModuleError.*no_such_module", id="import"),
        pytest.param("unknown_name\n", "NameError.*unknown_name", id="name"),
        pytest.param("handle = None\n", "HandlerNotFound.*handler", id="handler"),
    ],
)
def test_code_that_cannot_be_imported_is_not_deployed(watching: Watching, content: str, said: str) -> None:
    """The error is one line, the release before serves on, and the next good save is deployed."""
    project, served = watching.project, get(watching.project).body
    before = len(watching.lines)
    line = watching.after(lambda: save(project, content), "error:")
    assert re.search(said, line)
    assert line.endswith("serves on")
    assert get(project).body == served
    watching.after(lambda: save(project, source("'mended'")), "deployed")
    assert get(project).body == b"mended"
    assert len(watching.lines) == before + 2


_OTHER = """
  Other:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.12, Handler: other.handler, CodeUri: src/}
"""


def test_a_function_that_cannot_be_imported_names_whom_it_holds_up(watching: Watching) -> None:
    """Those of its package wait with it; one that never could be imported holds up nobody."""
    project = watching.project
    write(project, "src/other.py", source("'other'"))
    watching.after(lambda: write(project, "template.yaml", TEMPLATE + _OTHER), "deployed")
    held = watching.after(lambda: write(project, "src/other.py", "import no_such_module\n"), "error:")
    assert re.search(r"Other: .*no_such_module.*; that holds up Web; [0-9a-f]{12} serves on$", held)

    def add_broken() -> None:
        write(project, "src/other.py", "import no_such_module\n# with another template nothing is tried\n")
        write(project, "template.yaml", TEMPLATE + _OTHER.replace("CodeUri", "Timeout: 9, CodeUri"))

    watching.after(add_broken, "deployed")
    since = len(watching.lines)
    watching.after(lambda: save(project, source("'served all the same'")), "deployed")
    assert any("Other: " in line and "as before, so it holds up nothing" in line for line in watching.lines[since:])
    assert get(project).body == b"served all the same"


def test_a_file_that_is_gone_is_said_and_comes_back(watching: Watching) -> None:
    """Deleting the handler's file, or its whole folder, or a link to itself in its place breaks nothing that serves."""
    project, served = watching.project, get(watching.project).body
    assert "app.handler" in watching.after((project.folder / "src/app.py").unlink, "error:")
    assert "does not exist" in watching.after(lambda: shutil.rmtree(project.folder / "src"), "error:")
    loop = project.folder / "src"

    def link() -> None:
        loop.unlink(missing_ok=True)
        loop.symlink_to(loop)

    assert "does not exist" in watching.after_any(link, "error:")
    assert get(project).body == served
    loop.unlink()
    watching.after(lambda: save(project, source("'back'")), "deployed")
    watching.after(lambda: save(project, source("'again'")), "deployed")
    assert get(project).body == b"again"


def test_what_editors_write_beside_a_file_is_no_change(watching: Watching) -> None:
    """Swap files, backups and files for safe writes are neither deployed nor built into an artifact."""
    project, before = watching.project, len(deployments(watching.project))
    folder = project.folder / "src"
    for name in ("4913", ".app.py.swp", "app.py~", "app.py___jb_old___", ".#app.py", "#app.py#"):
        (folder / name).write_text("not yet")

    def safe_write() -> None:
        (folder / "app.py___jb_tmp___").write_text(source("'safely'"))
        (folder / "app.py___jb_tmp___").rename(folder / "app.py")

    assert watching.after(safe_write, "deployed").endswith(": src/app.py")
    assert get(project).body == b"safely"
    assert len(deployments(project)) == before + 1
    for name in ("4913", ".app.py.swp", "app.py~", "app.py___jb_old___", ".#app.py", "#app.py#"):
        (folder / name).unlink()


def test_a_changed_template_is_a_change_set(watching: Watching) -> None:
    """A new route answers; a template that can't be deployed is said, and all serves on."""
    project = watching.project
    more = TEMPLATE + "        More: {Type: Api, Properties: {Path: /more, Method: GET}}\n"
    watching.after(lambda: write(project, "template.yaml", more), "deployed.*template.yaml")
    assert get(project, "more").status == 200
    assert "template.yaml" in watching.after(lambda: write(project, "template.yaml", "Resources: ["), "error:")
    wrong = more.replace("Runtime: python3.12", "Runtime: cobol")
    watching.after(lambda: write(project, "template.yaml", wrong), "error:.*cobol")
    assert get(project, "more").status == 200


def test_a_new_folder_and_a_link_into_a_loop_are_watched(watching: Watching) -> None:
    """A module in a new folder is deployed when it changes; a link to the folder that it is in ends nothing."""
    project = watching.project
    (project.folder / "src/loop").symlink_to(project.folder / "src")
    write(project, "src/parts/__init__.py", "")
    write(project, "src/parts/one.py", "SAID = 'part one'\n")
    code = "from parts.one import SAID\n" + source("SAID")
    watching.after(lambda: save(project, code), "deployed")
    assert get(project).body == b"part one"
    watching.after(lambda: write(project, "src/parts/one.py", "SAID = 'part two'\n"), "deployed")
    assert get(project).body == b"part two"
    (project.folder / "src/loop").unlink()


def test_a_save_waits_for_another_command(watching: Watching) -> None:
    """Whoever holds the lock goes first; what is saved meanwhile is deployed once, afterwards."""
    project, before = watching.project, len(deployments(watching.project))
    with (project.folder / ".multistack/command.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        watching.after(lambda: save(project, source("'first'")), "waiting for another command")
        save(project, source("'second'"))
        since = len(watching.lines)
    watching.until("deployed", since=since)
    assert get(project).body == b"second"
    watching.after(lambda: save(project, source("'third'")), "deployed")
    assert len(deployments(project)) == before + 2


def test_tests_run_after_each_deployment_and_do_not_start_themselves(running: ProjectFolder) -> None:
    """A command runs after a deployment and after a saved test; what it writes into the project starts nothing."""
    command = 'echo "in $MULTISTACK_ENVIRONMENT" > report.txt; test ! -e failing'
    watching = Watching(running, "--test-command", command)
    try:
        watching.after(lambda: reset(running), "tests passed")
        assert (running.folder / "report.txt").read_text() == "in test\n"
        time.sleep(0.05)  # what is saved in the very moment in which tests end counts as theirs
        watching.after(lambda: write(running, "failing", ""), "tests failed")
        said = [line for line in watching.lines if line.startswith("test: tests")]
        assert said == ["test: tests passed", "test: tests failed"]
    finally:
        (running.folder / "failing").unlink(missing_ok=True)
        (running.folder / "report.txt").unlink(missing_ok=True)
        assert watching.end() == 130


def test_a_protected_environment_is_not_watched(tmp_path: Path) -> None:
    """What is saved must pass gates before it gets there; and an environment that doesn't run is said at once."""
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    project = ProjectFolder(tmp_path / "project", tmp_path / "home")
    write_service(project)
    write(project, "multistack.toml", (project.folder / "multistack.toml").read_text() + PROTECTED)
    assert "prod is protected" in refused(project, "watch", "prod", code=6)
    assert "multistack up test" in refused(project, "watch", code=3)
