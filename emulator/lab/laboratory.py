"""The lab's emulators and its proxy: up, down, put back to how they began."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from emulator.drivers.registry import Drivers
from emulator.errors import MultistackError, NotReady
from emulator.events import Event
from emulator.lab import stacks
from emulator.lab.accounts import Account, copy_ledger
from emulator.lab.project import SHARED, environment_of, remove_lab, shared_accounts
from emulator.lab.routing import route_to
from emulator.lab.seeding import seed
from emulator.lab.topologies import ENVIRONMENTS, Place, Topology, World
from emulator.ledger import LEDGER_FILE
from emulator.model import DriverName, Route, Status
from emulator.parallel import raise_first, run_parallel
from emulator.workspace import Workspace

T = TypeVar("T")
# How each account was when all was deployed and nothing had happened yet, and the ledger with it.
_BASE = "base"
_ACCOUNT = {Topology.SINGLE: "single", Topology.SAME_ACCOUNT: "same-account"}
# Accounts that environments share.
ACCOUNTS = tuple(_ACCOUNT.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceStatus:
    """One environment of one topology, observed just now."""

    topology: str
    environment: str
    status: str
    driver: str
    account: str
    url: str | None


class Laboratory:
    """
    What runs of a lab.

    Args:
        workspace: Of the lab's own project, whose environments are the topology ``multi``.
        environ: The caller's variables, for drivers.
    """

    def __init__(self, workspace: Workspace, *, environ: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._shared = shared_accounts(workspace.project)
        self._shared_drivers = Drivers(self._shared, environ=environ, cancelled=workspace.cancellation.check)

    @property
    def folder(self) -> Path:
        """All of the lab."""
        return self._workspace.project.root

    @property
    def lock_folder(self) -> Path:
        """Where the lock of commands on the lab lies; the lab's own project has another one."""
        return self.folder / SHARED

    @property
    def driver(self) -> str:
        """What runs its emulators."""
        return self._shared.environments[0].driver.value

    @property
    def restores_quickly(self) -> bool:
        """Whether an account is put back without starting its emulator anew, in a fraction of a second."""
        return self._shared.environments[0].driver is DriverName.EMBEDDED

    @property
    def emulator(self) -> str:
        """With its version, e.g. ``ministack 1.5.33``."""
        return self._shared_drivers.of(self._shared.environments[0]).version

    def cancelled(self) -> None:
        """Return at once, or raise KeyboardInterrupt: somebody gave up."""
        self._workspace.cancellation.check()

    def up(self, topologies: Sequence[Topology], *, timeout: float) -> bool:
        """
        Everything of *topologies* running, deployed and with the orders that prod begins with; True if any was missing.

        Raises:
            MultistackError: An emulator doesn't start, or refuses a deployment.
        """
        missing = [one for one in topologies if not self._is_whole(one)]
        if missing:
            self.at_once([one.value for one in missing], lambda value: self._bring_up(Topology(value), timeout=timeout))
        started = self._start_proxy()
        for topology in missing:
            if not self._is_made(topology):
                seed(self.world(topology))
        self.at_once([one.value for one in missing], lambda value: self._keep(Topology(value)))
        return started or bool(missing)

    def fresh(self, topologies: Sequence[Topology], *, timeout: float) -> None:
        """Everything of *topologies* up, and as it began; raises as :meth:`up`."""
        self.restore([one for one in topologies if self._is_made(one)], timeout=timeout)
        self.up(topologies, timeout=timeout)

    def restore(self, topologies: Sequence[Topology], *, timeout: float) -> bool:
        """
        Put every account of *topologies* back to how it began, whatever was done to it.

        Returns:
            Whether an emulator was started for that, which then may answer at another address.

        Raises:
            MultistackError: As :meth:`up`.
        """
        accounts = {one.name: one for topology in topologies for one in self._accounts(topology)}
        started = self.at_once(list(accounts), lambda name: accounts[name].restore(timeout=timeout))
        if Topology.MULTI in topologies:
            copy_ledger(self.folder / _BASE / LEDGER_FILE, self._workspace.project.state / LEDGER_FILE)
        if any(started.values()):
            self._publish()
        return any(started.values())

    def down(self) -> bool:
        """Stop everything and remove the lab's folder; True if anything ran."""
        accounts = {one.name: one for topology in Topology for one in self._accounts(topology)}
        stopped = self._workspace.front.stop()
        erased = self.at_once(list(accounts), lambda name: accounts[name].erase())
        remove_lab(self.folder)
        return stopped or any(erased.values())

    def status(self) -> Iterator[PlaceStatus]:
        """Every environment of every topology."""
        url = self._workspace.front.url()
        for topology in Topology:
            found = {one.name: one.observe() for one in self._accounts(topology)}
            for name in ENVIRONMENTS:
                instance = found[_ACCOUNT.get(topology, name)]
                is_up = instance.status is Status.READY and self._is_made(topology)
                yield PlaceStatus(
                    topology=topology.value,
                    environment=name,
                    status=instance.status.value,
                    driver=self.driver,
                    account=instance.endpoint.account_id if instance.endpoint else "",
                    url=f"{url}/{topology.prefix}{name}/" if url and is_up else None,
                )

    def world(self, topology: Topology) -> World:
        """
        A topology with the names of all its resources.

        Raises:
            NotReady: It is not up.
        """
        url = self._workspace.front.url()
        if url is None:
            raise NotReady("the lab's proxy does not run", hint="multistack lab up")
        return World(
            topology=topology, driver=self.driver, port=int(url.rpartition(":")[2]), places=self._places(topology)
        )

    def _places(self, topology: Topology) -> Mapping[str, Place]:
        endpoints = {one.name: one.endpoint() for one in self._accounts(topology)}
        return stacks.places(topology, {name: endpoints[_ACCOUNT.get(topology, name)] for name in ENVIRONMENTS})

    def _accounts(self, topology: Topology) -> list[Account]:
        if topology is Topology.MULTI:
            project, drivers = self._workspace.project, self._workspace.drivers
            names: Sequence[str] = ENVIRONMENTS
        else:
            project, drivers, names = self._shared, self._shared_drivers, (_ACCOUNT[topology],)
        return [
            Account(
                environment=environment_of(project, name),
                drivers=drivers,
                base=self.folder / _BASE / name,
                emit=self._workspace.emit,
                cancelled=self.cancelled,
            )
            for name in names
        ]

    def _is_made(self, topology: Topology) -> bool:
        return all(one.is_made for one in self._accounts(topology))

    def _is_whole(self, topology: Topology) -> bool:
        return all(one.is_made and one.observe().status is Status.READY for one in self._accounts(topology))

    def _bring_up(self, topology: Topology, *, timeout: float) -> None:
        if topology is Topology.MULTI:
            with self._workspace.changing("lab up"):
                raise_first(self._workspace.lifecycle.up(self._workspace.project.environments, timeout=timeout))
            return
        (account,) = self._accounts(topology)
        endpoint = account.start(timeout=timeout)
        if self._is_made(topology):
            return
        if topology is Topology.SINGLE:
            stacks.deploy_single(endpoint, self.folder, cancelled=self.cancelled)
        else:
            project = self._workspace.project
            stacks.deploy_each(endpoint, project, self._workspace.build(), cancelled=self.cancelled)
        self._workspace.emit(Event(account.name, "deployed", topology.meaning))

    def _keep(self, topology: Topology) -> None:
        """Save how its accounts are now, once: the last step of making them."""
        if topology is Topology.MULTI and not self._is_made(topology):
            (self.folder / _BASE).mkdir(exist_ok=True)
            copy_ledger(self._workspace.project.state / LEDGER_FILE, self.folder / _BASE / LEDGER_FILE)
        for account in self._accounts(topology):
            account.keep()

    def _start_proxy(self) -> bool:
        self._publish()
        started = self._workspace.start_proxy()
        if isinstance(started, NotReady):
            raise started
        return started

    def _publish(self) -> None:
        self._workspace.publish()
        routes: list[Route] = []
        for topology in _ACCOUNT:
            (account,) = self._accounts(topology)
            instance = account.observe()
            if instance.endpoint is not None and stacks.is_deployed(instance.endpoint, topology):
                found = self._places(topology).values()
                routes += [route_to(place, topology, instance, driver=self.driver) for place in found]
        self._workspace.front.publish_laid_out(routes)

    def at_once(self, names: Sequence[str], work: Callable[[str], T]) -> Mapping[str, T]:
        """
        Do *work* for every name in a thread of its own.

        Raises:
            MultistackError: The first error, after all have ended.
        """
        results = run_parallel(names, work, self._workspace.cancellation)
        raise_first(results)
        return {name: result for name, result in results.items() if not isinstance(result, MultistackError)}
