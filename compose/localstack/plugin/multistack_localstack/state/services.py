"""What there is to save: the stores of LocalStack's services, moto's backends, and what lies beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from localstack.services.plugins import ServiceManager, ServiceState
from localstack.services.stores import AccountRegionBundle
from localstack.state import StateVisitor
from moto.core.base_backend import BackendDict
from moto.iam.models import IAMBackend

from multistack_localstack.state import managed_policies, places
from multistack_localstack.state.places import Bundle

_log = logging.getLogger("multistack.state")


class Part(Protocol):
    """State of a service that is in none of its bundles."""

    key: str

    def save(self) -> dict[Any, Any]:
        """What is to be saved: plain data."""

    def load(self, saved: dict[Any, Any]) -> None:
        """Take what :meth:`save` gave; empty if it gave nothing. All of the service's stores are loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """
    What is saved together, since it may refer to one another: all of one service.

    Attributes:
        services: Who must be loaded for this to be there.
    """

    name: str
    services: tuple[str, ...]
    bundles: tuple[Bundle, ...]
    parts: tuple[Part, ...] = ()

    def save(self) -> dict[str, Any]:
        """All of it as one value to pickle; empty if there is nothing."""
        saved: dict[str, Any] = {places.key_of(bundle): _CONTENT[_kind(bundle)](bundle) for bundle in self.bundles}
        saved |= {part.key: part.save() for part in self.parts}
        return {key: content for key, content in saved.items() if content}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take what :meth:`save` gave; what this LocalStack does not have is left out."""
        for bundle in self.bundles:
            if (content := saved.get(places.key_of(bundle))) is not None:
                _FILL[_kind(bundle)](bundle, content)
        for part in self.parts:
            part.load(saved.get(part.key, {}))


class _Collector(StateVisitor):
    def __init__(self) -> None:
        self.bundles: list[Bundle] = []

    def visit(self, state_container: Any) -> None:
        # Folders of files belong to services that this image does not have.
        if isinstance(state_container, AccountRegionBundle | BackendDict):
            self.bundles.append(state_container)


class Services:
    """
    The loaded services.

    Args:
        parts: By the name of their group.
    """

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager
        self._parts: dict[str, list[Part]] = {}
        self._known: tuple[str, ...] = ()
        self._groups: tuple[Group, ...] = ()

    def add(self, group: str, part: Part) -> None:
        """Let *part* be saved with *group*."""
        self._parts.setdefault(group, []).append(part)
        self._known = ()

    def running(self) -> tuple[str, ...]:
        """LocalStack's names of the loaded services."""
        containers = list(self._manager._services.items())
        return tuple(name for name, container in containers if container.state == ServiceState.RUNNING)

    def require(self, names: Iterable[str]) -> list[str]:
        """Load the services of these *names*; returns those that can't be."""
        missing = []
        for name in names:
            try:
                self._manager.require(name)
            except Exception:  # whatever a service raises while it starts: it is missing
                _log.exception("the service %s can't be loaded", name)
                missing.append(name)
        return missing

    def provider(self, name: str) -> Any:
        """The provider of a loaded service, or None."""
        service = self._manager.get_service(name) if name in self.running() else None
        return service._provider if service else None

    def hook(self, name: str) -> Any:
        """What LocalStack calls when the state of the service *name* was loaded."""
        service = self._manager.get_service(name)
        return service.lifecycle_hook if service else None

    def groups(self) -> tuple[Group, ...]:
        """All that is to be saved, by name."""
        running = self.running()
        if running != self._known:
            self._groups, self._known = tuple(self._collect(running)), running
        return self._groups

    def _collect(self, running: Iterable[str]) -> Iterable[Group]:
        bundles: dict[str, dict[str, Bundle]] = {}
        owners: dict[str, set[str]] = {}
        for name in running:
            service = self._manager.get_service(name)
            collector = _Collector()
            if service is not None:
                service.accept_state_visitor(collector)
            for bundle in collector.bundles:
                group = bundle.service_name.replace("_", "-")
                places.register(bundle)
                bundles.setdefault(group, {})[places.key_of(bundle)] = bundle
                owners.setdefault(group, set()).add(name)
        for group in sorted({*bundles, *self._parts}):
            yield Group(
                name=group,
                services=tuple(sorted(owners.get(group, {group}))),
                bundles=tuple(bundles.get(group, {}).values()),
                parts=tuple(self._parts.get(group, ())),
            )


def _kind(bundle: Bundle) -> type:
    return BackendDict if isinstance(bundle, BackendDict) else AccountRegionBundle


def _content_of_stores(bundle: AccountRegionBundle[Any]) -> dict[str, Any]:
    if not bundle and not bundle._universal:
        return {}
    return {
        "universal": bundle._universal,
        "accounts": {
            account: {
                "global": regions._global,
                "regions": {region: _attributes(store) for region, store in regions.items()},
            }
            for account, regions in bundle.items()
        },
    }


def _attributes(store: Any) -> dict[str, Any]:
    """What a store holds; what it shares with others is saved once, with its bundle."""
    shared = ("_global", "_universal", "_service_name", "_account_id", "_region_name")
    return {name: value for name, value in vars(store).items() if name not in shared}


def _fill_stores(bundle: AccountRegionBundle[Any], content: Mapping[str, Any]) -> None:
    bundle._universal.update(content["universal"])
    for account, saved in content["accounts"].items():
        regions = bundle[account]
        regions._global.update(saved["global"])
        for region, attributes in saved["regions"].items():
            vars(regions[region]).update(attributes)


def _content_of_backends(bundle: BackendDict[Any]) -> dict[str, Any]:
    return {
        account: {region: _attributes_of_backend(backend) for region, backend in dict.items(regions)}
        for account, regions in dict.items(bundle)
    }


def _fill_backends(bundle: BackendDict[Any], content: Mapping[str, Any]) -> None:
    for account, regions in content.items():
        for region, attributes in regions.items():
            backend = bundle[account][region]
            if isinstance(backend, IAMBackend):
                managed_policies.fill(backend, attributes)
            else:
                vars(backend).update(attributes)


def _attributes_of_backend(backend: Any) -> dict[str, Any]:
    return managed_policies.attributes(backend) if isinstance(backend, IAMBackend) else vars(backend)


_CONTENT: dict[type, Callable[[Any], dict[str, Any]]] = {
    AccountRegionBundle: _content_of_stores,
    BackendDict: _content_of_backends,
}
_FILL: dict[type, Callable[[Any, Mapping[str, Any]], None]] = {
    AccountRegionBundle: _fill_stores,
    BackendDict: _fill_backends,
}
