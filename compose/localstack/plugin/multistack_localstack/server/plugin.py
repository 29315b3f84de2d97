"""How LocalStack finds the server: ``GATEWAY_SERVER=multistack``."""

from __future__ import annotations

from typing import Any

from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin


class ThreadedServerPlugin(RuntimeServerPlugin):
    """Names the server ``multistack``."""

    name = "multistack"

    def load(self, *args: Any, **kwargs: Any) -> RuntimeServer:
        """The server itself; one per process."""
        from multistack_localstack.server.threaded import ThreadedServer

        return ThreadedServer()
