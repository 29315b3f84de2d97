"""The contract of a driver."""

from __future__ import annotations

from typing import Protocol

from emulator.model import Endpoint, Environment, Instance


class Driver(Protocol):
    """
    Runs the emulators of one project. Drivers keep no state: they look each time.

    ``stop`` and ``erase`` are no errors when there is nothing to stop or erase.
    """

    def observe(self, environment: Environment) -> Instance:
        """What runs for *environment* right now; its health is asked for."""

    def start(self, environment: Environment) -> Endpoint:
        """
        Start the emulator and return at once, before it is healthy.

        Raises:
            NotReady: It can't be started: its port is taken, its folder can't be written.
        """

    def stop(self, environment: Environment) -> bool:
        """Stop the emulator in good order, keeping its state; True if one was running."""

    def erase(self, environment: Environment) -> None:
        """Forget the state of a stopped environment."""

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """The emulator's own last *tail* log lines, oldest first."""

    def leftovers(self) -> list[Environment]:
        """Environments of this project that run but no longer stand in the project file."""
