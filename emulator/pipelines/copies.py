"""
A clean copy of the work tree for each step, as CI clones one.

It holds what a CI system would have after a commit of everything that is not ignored. State folders are links: the
environments are where the user's are. Files with an environment's values, ``.env.<environment>``, come along although
git ignores them: in CI they are variables of the repository.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator import git
from emulator.errors import ConfigError, MultistackError
from emulator.model import STATE_FOLDER
from emulator.project_file import FILE_NAME
from emulator.state import make_state_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkTree:
    """
    The user's work tree.

    Attributes:
        root: Of the git repository.
        commit: What is checked out.
        branch: Empty when a commit is checked out without one.
        changed: Files that are not as in the commit: edited, new or removed.
    """

    root: Path
    commit: str
    branch: str
    changed: Sequence[str]

    @property
    def is_dirty(self) -> bool:
        """Whether a step sees more than what is committed."""
        return bool(self.changed)


def find_work_tree(folder: Path) -> WorkTree:
    """
    The work tree around *folder*.

    Raises:
        ConfigError: It is in no git repository, or in one without a commit.
    """
    root = git.line(folder, "rev-parse", "--show-toplevel")
    if root is None:
        hint = 'git init && git add . && git commit -m "first"'
        raise ConfigError(f"{folder} is in no git repository, and a pipeline runs for a branch of one", hint=hint)
    commit = git.line(Path(root), "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        raise ConfigError(f"the git repository {root} has no commit yet", hint="commit something first")
    branch = git.line(Path(root), "symbolic-ref", "--quiet", "--short", "HEAD") or ""
    changed = [*_listed(Path(root), "diff", "--name-only", "-z", "HEAD"),
               *_listed(Path(root), "ls-files", "--others", "--exclude-standard", "-z")]  # fmt: skip
    changed = [name for name in changed if STATE_FOLDER not in Path(name).parts]
    return WorkTree(root=Path(root), commit=commit, branch=branch, changed=changed)


def check_branch(tree: WorkTree, name: str) -> None:
    """
    Raises:
        ConfigError: No branch can have that name.
    """
    if git.line(tree.root, "check-ref-format", "--branch", name) != name:
        raise ConfigError(f"--branch: {name!r} can't be the name of a branch", hint="git check-ref-format says why")


def project_folders(tree: WorkTree) -> list[Path]:
    """Folders of project files, relative to the work tree; one that names its project in pyproject.toml has state."""
    files = _listed(tree.root, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", f"*{FILE_NAME}")
    found = {Path(name).parent for name in files if Path(name).name == FILE_NAME}
    found |= {path.parent.relative_to(tree.root) for path in tree.root.glob(f"*/{STATE_FOLDER}")}
    found |= {Path()} if (tree.root / STATE_FOLDER).is_dir() else set()
    return sorted(found)


def copy_to(tree: WorkTree, target: Path, *, branch: str) -> None:
    """
    Make a copy at *target*, with *branch* checked out whatever the user has.

    Raises:
        MultistackError: git can't, e.g. on a full disk.
    """
    _run(tree.root, "clone", "--quiet", "--no-checkout", "--shared", "--", str(tree.root), str(target))
    _run(target, "checkout", "--quiet", "--no-track", "-B", branch, tree.commit)
    for name in tree.changed:
        _bring(tree.root / name, target / name)
    exclude = target / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    with exclude.open("a") as file:
        file.write(f"{STATE_FOLDER}\n")
    for folder in project_folders(tree):
        _link_state(tree.root / folder, target / folder)


def _bring(source: Path, target: Path) -> None:
    """Make *target* what *source* is now, be it gone."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    if source.is_symlink() or source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _link_state(home: Path, copy: Path) -> None:
    if not copy.is_dir() or os.path.lexists(copy / STATE_FOLDER):
        return
    make_state_folder((home / STATE_FOLDER).resolve())
    (copy / STATE_FOLDER).symlink_to((home / STATE_FOLDER).resolve())
    for values in home.glob(".env.*"):
        if not os.path.lexists(copy / values.name):
            _bring(values, copy / values.name)


def _listed(folder: Path, *arguments: str) -> list[str]:
    done = git.ask(folder, *arguments)
    if done is None or done.returncode:
        raise MultistackError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip() if done else 'no git'}")
    return [name for name in done.stdout.split("\0") if name]


def _run(folder: Path, *arguments: str) -> None:
    done = git.ask(folder, *arguments)
    if done is None or done.returncode:
        reason = done.stderr.strip().splitlines() if done else []
        raise MultistackError(
            f"git {arguments[0]} failed in {folder}: {reason[-1] if reason else 'no reason given'}", details=reason[:-1]
        )
