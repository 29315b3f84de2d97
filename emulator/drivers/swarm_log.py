"""What the containers of a Swarm service say, as their nodes tell the manager."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from emulator.drivers.engine import talking
from emulator.drivers.swarm_cluster import nodes_of

if TYPE_CHECKING:
    from docker import DockerClient

# Seconds until its first health check is over: a node tells of no log before.
_FIRST_CHECK = 10.0
# And for a node to tell all of it; one that was lost just now still counts as ready.
_PATIENCE = 10.0
# Of tasks whose containers have a log.
_TOLD = ("running", "complete", "shutdown", "failed", "remove")


class ServiceLog:
    """The log of a service's tasks, as :class:`emulator.drivers.container_log.ContainerLog` asks for a container's."""

    def __init__(self, client: DockerClient, service: str) -> None:
        self._client = client
        self._service = service

    def logs(self, *, timestamps: bool, since: int | None) -> bytes:
        """All of it, oldest first, but for that of nodes that are down, or don't answer: nobody can tell it."""
        nodes = nodes_of(self._client)
        ready = {name for name, node in nodes.items() if node.is_ready}
        tasks = [one for one in self._client.api.tasks({"service": self._service}) if one.get("NodeID") in ready]
        asked = [one["ID"] for one in tasks if one["Status"]["State"] in _TOLD]
        said = b"".join(self._said(task, timestamps=timestamps, since=since or 0) for task in asked)
        return b"".join(sorted(said.splitlines(keepends=True)))

    def _said(self, task: str, *, timestamps: bool, since: int) -> bytes:
        from requests.exceptions import RequestException

        # The SDK asks for the log of a whole service, which doesn't end while one of its nodes is down.
        api, what = self._client.api, {"stdout": True, "stderr": True, "timestamps": timestamps, "since": since}
        try:
            answer = api._get(api._url("/tasks/{0}/logs", task), params=what, timeout=_PATIENCE)
            return bytes(api._get_result_tty(False, answer, is_tty=False))
        except RequestException:  # a manager that is gone is noticed when it is asked for the nodes
            return b""

    def wait(self) -> None:
        """Until its nodes tell what there is; not for long."""
        deadline = time.monotonic() + _FIRST_CHECK
        with talking("its log"):
            while self._is_starting() and time.monotonic() < deadline:
                time.sleep(0.2)

    def _is_starting(self) -> bool:
        return any(one["Status"]["State"] == "starting" for one in self._client.api.tasks({"service": self._service}))
