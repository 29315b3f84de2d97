"""Where requests enter LocalStack: what this package has to see of each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext

from multistack_localstack.loopback_guard import Guard, Hosts
from multistack_localstack.state.activity import Gate, service_written


class OutsideContext(RequestContext):
    """The context of a request that came over the network, and not from LocalStack itself."""


def guard(gateway: Any, hosts: Hosts) -> None:
    """Let *gateway* refuse what web pages send."""
    gateway.context_class = OutsideContext
    gateway.request_handlers.insert(0, Guard(hosts, OutsideContext))


def watch(gateway: Any, gate: Gate, mark: Callable[[str], None]) -> threading.Event:
    """
    Let all requests pass *gate*, and call *mark* with the service after each that may have written.

    Returns:
        Requests from outside wait until it is set.
    """
    process, handle, opened = gateway.process, gateway.handle, threading.Event()

    def process_admitted(request: Any, response: Any) -> None:
        opened.wait()
        with gate.admitted():
            process(request, response)

    def handle_admitted(context: Any, response: Any) -> None:
        with gate.admitted():
            handle(context, response)

    def note(_chain: Any, context: Any, _response: Any) -> None:
        if service := service_written(context):
            mark(service)

    gateway.process, gateway.handle = process_admitted, handle_admitted
    gateway.finalizers.append(note)
    return opened
