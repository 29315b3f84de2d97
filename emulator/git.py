"""What git says about a folder; nothing where there is no git, or no repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from emulator.config import process_environ

# What git tells its hooks about their repository; with these, it would work on that one, whatever folder it is told.
# Source: `git rev-parse --local-env-vars`, without the variables of configuration.
_OF_HOOKS = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "IMPLICIT_WORK_TREE", "COMMON_DIR", "INDEX_FILE", "OBJECT_DIRECTORY", "PREFIX"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "GRAFT_FILE", "SHALLOW_FILE", "NO_REPLACE_OBJECTS", "REPLACE_REF_BASE"),
    )
)


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run git in *folder*; None where it isn't installed."""
    program = shutil.which("git")
    if program is None:
        return None
    return subprocess.run(
        [program, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in process_environ().items() if name not in _OF_HOOKS},
    )


def line(folder: Path, *arguments: str) -> str | None:
    """What git answers in one line; None when it can't."""
    done = ask(folder, *arguments)
    return done.stdout.strip() or None if done is not None and done.returncode == 0 else None
