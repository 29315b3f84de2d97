"""Opens the store of a project; loads the database's driver only where a project has one."""

from __future__ import annotations

import functools
import socket
import sys
from typing import TYPE_CHECKING

from emulator.errors import ConfigError
from emulator.model import Project, StoreSettings

if TYPE_CHECKING:
    from emulator.store.published import Published
    from emulator.store.store import Store


@functools.cache
def open_store(settings: StoreSettings, *, patience: float | None = None) -> Store:
    """
    The store of these settings, one for the whole process.

    Args:
        patience: Seconds to wait for one that was there before; default: what the settings say.

    Raises:
        ConfigError: What speaks to it isn't installed.
    """
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
    from emulator.store.published import Published

    return Published(store, outer.service, origin=f"{socket.gethostname()}:{outer.state}")
