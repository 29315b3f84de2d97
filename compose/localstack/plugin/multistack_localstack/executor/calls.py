"""One execution environment: its process started, called, and started again after it ended."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from multistack_localstack.executor import bootstrap, child, outcomes, reporting
from multistack_localstack.executor.conversation import (
    INIT_ERROR,
    NEXT,
    ChildEnded,
    Conversation,
    OutOfTime,
    accept,
    give_event,
)
from multistack_localstack.executor.delivery import DELIVERY, Stream
from multistack_localstack.executor.log_lines import LogEvent
from multistack_localstack.executor.outcomes import Failure
from multistack_localstack.executor.variables import Installation, of_function
from multistack_localstack.executor.wire import Request

LOG = logging.getLogger(__name__)

INIT_TIMEOUT = 10.0  # AWS's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    One event for a function.

    Attributes:
        event: JSON.
        began: When it came, on ``time.monotonic``.
    """

    request_id: str
    event: bytes
    function_arn: str
    trace_id: str
    client_context: str | None
    began: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller gets; *log* are the lines of this call."""

    payload: bytes
    is_error: bool
    log: str


@dataclass(kw_only=True)
class Environment:
    """
    What AWS calls an execution environment; used by one thread at a time, but for ``kill``.

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
    _child: child.Child | None = None
    _conversation: Conversation | None = None
    _waiting: Request | None = None
    _spawned: float = 0.0
    _init_took: float | None = None
    _events: list[LogEvent] = field(default_factory=list)
    _is_killed: bool = False

    def spawn(self) -> None:
        """Start the process; it initializes while the caller goes on."""
        self._discard()
        self._conversation = Conversation(on_log=self._events.append)
        environ = of_function(
            self.given, self.own, self.installation, runtime=self.runtime, runtime_api=self._conversation.address
        )
        if self.installation.opt is not None:
            environ["_MULTISTACK_OPT"] = str(self.installation.opt)
        self._spawned = time.monotonic()
        self._init_took = None
        self._child = child.start([_interpreter(), "-s", "-B", bootstrap.__file__], environ, self.installation.task)
        self._conversation.attach(self._child)

    def wait_until_initialized(self, *, deadline: float | None = None, request_id: str = "") -> Failure | None:
        """Wait for the process to ask for its first event; returns why it never will."""
        conversation, process = self._conversation, self._child
        if self._waiting is not None:
            return None
        if conversation is None or process is None:
            return outcomes.exited(request_id, 0)
        try:
            while True:
                request = conversation.next_request(deadline or self._spawned + INIT_TIMEOUT)
                if request.path == NEXT:
                    self._waiting = request
                    if self._init_took is None:
                        self._init_took = time.monotonic() - self._spawned
                    return None
                accept(request)
                if request.path == INIT_ERROR:
                    self._end()
                    return Failure(payload=request.body)
        except OutOfTime:
            self._end()
            return outcomes.timed_out(request_id, self.timeout)
        except ChildEnded:
            return outcomes.exited(request_id, self._end())

    def call(self, call: Call) -> Answer:
        """Have the function answer; returns AWS's words for what kept it from answering."""
        began = time.monotonic()
        is_first = False
        if self._child is None or not self._child.is_running():
            self._is_killed or self.spawn()
        failure = None
        if self._init_took is None:
            is_first = True
            failure = self.wait_until_initialized(request_id=call.request_id)
            began = time.monotonic()
        init_took = self._init_took if is_first else None
        init_log, self._events[:] = list(self._events), []
        payload = b""
        if failure is None:
            payload, failure = self._exchange(call, deadline=began + self.timeout)
        return self._finish(call, payload, failure, began=began, init_took=init_took, init_log=init_log)

    def _exchange(self, call: Call, *, deadline: float) -> tuple[bytes, Failure | None]:
        conversation = self._conversation
        failure = self.wait_until_initialized(deadline=deadline, request_id=call.request_id)
        if failure is not None:
            return b"", failure
        waiting, self._waiting = self._waiting, None
        if conversation is None or waiting is None:
            return b"", outcomes.exited(call.request_id, 0)
        give_event(waiting, call.event, _headers(call, self.timeout))
        answer_path = NEXT.replace("next", call.request_id)
        try:
            while True:
                request = conversation.next_request(deadline)
                if request.path == NEXT:
                    self._waiting = request
                    return b"", outcomes.exited(call.request_id, 0)
                if request.path == f"{answer_path}/response" and len(request.body) > outcomes.MAX_ANSWER:
                    request.connection.answer(413, b"{}")
                    return b"", outcomes.too_large(len(request.body))
                accept(request)
                if request.path == f"{answer_path}/response":
                    return request.body, None
                if request.path == f"{answer_path}/error":
                    return b"", Failure(payload=request.body)
        except OutOfTime:
            self._end()
            return b"", outcomes.timed_out(call.request_id, self.timeout)
        except ChildEnded:
            return b"", outcomes.exited(call.request_id, self._end())

    def _finish(
        self,
        call: Call,
        payload: bytes,
        failure: Failure | None,
        *,
        began: float,
        init_took: float | None,
        init_log: list[LogEvent],
    ) -> Answer:
        """The log of a call around what the function wrote, and its answer."""
        took = time.monotonic() - began
        if self._conversation is not None:
            self._conversation.drain_log()
        now = time.time()
        memory = self._child.memory_used() if self._child is not None else 0
        usage = reporting.Usage(
            duration=min(took, self.timeout),
            memory_size=self.memory_size,
            memory_used=memory,
            init=init_took,
        )
        own, self._events[:] = list(self._events), []
        version = str(self.given.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"))
        events = [
            *init_log,
            LogEvent(now - took, reporting.start_line(call.request_id, version)),
            *own,
            *(LogEvent(now, line) for line in (failure.lines if failure else ())),
            LogEvent(now, reporting.end_line(call.request_id)),
            LogEvent(now, reporting.report_line(call.request_id, usage, status=failure.status if failure else "")),
        ]
        DELIVERY.add(self.stream, events)
        log = "\n".join(event.text for event in events) + "\n"
        return Answer(payload=failure.payload if failure else payload, is_error=failure is not None, log=log)

    def kill(self) -> None:
        """End the process for good; from any thread."""
        self._is_killed = True
        if self._child is not None:
            self._child.kill()

    def close(self) -> None:
        """Let go of a process that was killed."""
        self._discard()

    def _end(self) -> int:
        """The process ends with all that it started; its log is kept."""
        if self._child is None or self._conversation is None:
            return 0
        status = self._child.end()
        self._conversation.drain_log()
        self._discard()
        return status

    def _discard(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child.close()
        if self._conversation is not None:
            self._conversation.close()
        self._child = self._conversation = self._waiting = None


def _headers(call: Call, timeout: float) -> dict[str, str]:
    deadline = time.time() + timeout
    headers = {
        "Lambda-Runtime-Aws-Request-Id": call.request_id,
        "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": call.function_arn,
        "Lambda-Runtime-Trace-Id": call.trace_id,
    }
    if call.client_context:
        headers["Lambda-Runtime-Client-Context"] = call.client_context
    return headers


def _interpreter() -> str:
    """The image's Python without LocalStack's packages."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


