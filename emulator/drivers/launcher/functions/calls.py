"""
Gap: MiniStack 1.5.33 answers ``Runtime.HandlerError`` and a bare message for whatever a function raises.

AWS's answer is the function's own: ``errorMessage``, the exception's class as ``errorType``, ``stackTrace`` as a list.
A function that raised stays as it is, warm; and ``ClientContext`` of the caller reaches it.

Source:
    https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and
    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html
"""

from __future__ import annotations

import base64
import contextvars
import functools
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from emulator.drivers.launcher.functions import image, tracing
from emulator.drivers.launcher.functions.results import Result
from emulator.drivers.launcher.functions.waiting import elsewhere
from emulator.drivers.launcher.functions.worker import Call, FunctionWorker

_Execute = Callable[[dict[str, Any], Any, str], dict[str, Any]]
_Invoke = Callable[..., Awaitable[Any]]

_client_context: contextvars.ContextVar[Any] = contextvars.ContextVar("multistack_client_context", default=None)
_HEADER = "x-amz-client-context"


def apply() -> None:
    """Let MiniStack call functions through here."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    for module in (lambda_runtime, lambda_svc):  # each call takes the same ARN to pieces six times
        parse = module._lambda_function_account_region_from_arn
        module._lambda_function_account_region_from_arn = functools.lru_cache(maxsize=4096)(parse)
    lambda_svc._execute_function_warm = noting(executing(lambda_svc._execute_function_warm))
    in_container = lambda_svc._execute_function_docker
    lambda_svc._execute_function_docker = noting(image.executing(executing(in_container), in_container))
    lambda_svc._invoke = with_client_context(lambda_svc._invoke)


def with_client_context(invoke: _Invoke) -> _Invoke:
    """*invoke*, which remembers what the caller's SDK said of itself for the call that it starts."""

    async def remembering(name: str, event: Any, headers: Mapping[str, str], *args: Any, **kwargs: Any) -> Any:
        token = _client_context.set(read_client_context(headers.get(_HEADER, "")))
        try:
            return await invoke(name, event, headers, *args, **kwargs)
        finally:
            _client_context.reset(token)

    return remembering


def read_client_context(header: str) -> Any:
    """What ``X-Amz-Client-Context`` says: JSON in base64; None when it says nothing that can be read."""
    try:
        return json.loads(base64.b64decode(header, validate=True)) if header else None
    except ValueError:
        return None


def executing(otherwise: _Execute) -> _Execute:
    """Runs a function's call on a worker of ours, and on MiniStack's own way when it has none."""

    def execute(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        from ministack.core import lambda_runtime
        from ministack.services import lambda_svc

        config, code_zip = function.get("config") or function, function.get("code_zip")
        if not code_zip:
            return otherwise(function, event, request_id)
        worker = lease(config, code_zip)
        try:
            if not isinstance(worker, FunctionWorker):
                return otherwise(function, event, request_id)
            call = Call(
                event=event,
                request_id=request_id,
                arn=config.get("FunctionArn", ""),
                seconds=worker.timeout,
                trace_id=lambda_svc._xray_trace_id_for_invocation(config),
                depth=lambda_svc._invoke_depth.get(),
                durable=lambda_svc._durable_env_overlay(),
                client_context=_client_context.get(),
            )
            return answer(worker.call(call))
        finally:
            lambda_runtime.release_worker(worker)

    return execute


def lease(config: dict[str, Any], code_zip: bytes) -> Any:
    """
    A worker of MiniStack's pool for a call of *code_zip*; None when there may be no more of them.

    The pool doesn't ask what code a worker has: a call that began before an update can put one with the old code there
    right after the update emptied it, and that one would serve all calls from then on.
    """
    from ministack.core import lambda_runtime

    name, qualifier = config.get("FunctionName", ""), config.get("Version", "$LATEST")
    while True:
        worker, _ = lambda_runtime.acquire_worker(name, config, code_zip, qualifier=qualifier)
        if not isinstance(worker, FunctionWorker) or worker.code_zip == code_zip:
            return worker
        with lambda_runtime._lock:
            for pool in lambda_runtime._workers.values():
                pool[:] = [one for one in pool if one is not worker]
        elsewhere(lambda_runtime.kill_workers, [worker])


def noting(execute: _Execute) -> _Execute:
    """*execute*, whose calls are known to the request that makes them."""

    def executed(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            return execute(function, event, request_id)
        finally:
            name = str((function.get("config") or function).get("FunctionName", ""))
            tracing.note(name, request_id, time.perf_counter() - started)

    return executed


def answer(result: Result) -> dict[str, Any]:
    """*result* as MiniStack's services expect it."""
    if result.error is None:
        return {"body": result.value, "log": result.log}
    return {"body": dict(result.error), "error": True, "function_error": "Unhandled", "log": result.log}
