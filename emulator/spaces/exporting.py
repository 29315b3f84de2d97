"""What a space holds, as files to take home: each environment's data as its seed, and the history of its releases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emulator.errors import ConfigError, file_hint
from emulator.process import write_atomically
from emulator.seeds.exporting import export as export_environment
from emulator.workspace import Workspace

HISTORY = "history.json"


def export(workspace: Workspace, folder: Path, *, history: str, replaces: bool) -> Sequence[Path]:
    """
    Write the ledger, and seed files into ``folder/<environment>/``, which other environments take as their seed.

    Args:
        workspace: Of the space.
        history: The deployments in its ledger, as JSON.
        replaces: What an earlier export wrote there may go.

    Returns:
        What was written.

    Raises:
        ConfigError: Something of that name is there already, or *folder* can't be written.
        NotReady: One of the environments doesn't run; nothing is written then.
    """
    endpoints = {one.name: workspace.endpoint(one.name) for one in workspace.project.environments}
    path = folder / HISTORY
    if path.exists() and not replaces:
        raise ConfigError(f"{path} is there already", hint="name another folder with -o, or add --replace")
    written: list[Path] = []
    for name, endpoint in endpoints.items():
        done = export_environment(endpoint, workspace.project.stack_name(name), folder / name, replaces=replaces)
        written += [one.path for one in done if one.path is not None]
    try:
        write_atomically(path, f"{history}\n".encode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint=file_hint(error)) from error
    return [*written, path]
