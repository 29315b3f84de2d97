"""The git branch that a folder has checked out."""

from __future__ import annotations

from pathlib import Path

from emulator import git
from emulator.errors import ConfigError


def current_branch(folder: Path) -> str:
    """
    The branch checked out in *folder*, e.g. ``feature/login``.

    Raises:
        ConfigError: There is none: no git, no repository, or a commit that is checked out without a branch.
    """
    hint = "name the branch: --from-branch BRANCH"
    done = git.ask(folder, "symbolic-ref", "--quiet", "--short", "HEAD")
    if done is None:
        raise ConfigError("--from-branch: there is no git in PATH to ask for the branch", hint=hint)
    if done.returncode == 1 and not done.stderr:  # it says nothing about what is no error
        raise ConfigError("--from-branch: a commit is checked out here, and no branch", hint=hint)
    if done.returncode:
        raise ConfigError(f"--from-branch: {done.stderr.strip().partition(chr(10))[0]}", hint=hint)
    return done.stdout.strip()
