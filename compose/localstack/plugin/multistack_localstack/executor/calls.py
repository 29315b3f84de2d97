"""What AWS calls an execution environment: one process after the other, each call with its log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from multistack_localstack.executor import outcomes, reporting
from multistack_localstack.executor.delivery import DELIVERY, Stream
from multistack_localstack.executor.log_lines import LogEvent
from multistack_localstack.executor.outcomes import Failure
from multistack_localstack.executor.sandbox import Sandbox
from multistack_localstack.executor.variables import Installation, of_function

# Seconds in which a runtime asks for its next event after it has answered one.
_NEXT_TIMEOUT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    One event for a function.

    Attributes:
        event: JSON.
    """

    request_id: str
    event: bytes
    function_arn: str
    trace_id: str = ""
    client_context: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller gets; *log* are the lines of this call."""

    payload: bytes
    is_error: bool
    log: str


@dataclass(kw_only=True)
class Environment:
    """
    Used by one thread at a time, but for ``kill``.

    Attributes:
        given: Variables as LocalStack would set them, the function's own among them.
        own: The function's own variables.
        timeout: Seconds that a call may take.
        memory_size: MB.
        stream: Where its log goes.
    """

    given: Mapping[str, object]
    own: Mapping[str, str]
    runtime: str
    installation: Installation
    timeout: float
    memory_size: int
    stream: Stream
    _sandbox: Sandbox | None = None
    _events: list[LogEvent] = field(default_factory=list)
    _is_killed: bool = False

    def spawn(self) -> Sandbox:
        """Start a process; it initializes while the caller goes on."""
        self._sandbox = Sandbox(self._variables, self.installation, on_log=self._events.append)
        if self._is_killed:
            self._sandbox.kill()
        return self._sandbox

    def _variables(self, runtime_api: str) -> dict[str, str]:
        return of_function(self.given, self.own, self.installation, runtime=self.runtime, runtime_api=runtime_api)

    def initialize(self) -> Failure | None:
        """Wait until the process has initialized; returns why it can't."""
        return (self._sandbox or self.spawn()).wait_until_ready()

    def call(self, call: Call) -> Answer:
        """Have the function answer; what keeps it from that is told in AWS's words."""
        sandbox = self._ready_sandbox()
        is_first = sandbox.init_took is None
        failure = sandbox.wait_until_ready(request_id=call.request_id) if is_first else None
        init_log = self._take_events()
        began = time.monotonic()
        payload = b""
        if failure is None:
            headers = _headers(call, self.timeout)
            payload, failure = sandbox.answer(call.request_id, call.event, headers, timeout=self.timeout)
        usage = reporting.Usage(
            duration=min(time.monotonic() - began, self.timeout),
            memory_size=self.memory_size,
            memory_used=sandbox.memory_used(),
            init=sandbox.init_took if is_first else None,
        )
        if sandbox.is_running():
            sandbox.read_log()
        events = [*init_log, *self._told(call, usage, failure)]
        DELIVERY.add(self.stream, events)
        log = "\n".join(event.text for event in events) + "\n"
        return Answer(payload=failure.payload if failure else payload, is_error=failure is not None, log=log)

    def _ready_sandbox(self) -> Sandbox:
        """
        The process of the last call, or a new one.

        It asks for its next event as soon as it has delivered its last answer, or ends just then: that is no fault of
        this call.
        """
        sandbox = self._sandbox
        if sandbox is None or sandbox.exit_status is not None:  # e.g. it could not initialize
            return self.spawn()
        if sandbox.init_took is not None and sandbox.is_running():
            if sandbox.wait_until_ready(deadline=time.monotonic() + _NEXT_TIMEOUT) is None:
                return sandbox
        elif sandbox.init_took is None:
            return sandbox
        else:
            sandbox.end()
        return self.spawn()

    def _take_events(self) -> list[LogEvent]:
        taken, self._events[:] = list(self._events), []
        return taken

    def _told(self, call: Call, usage: reporting.Usage, failure: Failure | None) -> list[LogEvent]:
        """The log of a call: Lambda's lines around those of the function."""
        now = time.time()
        version = str(self.given.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"))
        status = failure.status if failure else ""
        return [
            LogEvent(now - usage.duration, reporting.start_line(call.request_id, version)),
            *self._take_events(),
            *(LogEvent(now, line) for line in (failure.lines if failure else ())),
            LogEvent(now, reporting.end_line(call.request_id)),
            LogEvent(now, reporting.report_line(call.request_id, usage, status=status)),
        ]

    def kill(self) -> None:
        """End the process for good; from any thread."""
        self._is_killed = True
        if self._sandbox is not None:
            self._sandbox.kill()

    def close(self) -> None:
        """Let go of a process that was killed."""
        if self._sandbox is not None:
            self._sandbox.end()
            self._sandbox = None


def refuse(call: Call, runtime: str) -> Answer:
    """The answer of a function whose *runtime* nothing here runs."""
    failure = outcomes.unsupported(runtime)
    return Answer(payload=failure.payload, is_error=True, log="\n".join(failure.lines) + "\n")


def _headers(call: Call, timeout: float) -> dict[str, str]:
    headers = {
        "Lambda-Runtime-Aws-Request-Id": call.request_id,
        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + timeout) * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": call.function_arn,
        "Lambda-Runtime-Trace-Id": call.trace_id,
    }
    if call.client_context:
        headers["Lambda-Runtime-Client-Context"] = call.client_context
    return headers
