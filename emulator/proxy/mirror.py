"""
What a project publishes in its store, kept as files for a proxy elsewhere: its requests ask nobody but these files.

So it goes on with what it knows while the store is away, also when it is started again meanwhile.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.addresses import host_of, is_loopback
from emulator.errors import MultistackError
from emulator.model import STATE_FOLDER, Route
from emulator.routes import ROUTES_FILE, load_routes, publish_routes
from emulator.space_list import HOMES, SPACES_FILE, home_of, read_spaces, write_spaces
from emulator.space_tokens import KEY_FILE, write_key
from emulator.store.origin import place

if TYPE_CHECKING:
    from emulator.store.changes import Change
    from emulator.store.published import Published

# Seconds until a store is asked again that told of a change, and could not say which: longer each time.
_AGAIN, _LONGEST = 1.0, 10.0

_log = logging.getLogger(__name__)


class Mirror:
    """
    Brings files up to date.

    Args:
        folder: A state folder of the proxy's own.
    """

    def __init__(self, published: Published, folder: Path) -> None:
        self._published = published
        self._folder = folder
        self._told: set[str] = set()

    @property
    def is_filled(self) -> bool:
        """Whether there is a copy of earlier."""
        return (self._folder / SPACES_FILE).exists()

    def is_awake(self, space: str) -> bool:
        """Whether *space* no longer sleeps, and it is known where its environments are; or it is gone."""
        found = read_spaces(self._folder).get(space)
        if found is None:
            return True
        try:
            routes = load_routes(home_of(self._folder, space) / STATE_FOLDER / ROUTES_FILE)
        except FileNotFoundError:
            return False
        return not found.is_asleep and any(route.url for route in routes.values())

    def take_all(self) -> None:
        """
        Copy everything.

        Raises:
            StoreAway: It can't be asked now; what was copied so far is as good as what was there before.
            MultistackError: The store can't be used.
        """
        self.take_spaces()
        for space in ("", *self._published.spaces()):
            self.take_routes(space)

    def take_spaces(self) -> None:
        """Copy the list and the key; raises as :meth:`take_all`."""
        spaces, key = self._published.spaces(), self._published.key()
        if key is not None:
            write_key(self._folder / KEY_FILE, key)
        write_spaces(self._folder, spaces)
        homes = self._folder / HOMES
        for home in homes.iterdir() if homes.is_dir() else ():
            if home.name not in spaces:
                shutil.rmtree(home, ignore_errors=True)

    def take_routes(self, space: str) -> None:
        """Copy the routes of *space*, empty for the project's own; raises as :meth:`take_all`."""
        routes, (origin, there) = self._published.routes(space), self._published.origin_of(space)
        folder = home_of(self._folder, space) / STATE_FOLDER if space else self._folder
        if routes is None:
            (folder / ROUTES_FILE).unlink(missing_ok=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        seen = routes.values() if there == place() else [self._far(one, origin, space) for one in routes.values()]
        publish_routes(folder / ROUTES_FILE, list(seen))

    def _far(self, route: Route, origin: str, space: str) -> Route:
        """Processes of another machine can't be looked at from here, and its loopback addresses are ours here."""
        url = route.url
        if url and is_loopback(host_of(url)):
            name = f"{space}/{route.environment}" if space else route.environment
            if name not in self._told:
                _log.warning(
                    "environment %s runs on %s, which alone reaches it (%s)", name, origin.partition(":")[0], url
                )
            self._told.add(name)
            url = None
        return replace(route, process=None, url=url)

    def take(self, change: Change, stop: threading.Event) -> None:
        """Copy what changed, however long that takes: what was revoked must not stay good."""
        from emulator.store.changes import What

        copies: Mapping[What, Callable[[], None]] = {
            What.SPACES: self.take_spaces,
            What.ROUTES: lambda: self.take_routes(change.space),
            What.ALL: self.take_all,
        }
        copy, pause = copies.get(change.what), _AGAIN
        while copy is not None and not stop.is_set():
            try:
                copy()
            except Exception as error:  # of any kind: what a newer version published is as unforeseen as a bug
                unforeseen = None if isinstance(error, (MultistackError, OSError)) else error
                text = "what was published can't be taken now: %s; requests go on with what is known"
                _log.error(text, error, exc_info=unforeseen)
                copy = self.take_all
                stop.wait(pause)
                pause = min(2 * pause, _LONGEST)
            else:
                return
