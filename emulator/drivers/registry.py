"""Which driver an environment's name for it means, and which one runs it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from emulator import ports
from emulator.drivers.base import Driver
from emulator.drivers.embedded import EmbeddedDriver
from emulator.drivers.engine import variables
from emulator.drivers.external import ExternalDriver
from emulator.drivers.kubernetes import KubernetesDriver
from emulator.drivers.localstack import LocalstackDriver
from emulator.drivers.swarm import SwarmDriver
from emulator.errors import NotReady
from emulator.model import DriverName, Environment, Instance, Project, Status


class Drivers:
    """
    The drivers of one project, made when first needed.

    Args:
        environ: The caller's variables, for drivers that look for something on the machine.
        interpreters: See :class:`emulator.drivers.embedded.EmbeddedDriver`.
        cancelled: See :class:`emulator.drivers.external.ExternalDriver`.
    """

    def __init__(
        self,
        project: Project,
        *,
        environ: Mapping[str, str],
        interpreters: Sequence[str] = (),
        cancelled: Callable[[], None] = lambda: None,
    ) -> None:
        self._project = project
        self._embedded = EmbeddedDriver(
            project, path=environ.get("PATH", ""), interpreters=interpreters, engine=variables(environ)
        )
        self._localstack = LocalstackDriver(project, environ=environ)
        self._kubernetes = KubernetesDriver(project, environ=environ)
        self._swarm = SwarmDriver(project, environ=environ)
        self._drivers: Mapping[DriverName, Driver] = {
            DriverName.EMBEDDED: self._embedded,
            DriverName.LOCALSTACK: self._localstack,
            DriverName.EXTERNAL: ExternalDriver(project, cancelled=cancelled),
            DriverName.KUBERNETES: self._kubernetes,
            DriverName.SWARM: self._swarm,
        }

    def of(self, environment: Environment) -> Driver:
        """The driver that *environment* asks for."""
        return self._drivers[environment.driver]

    def observe(self, environment: Environment) -> Instance:
        """What runs for *environment* right now, also when another driver started it before the file was changed."""
        found = self.of(environment).observe(environment)
        # An external emulator is there whether or not what ran before it was stopped.
        is_open = found.status is Status.STOPPED or environment.driver is DriverName.EXTERNAL
        if is_open and (other := self._other(environment)):
            there = self._drivers[other].observe(environment)
            reason = f"driver changed from {other.value} to {environment.driver.value}"
            return replace(there, status=Status.UNHEALTHY, reason=reason)
        return found

    def check(self, environment: Environment) -> None:
        """
        Find out what would keep *environment* from starting as it is wanted now, before what runs is stopped.

        Raises:
            MultistackError: Its port is taken, or its driver can't start it.
        """
        if environment.driver is DriverName.LOCALSTACK:
            self._localstack.check(environment)
        if environment.driver is DriverName.KUBERNETES:
            self._kubernetes.check(environment)
            return  # its port is that of its service
        if environment.driver is DriverName.SWARM:
            self._swarm.check(environment)
            return  # its port is open on another machine
        endpoint = self.observe(environment).endpoint
        has_port = endpoint is not None and endpoint.url.endswith(f":{environment.port}")
        if environment.port is not None and not has_port:
            ports.listen(port=environment.port, candidates=(), purpose=f"environment {environment.name}").close()

    def load_running(self, environment: Environment, folder: Path, *, is_lasting: bool = True) -> bool:
        """
        Replace the state of a running environment by what its driver saved into *folder*, without a restart.

        Args:
            is_lasting: It survives a kill of the emulator at once; else, as any write does, after a second.

        Returns:
            False where it doesn't run, or its driver can't do that; nothing was changed.

        Raises:
            MultistackError: It failed: the environment must be stopped, and *folder* loaded.
        """
        if environment.driver is not DriverName.EMBEDDED or not self._embedded.runs(environment):
            return False
        self._embedded.load_running(environment, folder, is_lasting=is_lasting)
        return True

    def stop(self, environment: Environment) -> bool:
        """Stop what runs for *environment*, whichever driver started it."""
        stopped = self.of(environment).stop(environment)
        if other := self._other(environment):
            stopped = self._drivers[other].stop(environment) or stopped
        return stopped

    def _other(self, environment: Environment) -> DriverName | None:
        """Another driver than its own that runs *environment*; an engine that nobody used is not asked."""
        if environment.driver is not DriverName.EMBEDDED and self._embedded.runs(environment):
            return DriverName.EMBEDDED
        if environment.driver is not DriverName.LOCALSTACK and self._localstack.may_run(environment):
            with contextlib.suppress(NotReady):  # no engine runs nothing
                found = self._localstack.observe(environment)
                return DriverName.LOCALSTACK if found.status is not Status.STOPPED or found.reason else None
        if environment.driver is not DriverName.KUBERNETES and self._kubernetes.may_run(environment):
            return DriverName.KUBERNETES
        if environment.driver is not DriverName.SWARM and self._swarm.may_run(environment):
            return DriverName.SWARM
        return None

    def leftovers(self) -> list[Environment]:
        """Environments that run but no longer stand in the project file, of all drivers."""
        found = self._embedded.leftovers()
        if self._uses_engine:
            # Who needs the engine says why it can't be asked; an environment of another driver can go without.
            with contextlib.suppress(NotReady):
                found += self._localstack.leftovers()
        if any(one.driver is DriverName.KUBERNETES for one in self._project.environments):
            found += self._kubernetes.leftovers()
        if self._swarm.was_used() or any(one.driver is DriverName.SWARM for one in self._project.environments):
            with contextlib.suppress(NotReady):
                found += self._swarm.leftovers()
        return found

    @functools.cached_property
    def _uses_engine(self) -> bool:
        wanted = any(one.driver is DriverName.LOCALSTACK for one in self._project.environments)
        return wanted or self._localstack.was_used()
