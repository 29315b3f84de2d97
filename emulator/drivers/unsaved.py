"""The part of a driver that neither saves states nor replaces them: they lie where nobody here reads files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NoReturn

from emulator.errors import MultistackError
from emulator.model import Environment


class Unsaved:
    """
    Refuses what snapshots need of a driver.

    Attributes:
        whose: Whose state it is, e.g. ``an emulator in a cluster``.
        instead: What to do instead; ``{name}`` stands for the environment.
    """

    whose: ClassVar[str]
    instead: ClassVar[str]

    def save(self, environment: Environment, folder: Path) -> None:
        """See :class:`emulator.drivers.base.Driver`: always refused."""
        self._refuse(environment, "saved")

    def load(self, environment: Environment, folder: Path) -> None:
        """See :class:`emulator.drivers.base.Driver`: always refused."""
        self._refuse(environment, "replaced")

    def _refuse(self, environment: Environment, done: str) -> NoReturn:
        raise MultistackError(
            f"environment {environment.name}: the state of {self.whose} can't be {done}",
            hint=self.instead.format(name=environment.name),
        )
