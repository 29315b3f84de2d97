"""What the container of a Swarm service says, as its nodes tell the manager."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from emulator.drivers.engine import talking

if TYPE_CHECKING:
    from docker import DockerClient

# Seconds until its first health check is over: a node tells of no log before.
_FIRST_CHECK = 10.0


class ServiceLog:
    """The log of a service's tasks, as :class:`emulator.drivers.container_log.ContainerLog` asks for a container's."""

    def __init__(self, client: DockerClient, service: str) -> None:
        self._client = client
        self._service = service

    def logs(self, *, timestamps: bool, since: int | None) -> bytes:
        """All of it, oldest first."""
        said: Iterable[bytes] = self._client.api.service_logs(
            self._service, stdout=True, stderr=True, timestamps=timestamps, since=since or 0, follow=False
        )
        return b"".join(sorted(b"".join(said).splitlines(keepends=True)))

    def wait(self) -> None:
        """Until its nodes tell what there is; not for long."""
        deadline = time.monotonic() + _FIRST_CHECK
        with talking("its log"):
            while self._is_starting() and time.monotonic() < deadline:
                time.sleep(0.2)

    def _is_starting(self) -> bool:
        return any(one["Status"]["State"] == "starting" for one in self._client.api.tasks({"service": self._service}))
