"""Where requests enter LocalStack: what this package has to see of each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.connect import INTERNAL_REQUEST_PARAMS_HEADER

from multistack_localstack.loopback_guard import Guard, Hosts
from multistack_localstack.state.activity import Gate, may_run_functions, service_written


class OutsideContext(RequestContext):
    """The context of a request that came over the network; LocalStack makes others for what it calls in itself."""


def guard(gateway: Any, hosts: Hosts) -> None:
    """Let *gateway* refuse what web pages send."""
    gateway.context_class = OutsideContext
    gateway.request_handlers.insert(0, Guard(hosts, OutsideContext))


def watch(gateway: Any, gate: Gate, mark: Callable[[str], None]) -> threading.Event:
    """
    Let all requests pass *gate*, and call *mark* with the service after each that may have written.

    Returns:
        Requests wait until it is set, all but LocalStack's own.
    """
    process, opened = gateway.process, threading.Event()

    def process_admitted(request: Any, response: Any) -> None:
        is_own = INTERNAL_REQUEST_PARAMS_HEADER in request.headers
        if not is_own:
            opened.wait()
        if may_run_functions(request.path, request.headers.get("X-Amz-Target", "")):
            if not is_own:
                gate.wait()
            process(request, response)
            return
        # One of LocalStack's own may be what another one waits for, so it can't be held back.
        with gate.passed() if is_own else gate.admitted():
            process(request, response)

    def note(_chain: Any, context: Any, _response: Any) -> None:
        if service := service_written(context):
            mark(service)

    gateway.process = process_admitted
    gateway.finalizers.append(note)
    return opened
