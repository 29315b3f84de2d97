"""
Gap: MiniStack 1.5.33 makes a new log stream for every call of a function.

On AWS a stream belongs to one execution environment of one version, which writes all its calls there.

Source:
    https://docs.aws.amazon.com/lambda/latest/operatorguide/log-structure.html
"""

from __future__ import annotations

import functools
import logging
import resource
import time
import uuid
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_log = logging.getLogger("multistack.lambda")
_stream: ContextVar[str | None] = ContextVar("multistack_log_stream", default=None)


def apply() -> None:
    """Let the calls of an execution environment share a stream."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    acquire, dispatch = lambda_runtime.acquire_worker, lambda_svc._execute_function_dispatch

    @functools.wraps(acquire)
    def acquire_with_stream(name: str, config: Mapping[str, Any], *arguments: Any, **options: Any) -> Any:
        worker, reason = acquire(name, config, *arguments, **options)
        if worker is not None:
            _stream.set(stream_of(worker, str(config.get("Version", "$LATEST"))))
        return worker, reason

    @functools.wraps(dispatch)
    def dispatch_with_stream(*arguments: Any) -> Any:
        token = _stream.set(None)
        try:
            return dispatch(*arguments)
        finally:
            _stream.reset(token)

    lambda_runtime.acquire_worker = acquire_with_stream
    lambda_svc._execute_function_dispatch = dispatch_with_stream
    lambda_svc._emit_lambda_logs = write


def current() -> str | None:
    """The stream of the execution environment that runs the call under way in this thread."""
    return _stream.get()


def stream_of(environment: Any, version: str) -> str:
    """The one stream of an execution environment, named at its first call and kept with it."""
    if "log_stream" not in vars(environment):
        environment.log_stream = new_name(version)
    return str(environment.log_stream)


def new_name(version: str) -> str:
    """The name of a stream for a new execution environment."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{uuid.uuid4().hex}"


def write(
    function: Mapping[str, Any],
    request_id: str,
    log_text: str,
    error: bool,
    duration_ms: int,
    *,
    log_source: str | None = None,
) -> None:
    """Write what a call printed between its START, END and REPORT lines."""
    from ministack.services import cloudwatch_logs

    del error, log_source  # a failed call's lines are in what it printed; nothing here runs in containers
    config = function.get("config") or function
    version = str(config.get("Version", "$LATEST"))
    name = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config.get('FunctionName')}"
    stream = current() or new_name(version)
    # What MiniStack says as well; its own function looks for containers first, which takes longer than this one.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    lines = [
        f"START RequestId: {request_id} Version: {version}",
        *log_text.splitlines(),
        f"END RequestId: {request_id}",
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms} ms\tBilled Duration: {duration_ms} ms\t"
        f"Memory Size: {config.get('MemorySize', 128)} MB\tMax Memory Used: {memory} MB",
    ]
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line, "ingestionTime": now} for line in lines]
    try:
        cloudwatch_logs._append_log_events(_opened(name, stream, now), events)
        cloudwatch_logs._fanout_to_subscription_filters(name, stream, events)
    except Exception:  # a subscriber that fails must not fail the call whose lines it gets
        _log.exception("could not write the log of %s", config.get("FunctionName"))


def _opened(group_name: str, stream_name: str, now: int) -> dict[str, Any]:
    """The stream in MiniStack's store; group and stream are made when missing, as Lambda does."""
    from ministack.services import cloudwatch_logs

    groups = cloudwatch_logs._log_groups
    if group_name not in groups:
        groups[group_name] = {
            "arn": cloudwatch_logs._make_group_arn(group_name),
            "creationTime": now,
            "retentionInDays": None,
            "tags": {},
            "subscriptionFilters": {},
            "streams": {},
        }
    stream: dict[str, Any] = groups[group_name]["streams"].setdefault(
        stream_name,
        {
            "events": [],
            "uploadSequenceToken": "1",
            "creationTime": now,
            "firstEventTimestamp": None,
            "lastEventTimestamp": None,
            "lastIngestionTime": None,
        },
    )
    return stream
