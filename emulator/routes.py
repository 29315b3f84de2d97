"""
The proxy's routing table, pushed to it as one file.

Whoever changes what runs where publishes the whole table again; the proxy notices by the file's change, so a request
never asks the emulators or the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from emulator.model import CLUSTERS, Api, DriverName, Instance, ProcessId, Route, Status
from emulator.process import write_atomically
from emulator.watched_file import WatchedFile

ROUTES_FILE = "routes.json"


def publish_routes(path: Path, routes: Sequence[Route]) -> None:
    """Replace the table at *path*; order is the promotion order."""
    write_atomically(path, routes_text(routes).encode())


def routes_text(routes: Sequence[Route]) -> str:
    """A table as JSON."""
    return json.dumps([asdict(route) for route in routes], indent=1)


def load_routes(path: Path) -> Mapping[str, Route]:
    """
    Environment name to route, in promotion order.

    Raises:
        FileNotFoundError: Nothing was ever published.
    """
    return read_routes(json.loads(path.read_bytes()))


# What a newer version adds is nothing that this one could heed.
_FIELDS = frozenset(field.name for field in fields(Route))


def read_routes(table: Sequence[Mapping[str, Any]]) -> Mapping[str, Route]:
    """A table, parsed from its JSON."""
    return {
        content["environment"]: Route(
            **{
                **{name: value for name, value in content.items() if name in _FIELDS},
                "process": ProcessId(**content["process"]) if content["process"] else None,
                "apis": tuple(Api(**api) for api in content["apis"]),
                "asked_with": tuple((name, value) for name, value in content.get("asked_with", ())),
            }
        )
        for content in table
    }


def kept_routes(
    path: Path, routes: Sequence[Route], instances: Mapping[str, Instance], *, asked_with: Mapping[str, str]
) -> list[Route]:
    """
    *routes*, leading where those at *path* do for what a cluster has, and nobody can tell where just now.

    It may answer there all the time, and the proxy goes on to look for it.

    Args:
        asked_with: See :attr:`emulator.model.Route.asked_with`.
    """
    try:
        known = load_routes(path)
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    return [
        _kept(route, known.get(route.environment), instances[route.environment], tuple(sorted(asked_with.items())))
        if DriverName(route.driver) in CLUSTERS
        else route
        for route in routes
    ]


def _kept(route: Route, before: Route | None, instance: Instance, asked_with: Sequence[tuple[str, str]]) -> Route:
    before = before if before is not None and before.driver == route.driver else None
    if not instance.is_unknown:
        route = replace(route, asked_with=asked_with)
    elif before is not None:
        route = replace(route, asked_with=before.asked_with)
    is_somewhere = instance.is_unknown or instance.status is not Status.STOPPED
    if before is not None and is_somewhere:
        return replace(route, url=route.url or before.url, key=route.key or before.key)
    return route


def watch_routes(
    path: Path, *, on_change: Callable[[Mapping[str, Route]], None]
) -> WatchedFile[Mapping[str, Route] | None]:
    """
    The routes as last published; None when none ever were.

    Args:
        on_change: Called with each new table.
    """
    return WatchedFile(path, load_routes, missing=None, on_change=lambda routes: on_change(routes or {}))
