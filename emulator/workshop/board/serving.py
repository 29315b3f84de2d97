"""Serves the board until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from emulator import ports
from emulator.proxy.server import Server

PORTS = range(8090, 8100)


def listen(host: str, port: int | None) -> socket.socket:
    """
    A socket for the board.

    Raises:
        NotReady: The port is taken, or *host* is no address of this machine.
    """
    return ports.listen(port=port, candidates=list(PORTS), purpose="the board", host=host)


def addresses(host: str) -> Sequence[str]:
    """Where learners reach a board that listens on *host*."""
    if host != ports.EVERY_ADDRESS:
        return [host]
    found = [one.address for some in psutil.net_if_addrs().values() for one in some if one.family is socket.AF_INET]
    return sorted(address for address in found if not address.startswith("127."))


def serve(listener: socket.socket, app: Callable[..., Any]) -> None:
    """Until Ctrl-C."""
    server = Server(listener, app)
    try:
        server.start()
    finally:
        server.stop()
