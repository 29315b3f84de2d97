"""The learner's folder: a folder for each lab, made from the packaged sample, and made again."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from emulator import git, process
from emulator.config import process_environ
from emulator.errors import MultistackError
from emulator.lab.opening import open_laboratory
from emulator.lab.project import SHARED, lab_folder, sample_folder
from emulator.model import STATE_FOLDER, Environment
from emulator.parallel import raise_first
from emulator.workshop import answers
from emulator.workshop.lab import Lab
from emulator.workshop.progress import FILE
from emulator.workspace import Workspace

DEFAULT = "workshop"
TEXT = "LAB.md"
PROJECT_FILE = "multistack.toml"
_YOURS = "yours"
# What only tests of the texts read.
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
# Seconds that an emulator may take to save its state.
_GRACE = 10.0
_LEFT_OUT = shutil.ignore_patterns(STATE_FOLDER, "__pycache__", ".pytest_cache")

_PACKAGED = Path(__file__).with_name("texts")
_SOURCE = Path(__file__).parents[2] / "docs" / "workshop"

Open = Callable[[Path], Workspace]


def texts_folder() -> Path:
    """Where the texts of the labs are: in the wheel, or in the source that an editable installation runs from."""
    return _PACKAGED if _PACKAGED.is_dir() else _SOURCE


def search_root(cwd: Path) -> Path | None:
    """The workshop that *cwd* is in, or else the one in it; None when there is none."""
    return next((folder for folder in (cwd, *cwd.parents, cwd / DEFAULT) if (folder / FILE).exists()), None)


def find_root(cwd: Path) -> Path:
    """
    The same where it must be there.

    Raises:
        MultistackError: There is none.
    """
    found = search_root(cwd)
    if found is None:
        raise MultistackError(f"there is no workshop in {cwd}", hint="multistack workshop start 1")
    return found


def make(root: Path, lab: Lab) -> Path:
    """
    Make the folder of *lab* as the lab begins; nothing runs yet.

    Raises:
        MultistackError: The sample is another one than the lab was written for.
    """
    folder = root / lab.folder
    _fill(folder, lab)
    if lab.needs_git:
        _make_repository(folder)
    return folder


def _fill(folder: Path, lab: Lab) -> None:
    shutil.copytree(sample_folder(), folder, ignore=_LEFT_OUT, dirs_exist_ok=True)
    for edit in lab.edits:
        edit.apply(folder)
    if lab.answers:
        (folder / answers.FILE).write_text(answers.blank(lab.answers), encoding="utf-8")
    text = (texts_folder() / lab.text).read_text(encoding="utf-8")
    (folder / TEXT).write_text(_COMMENT.sub("", text), encoding="utf-8")


def _make_repository(folder: Path) -> None:
    (folder / ".gitignore").write_text(f"{STATE_FOLDER}/\n__pycache__/\n.pytest_cache/\n", encoding="utf-8")
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "Workshop"),
        ("config", "user.email", "workshop@example.com"),
        ("config", "commit.gpgsign", "false"),
        ("add", "."),
        ("commit", "-q", "-m", "The service as the lab begins"),
    ):
        done = git.ask(folder, *arguments)
        if done is None:
            raise MultistackError("this lab needs git, which is not installed", hint="install git, then start it again")
        if done.returncode != 0:
            raise MultistackError(f"git {arguments[0]} failed: {done.stderr.strip()}")


def remake(root: Path, lab: Lab, *, open_workspace: Open) -> Path | None:
    """
    Make the folder of *lab* anew, with nothing of what ran in it.

    Returns:
        Where the learner's own files are now; None when there was no folder.
    """
    folder = root / lab.folder
    kept = None
    if folder.exists():
        kept = _keep(root, lab)
        _restore(folder)
        erase(open_workspace(folder))
        _empty(folder)
    make(root, lab)
    return kept


def _empty(folder: Path) -> None:
    """The folder itself stays: the learner's shell is in it."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _keep(root: Path, lab: Lab) -> Path:
    """Copy what the learner wrote, beside earlier copies: whoever starts anew may still want to look at it."""
    first = root / _YOURS / lab.folder
    later = (first.with_name(f"{lab.folder}-{number}") for number in itertools.count(2))
    kept = next(folder for folder in itertools.chain([first], later) if not folder.exists())
    shutil.copytree(root / lab.folder, kept, ignore=_LEFT_OUT, symlinks=True)
    return kept


def _restore(folder: Path) -> None:
    """A project file that can be read again, whatever the learner did to it: what runs must be stopped."""
    for name in (PROJECT_FILE, "template.yaml"):
        shutil.copyfile(sample_folder() / name, folder / name)


def erase(workspace: Workspace) -> None:
    """Stop everything of a project and of the experiments in it, and forget all data."""
    for server in _servers(workspace.project.root):
        process.stop(server, grace=0.0)  # nothing is kept, so nobody waits until it is saved
    laboratory = open_laboratory(lab_folder(workspace.project.root), process_environ(), {})
    if laboratory is not None:
        laboratory.down()
    with workspace.stopping("workshop reset"):
        environments = _stop(workspace)
        for environment in environments:
            workspace.history.check_turn()
            workspace.drivers.of(environment).erase(environment)


def stop(folder: Path, *, open_workspace: Open) -> bool:
    """Stop what runs in a lab's folder, and keep its data; whether anything did."""
    if not runs(folder):
        return False
    workspace = open_workspace(folder)
    with workspace.stopping("workshop start"):
        _stop(workspace)
        for server in _servers(folder):  # the emulators that experiments ran on
            process.stop(server, grace=_GRACE)
    return True


def _stop(workspace: Workspace) -> list[Environment]:
    environments = [*workspace.project.environments, *workspace.drivers.leftovers()]
    workspace.front.stop()
    raise_first(workspace.lifecycle.down(environments))
    return environments


def runs(folder: Path) -> bool:
    """Whether an emulator or a proxy of that folder runs."""
    return any(process.is_running(server) for server in _servers(folder))


def _servers(folder: Path) -> Iterator[Path]:
    """Folders that a server may hold: those of the project, and of the experiments beside it."""
    experiments = lab_folder(folder)
    for root in (folder, experiments, experiments / SHARED):
        yield root / STATE_FOLDER / "proxy"
        yield from (root / STATE_FOLDER).glob("environments/*")
