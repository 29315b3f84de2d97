"""Prepares the image's file system: ``python -m multistack_localstack.baking``."""

from __future__ import annotations

import shutil
from pathlib import Path

from multistack_localstack.baking.runtime_folder import make
from multistack_localstack.executor.variables import RUNTIME_FOLDER
from multistack_localstack.health import check

# Where the health check finds it by a path that no Python version is part of.
CHECK = Path("/usr/lib/localstack/check.py")


def main() -> None:
    """Do all of it."""
    make(RUNTIME_FOLDER)
    shutil.copyfile(check.__file__, CHECK)


if __name__ == "__main__":
    main()
