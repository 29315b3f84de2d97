"""Which port of a swarm a service gets: no two that start at the same time shall have one."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from emulator.errors import NotReady

# Clear of what kernels give out by themselves, which begins at 32768.
PORTS = range(20_000, 30_000)
# Of the swarm's manager, of its scheduler, and of a node's engine and kernel.
_CONFLICT = re.compile(
    r"port '\d+' is already in use|host-mode port already in use|port is already allocated|address already in use"
)
_TRIES = 5
# Each space has a driver of its own, and all of them start side by side in one process.
_lock = threading.Lock()
_chosen: set[int] = set()
Made = TypeVar("Made")


class PortTaken(NotReady):
    """A service doesn't run because somebody else has its port."""


def on_free_port(
    service: str, make: Callable[[int], Made], *, taken: Callable[[], Collection[int]], before: int | None
) -> Made:
    """
    Make *service* on a port of its own, on a next one where another process was faster.

    Args:
        make: Makes it, and leaves nothing that has its name where the port is taken.
        taken: Asks the swarm for the ports that services have.
        before: That of its last start, which is the first choice.

    Returns:
        What *make* made.

    Raises:
        NotReady: No port is free.
        PortTaken: Neither is any of five that looked so.
    """
    tried: list[int] = []
    while True:
        with _choose(service, taken, before=before, tried=tried) as port:
            try:
                return make(port)
            except PortTaken:
                tried.append(port)
                if len(tried) == _TRIES:
                    raise


@contextmanager
def _choose(
    service: str, taken: Callable[[], Collection[int]], *, before: int | None, tried: Collection[int]
) -> Iterator[int]:
    """Nothing else of this process chooses the same until the swarm itself knows who has it."""
    with _lock:
        out = {*taken(), *_chosen, *tried}
        port = next((one for one in candidates(service, before=before) if one not in out), None)
        if port is None:
            raise NotReady(f"service {service}: no port of the swarm is free")
        _chosen.add(port)
    try:
        yield port
    finally:
        with _lock:
            _chosen.discard(port)


def candidates(service: str, *, before: int | None) -> Iterator[int]:
    """All ports, from one of the service's own on: other processes, which can't be asked, rarely begin at the same."""
    if before is not None and before in PORTS:
        yield before
    start = int.from_bytes(hashlib.sha256(service.encode()).digest()[:8], "big") % len(PORTS)
    yield from PORTS[start:]
    yield from PORTS[:start]


def ports_of(services: Iterable[Mapping[str, Any]]) -> set[int]:
    """Those that *services* have, or were only just made with, as the engine's ``inspect`` tells."""
    parts = [part for one in services for part in (one.get("Endpoint"), one["Spec"].get("EndpointSpec")) if part]
    opened = [port.get("PublishedPort") for part in parts for port in part.get("Ports") or ()]
    return {int(port) for port in opened if port}


def is_conflict(said: str) -> bool:
    """Whether a swarm's words mean that somebody else has the port."""
    return _CONFLICT.search(said) is not None
