"""Ports on loopback: take one and keep it, or say who has it."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence
from pathlib import Path

import psutil

from emulator.errors import NotReady
from emulator.model import STATE_FOLDER
from emulator.process import LABEL

HOST = "127.0.0.1"
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 (only what it is called)
_BACKLOG = 512


def listen(*, port: int | None, candidates: Sequence[int], purpose: str, host: str = HOST) -> socket.socket:
    """
    A listening socket on an IPv4 address of this machine.

    Args:
        host: The address; 0.0.0.0 for all of them.
        port: The one port to take, or None to take the first free one of *candidates*.
        purpose: What it is for, as it stands in the error, e.g. ``environment test``.

    Raises:
        NotReady: The port is taken; the message names the holder where the system tells. Or *host* is elsewhere.
    """
    for candidate in candidates if port is None else (port,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            # At once, so that the port is ours: two bound sockets may share a port until one listens.
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise NotReady(
                    f"{purpose} can't listen on {host}: this machine does not have that address",
                    hint="`ip address` shows those it has",
                ) from error
            if isinstance(error, PermissionError):
                raise NotReady(
                    f"port {candidate} for {purpose} needs privileges", hint="choose one above 1023"
                ) from error
            continue
        return listener
    if port is None:
        raise NotReady(f"no free port for {purpose} between {candidates[0]} and {candidates[-1]}")
    raise NotReady(f"port {port} for {purpose} is taken{holder(port)}", hint="stop that program, or set another port")


def is_own_address(address: str) -> bool:
    """Whether this machine has the IPv4 *address* right now; those that mean several machines, or any, are none."""
    found = (one for addresses in psutil.net_if_addrs().values() for one in addresses)
    return any(one.family is socket.AF_INET and one.address == address for one in found)


def outward_address() -> str:
    """The IPv4 address by which this machine is most likely known to others: that of its way out; nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # of no machine: RFC 5737
        return str(probe.getsockname()[0])
    found = [one.address for some in psutil.net_if_addrs().values() for one in some if one.family is socket.AF_INET]
    return next((address for address in found if not address.startswith("127.")), HOST)


def is_free(port: int) -> bool:
    """Whether *port* of 127.0.0.1 can be taken right now; the next moment somebody may."""
    try:
        listen(port=port, candidates=(), purpose="").close()
    except NotReady:
        return False
    return True


def holder(port: int) -> str:
    """`` by nginx (pid 12)``, `` by multistack of /home/ada/orders (pid 12)``; nothing when the system does not say."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            is_it = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if is_it and connection.pid:
                return f" by {_name_of(psutil.Process(connection.pid))} (pid {connection.pid})"
    return ""


def _name_of(process: psutil.Process) -> str:
    """Of our own servers all are called python: whose they are says more."""
    with contextlib.suppress(psutil.Error):
        folders = Path(process.environ().get(LABEL, "")).parents
        for state in (one for one in folders if one.name == STATE_FOLDER):
            return f"multistack of {state.parent}"
    return process.name()
