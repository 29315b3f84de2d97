"""Which driver an environment's name for it means."""

from __future__ import annotations

from collections.abc import Sequence

from emulator.drivers.base import Driver
from emulator.drivers.embedded import EmbeddedDriver
from emulator.model import DriverName, Environment, Project


class Drivers:
    """
    The drivers of one project, made when first needed.

    Args:
        path, interpreters: See :class:`emulator.drivers.embedded.EmbeddedDriver`.
    """

    def __init__(self, project: Project, *, path: str, interpreters: Sequence[str] = ()) -> None:
        self._drivers: dict[DriverName, Driver] = {
            DriverName.EMBEDDED: EmbeddedDriver(project, path=path, interpreters=interpreters)
        }

    def of(self, environment: Environment) -> Driver:
        """The driver that *environment* asks for."""
        return self._drivers[environment.driver]

    def leftovers(self) -> list[Environment]:
        """Environments that run but no longer stand in the project file, of all drivers."""
        return [environment for driver in self._drivers.values() for environment in driver.leftovers()]
