"""Opens the store of a project; loads the database's driver only where a project has one."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from emulator.errors import ConfigError, MultistackError
from emulator.events import Emit, Event
from emulator.ledger import LEDGER_FILE, Ledger, LedgerFile
from emulator.model import Project, Route, Space, StoreSettings
from emulator.space_list import write_spaces
from emulator.space_tokens import keep_key

if TYPE_CHECKING:
    from emulator.store.published import Published
    from emulator.store.session import Session
    from emulator.store.store import Store


def open_store(settings: StoreSettings, *, patience: float | None = None) -> Store:
    """
    The store of these settings, one for the whole process.

    Args:
        patience: Seconds to wait for one that was there before; default: what the settings say.

    Raises:
        ConfigError: What speaks to it isn't installed.
    """
    return _open(settings, patience)


@functools.cache
def _open(settings: StoreSettings, patience: float | None) -> Store:
    try:
        from emulator.store.store import Store
    except ImportError as error:
        raise ConfigError(
            f"the setting store needs the packages SQLAlchemy and psycopg: {error}",
            hint=f"{sys.executable} -m pip install 'multistack-emulator[postgresql]'",
        ) from error
    return Store(settings, patience=patience)


def published_of(project: Project) -> Published | None:
    """Where *project*, and each of its spaces, publishes what proxies elsewhere read; None when it has no store."""
    outer = project.within or project
    if outer.store is None:
        return None
    store = open_store(outer.store)
    from emulator.store.origin import here
    from emulator.store.published import Published

    return Published(store, outer.service, origin=here(outer.state))


def shared_published(settings: StoreSettings, project: str) -> Published:
    """What *project* publishes, for a proxy: it waits for no store that is away."""
    store = open_store(settings, patience=0)
    from emulator.store.published import Published

    return Published(store, project)


def publish_spaces(project: Project, spaces: Mapping[str, Space]) -> None:
    """
    Replace the list of the spaces of *project*, which is none of them: in the store first, if it has one.

    Raises:
        StoreAway: The store can't be reached; nothing was changed.
        OSError: The file can't be written; the old one stays.
    """
    if published := published_of(project):
        published.write_spaces(spaces, key=keep_key(project.state) if spaces else None)
    write_spaces(project.state, spaces)


def publish_routes_of(project: Project, routes: Sequence[Route], *, emit: Emit) -> None:
    """Tell proxies elsewhere where the environments of *project* are, which may be a space."""
    if published := published_of(project):
        try:
            published.write_routes(project.space.name if project.space else "", routes)
        except MultistackError as error:  # their turn comes with the next command; whoever uses this machine's has them
            emit(Event(None, "warning:", f"proxies elsewhere were not told: {error.message}"))


def tell_of_store(project: Project, emit: Emit) -> None:
    """Say when the store of *project* has to be waited for; a space has that of its project, which says so already."""
    if project.within is None and project.store is not None:
        open_store(project.store).tell = lambda line: emit(Event(None, "waiting", line))


def ledger_of(project: Project, *, patience: float | None = None) -> Ledger:
    """
    The ledger of *project*, which may be a space: in its store, or a file in its state folder.

    Args:
        patience: See :func:`open_store`.
    """
    outer = project.within or project
    if outer.store is None:
        return LedgerFile(project.state / LEDGER_FILE)
    space = project.space
    return shared_ledger(
        outer.store,
        outer.service,
        space.name if space else "",
        since=space.at.astimezone(UTC).isoformat() if space else "",
        patience=patience,
    )


def shared_ledger(
    settings: StoreSettings, project: str, space: str = "", *, since: str = "", patience: float | None = None
) -> Ledger:
    """The ledger of a project, or of a space that was made at *since*, in a store."""
    store = open_store(settings, patience=patience)
    from emulator.store.ledger import SharedLedger
    from emulator.store.store import Scope

    return SharedLedger(store, Scope(project=project, space=space, since=since), _session_of(store))


@functools.cache
def _session_of(store: Store) -> Session:
    from emulator.store.session import Session

    return Session(store)
