"""
Serve an ASGI application on an inherited socket, with uvicorn and httptools.

Measured with an application that answers at once, one connection and eight (median; requests per second): hypercorn
205 µs, 5.8 k; granian 167 µs, 27 k; uvicorn with h11 103 µs, 9.9 k; with httptools 81 µs, 30 k. granian runs its own
processes and keeps no raw path, so ``%2F`` could not be told from ``/``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from emulator.drivers.launcher import header_names

# Seconds. The proxy keeps connections open for a minute.
_KEEP_ALIVE = 75
_GRACE = 1


class _Server(uvicorn.Server):
    """Leaves signals to the process: uvicorn would raise them once more after a good stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


async def serve(application: Any, *, listen_fd: int, stopping: asyncio.Event) -> None:
    """
    Serve until *stopping* is set and the application has shut down.

    Args:
        listen_fd: A listening socket, inherited from the driver.
    """
    # httptools passes on what RFC 9110 allows in a head, whatever its length.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = _Server(
        uvicorn.Config(
            application,
            http=header_names.Protocol,
            # Comes with MiniStack's own server.
            ws="wsproto",
            lifespan="on",
            log_config=None,
            access_log=False,
            # X-Forwarded-… is for functions to read; the application looks at it by itself.
            proxy_headers=False,
            # The application says both as AWS does.
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
        )
    )

    async def stop() -> None:
        await stopping.wait()
        server.should_exit = True

    waiting = asyncio.create_task(stop())
    with socket.socket(fileno=listen_fd) as listener:
        await server.serve(sockets=[listener])
    waiting.cancel()
