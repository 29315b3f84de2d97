"""The states that tests begin with: the one that the first user found, and one that a test saved."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from emulator.errors import MultistackError, NotReady
from emulator.model import Environment
from emulator.parallel import failed_of, raise_first, run_parallel
from emulator.workspace import Workspace

BASE, SAVED = "base", "saved"


class States:
    """
    What is kept of each environment.

    Args:
        folder: Shared with all processes that use the same environments.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, kind: str, name: str) -> Path:
        """Where the state *kind* of environment *name* is, or would be."""
        return self._folder / kind / name

    def forget(self, kind: str, names: Sequence[str]) -> None:
        """Nothing begins with it any more."""
        for name in names:
            shutil.rmtree(self.path(kind, name), ignore_errors=True)

    def keep(self, workspace: Workspace, environments: Sequence[Environment], kind: str) -> dict[str, MultistackError]:
        """What *environments* hold now, whole or not at all; returns why it can't be done, by name."""
        by_name = {environment.name: environment for environment in environments}

        def keep(name: str) -> None:
            folder = self.path(kind, name)
            new = folder.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            workspace.drivers.of(by_name[name]).save(by_name[name], new)
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)

        return failed_of(run_parallel(list(by_name), keep, workspace.cancellation))

    def put_back(self, workspace: Workspace, environments: Sequence[Environment], *, is_lasting: bool) -> None:
        """
        Let *environments* hold again what was kept of them.

        Args:
            is_lasting: See :meth:`emulator.drivers.registry.Drivers.load_running`.
        """
        by_name = {environment.name: environment for environment in environments}

        def put_back(name: str) -> None:
            if not workspace.drivers.load_running(by_name[name], self._beginning(name), is_lasting=is_lasting):
                raise NotReady(f"environment {name}: its emulator ended while its state was put back")

        raise_first(run_parallel(list(by_name), put_back, workspace.cancellation))

    def _beginning(self, name: str) -> Path:
        """What a test that has an environment to itself begins with."""
        saved = self.path(SAVED, name)
        return saved if saved.exists() else self.path(BASE, name)
