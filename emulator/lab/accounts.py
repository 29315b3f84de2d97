"""One emulated account of the lab: started, kept as it is, put back to that, erased."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emulator.drivers.registry import Drivers
from emulator.endpoint import wait_until_healthy
from emulator.errors import MultistackError, NotReady
from emulator.events import Emit, Event
from emulator.model import Endpoint, Environment, Instance, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """
    An emulator of the lab.

    Attributes:
        environment: What its drivers know it as.
        base: How it was when all was deployed and nothing had happened yet; missing until then.
        cancelled: Asked while waiting; raises to stop.
    """

    environment: Environment
    drivers: Drivers
    base: Path
    emit: Emit
    cancelled: Callable[[], None]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.environment.name

    @property
    def is_made(self) -> bool:
        """Whether all that it begins with was deployed."""
        return self.base.exists()

    def observe(self) -> Instance:
        """What runs of it right now."""
        return self.drivers.observe(self.environment)

    def endpoint(self) -> Endpoint:
        """
        Where it answers.

        Raises:
            NotReady: It does not run.
        """
        found = self.observe()
        if found.status is not Status.READY or found.endpoint is None:
            raise NotReady(f"the lab's account {self.name} is {found.status.value}", hint="multistack lab up")
        return found.endpoint

    def start(self, *, timeout: float) -> Endpoint:
        """
        Start it, unless it runs well, and wait until it is healthy.

        Raises:
            NotReady: It isn't in time.
        """
        found = self.observe()
        if found.status is Status.READY and found.endpoint is not None:
            return found.endpoint
        self.drivers.stop(self.environment)
        endpoint = self.drivers.of(self.environment).start(self.environment)
        wait_until_healthy(endpoint, timeout=timeout, give_up=self._give_up)
        self.emit(Event(self.name, "ready", endpoint.url))
        return endpoint

    def _give_up(self) -> str | None:
        self.cancelled()
        return None

    def keep(self) -> None:
        """Save how it is now as what it begins with, once."""
        if not self.is_made:
            self.base.parent.mkdir(exist_ok=True)
            self.drivers.of(self.environment).save(self.environment, self.base)

    def restore(self, *, timeout: float) -> bool:
        """
        Put it back to how it began, whatever was done to it, and let it run; True if it had to be started for that.

        Raises:
            MultistackError: What was kept can't be read, or it doesn't start.
        """
        with contextlib.suppress(MultistackError):  # an emulator that can't take it any more is started anew
            if self.drivers.load_running(self.environment, self.base):
                return False
        self.drivers.stop(self.environment)
        self.drivers.of(self.environment).load(self.environment, self.base)
        self.start(timeout=timeout)
        return True

    def erase(self) -> bool:
        """Stop it, and forget its state; True if it ran."""
        stopped = self.drivers.stop(self.environment)
        self.drivers.of(self.environment).erase(self.environment)
        return stopped


def copy_ledger(source: Path, target: Path) -> None:
    """Make *target*, in one transaction, the ledger that *source* is: deployments by hand are none any more."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)
