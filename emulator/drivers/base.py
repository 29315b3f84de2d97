"""The contract of a driver."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from emulator.log_file import LogReader
from emulator.model import Endpoint, Environment, Instance


class Driver(Protocol):
    """
    Runs the emulators of one project. Drivers keep no state: they look each time.

    ``stop`` and ``erase`` are no errors when there is nothing to stop or erase.

    A saved folder, as ``save`` writes and ``load`` reads it, holds ``checkpoint``, an :mod:`emulator.checkpoint`. Its
    payload of the localstack driver is a tar of what its plugin keeps; the embedded driver's::

        checkpoint      emulator.checkpoint; its payload is UTF-8 JSON: state key of MiniStack ("dynamodb", "sqs", …)
                        to {"__ministack_format__": N, "payload": <that service's state>}. In such a state a store
                        that belongs to accounts is {"__scoped__": true, "data": {"<account>\\0<repr of key>": …}} or
                        {"__account_region_scoped__": true, "data": {"<account>\\0<region>\\0<repr of key>": …}},
                        and bytes are {"__bytes__": "<base64>"}
        files/          what MiniStack keeps beside it, as it lies in the environment's ``state`` folder:
        files/s3/       object data: <account>/<bucket>/<key>
        files/<other>   code of functions and layers
    """

    @property
    def version(self) -> str:
        """Name and version of the emulator, e.g. ``ministack 1.5.33``: what a saved state belongs to."""

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

    def save(self, environment: Environment, folder: Path) -> None:
        """
        Write the environment's state of one moment into the new *folder*, which appears when it is complete.

        A running emulator is asked for it; of a stopped one the last good checkpoint is taken.

        Raises:
            MultistackError: There is no state yet, or it can't be read or written.
        """

    def load(self, environment: Environment, folder: Path) -> None:
        """
        Replace the state of a stopped environment, in one step, by what ``save`` wrote into *folder*.

        Raises:
            MultistackError: *folder* is broken, newer, or of another emulator; the state stays as it was.
        """

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """The emulator's own last *tail* log lines, oldest first."""

    def log_reader(self, environment: Environment) -> LogReader:
        """The emulator's own log, to be followed over its restarts; a line begins with its time where it has one."""

    def leftovers(self) -> list[Environment]:
        """Environments of this project that run but no longer stand in the project file."""
