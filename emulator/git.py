"""What git says about a folder; nothing where there is no git, or no repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


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
    )


def line(folder: Path, *arguments: str) -> str | None:
    """What git answers in one line; None when it can't."""
    done = ask(folder, *arguments)
    return done.stdout.strip() or None if done is not None and done.returncode == 0 else None
