"""What the proxy knows of spaces: their list, the key of their tokens, and the routes of those that were asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from emulator.errors import MultistackError
from emulator.model import SEPARATOR, STATE_FOLDER, Route, Space
from emulator.routes import ROUTES_FILE, load_routes
from emulator.space_list import SPACES_FILE, home_of, load_spaces
from emulator.space_tokens import KEY_FILE, read_key
from emulator.watched_file import WatchedFile


class SpaceTable:
    """
    Reads files again when they were replaced; a request looks only at those of its own space.

    Args:
        state: The project's state folder.
        on_change: Called after the list, or the routes of a space, changed.
    """

    def __init__(self, state: Path, *, on_change: Callable[[], None]) -> None:
        self._state = state
        self._on_change = on_change
        self._lock = threading.Lock()
        self._routes: dict[str, WatchedFile[Mapping[str, Route] | None]] = {}
        self._urls: dict[str, tuple[str, ...]] = {}
        self._spaces: WatchedFile[_Spaces] = WatchedFile(
            state / SPACES_FILE,
            _load_spaces,
            missing=_Spaces({}, {}),
            on_change=lambda spaces: self._forget(spaces.there),
        )
        self._key: WatchedFile[bytes | None] = WatchedFile(state / KEY_FILE, read_key, missing=None)

    def spaces(self) -> Mapping[str, Space]:
        """All there are; one that is being removed is none any more."""
        return self._spaces.current().there

    def listed(self) -> Mapping[str, Space]:
        """Those as well that are being removed."""
        return self._spaces.current().listed

    def key(self) -> bytes | None:
        """What signs tokens; None before any was made."""
        return self._key.current()

    def routes(self, name: str) -> Mapping[str, Route] | None:
        """
        Environment to route in space *name*, which there is; None when nothing was published yet.

        The routes themselves call their environment by both names.
        """
        watched = self._routes.get(name)
        if watched is None:
            with self._lock:
                watched = self._routes.setdefault(name, self._watch(name))
        return watched.current()

    def urls(self) -> list[str]:
        """Where environments of spaces answer, as far as somebody asked for them."""
        with self._lock:
            return [url for urls in self._urls.values() for url in urls]

    def _watch(self, name: str) -> WatchedFile[Mapping[str, Route] | None]:
        def load(path: Path) -> Mapping[str, Route]:
            return {route.environment: _inside(name, route) for route in load_routes(path).values()}

        def note(routes: Mapping[str, Route] | None) -> None:
            with self._lock:
                self._urls[name] = tuple(route.url for route in (routes or {}).values() if route.url)
            self._on_change()

        path = home_of(self._state, name) / STATE_FOLDER / ROUTES_FILE
        return WatchedFile(path, load, missing=None, on_change=note)

    def _forget(self, spaces: Mapping[str, Space]) -> None:
        with self._lock:
            for name in self._routes.keys() - spaces.keys():
                del self._routes[name]
                self._urls.pop(name, None)
        self._on_change()


class _Spaces(NamedTuple):
    """What the list says."""

    listed: Mapping[str, Space]
    there: Mapping[str, Space]


def _load_spaces(path: Path) -> _Spaces:
    try:
        listed = load_spaces(path)
        return _Spaces(listed, {name: space for name, space in listed.items() if not space.is_ending})
    except MultistackError as error:
        raise ValueError(error.message) from error  # what it said before counts


def _inside(space: str, route: Route) -> Route:
    started_by = f"multistack --space {space} up {route.environment}"
    return replace(route, environment=f"{space}{SEPARATOR}{route.environment}", started_by=started_by)
