"""Puts the parts of a lab together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emulator.config import isolate_process, scrubbed_environ
from emulator.drivers.containers import TOKEN
from emulator.errors import ConfigError
from emulator.lab.laboratory import ACCOUNTS, Laboratory
from emulator.lab.project import is_made, mend_project_file, open_project
from emulator.opening import open_workspace
from emulator.render import Progress


def open_laboratory(folder: Path, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Laboratory | None:
    """
    The lab in *folder*; None when there is none. Nothing is started.

    Args:
        environ: The caller's variables.
        overrides: Values of flags by dotted key.

    Raises:
        ConfigError: Its project file was changed into one that is wrong.
    """
    isolate_process()
    if not is_made(folder):
        return None
    project = open_project(folder, environ=environ, overrides=overrides)
    emit = Progress([*(one.name for one in project.environments), *ACCOUNTS])
    scrubbed = scrubbed_environ(environ)
    workspace = open_workspace(project, environ=scrubbed, emit=emit, token=environ.get(TOKEN))
    return Laboratory(workspace, environ=scrubbed)


def open_to_remove(folder: Path, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Laboratory | None:
    """As :func:`open_laboratory`, whatever somebody made of its project file."""
    try:
        return open_laboratory(folder, environ, overrides)
    except ConfigError:
        mend_project_file(folder)
        return open_laboratory(folder, environ, overrides)
