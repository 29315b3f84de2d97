"""Where requests enter LocalStack: what this package has to see of each of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.connect import INTERNAL_REQUEST_PARAMS_HEADER

from multistack_localstack.loopback_guard import Guard, Hosts
from multistack_localstack.state.activity import Gate, may_run_functions, service_written

# What the driver asks. Source: emulator/drivers/control.py.
CONDITION = "/_multistack/state"


class OutsideContext(RequestContext):
    """The context of a request that came over the network; LocalStack makes others for what it calls in itself."""


def guard(gateway: Any, hosts: Hosts) -> None:
    """Let *gateway* refuse what web pages send."""
    gateway.context_class = OutsideContext
    gateway.request_handlers.insert(0, Guard(hosts, OutsideContext))


def tell(gateway: Any, condition: Callable[[], Mapping[str, str]]) -> None:
    """Let *gateway* answer ``GET /_multistack/state`` with *condition*, to whom the guard lets pass."""

    def answer(chain: Any, context: Any, _response: Any) -> None:
        if context.request.path == CONDITION and context.request.method == "GET":
            chain.respond(200, json.dumps(condition()), {"Content-Type": "application/json"})
            chain.terminate()  # no header may let a page read this

    guards = sum(isinstance(handler, Guard) for handler in gateway.request_handlers)
    gateway.request_handlers.insert(guards, answer)


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
