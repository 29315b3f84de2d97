"""A function's process and its talk with the Runtime API: started, ready, given an event, ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from multistack_localstack.executor import child, multistack_bootstrap, outcomes
from multistack_localstack.executor.conversation import (
    INIT_ERROR,
    NEXT,
    ChildEnded,
    Conversation,
    OutOfTime,
    accept,
    give_event,
)
from multistack_localstack.executor.log_lines import LogEvent
from multistack_localstack.executor.nursery import NURSERY, NurseryGone, can_fork, interpreter
from multistack_localstack.executor.outcomes import Failure
from multistack_localstack.executor.variables import Installation
from multistack_localstack.executor.wire import Request

LOG = logging.getLogger(__name__)

INIT_TIMEOUT = 10.0  # AWS's own


class Sandbox:
    """
    One process of a function, from its start to its end; used by one thread at a time, but for ``kill``.

    Args:
        environ: Makes the function's variables, given the address of its Runtime API.
        on_log: Gets each line as it is read.

    Attributes:
        init_took: Seconds that it took to be ready for its first event; None until then.
        exit_status: Of its process, once that was ended and let go of; None until then.
    """

    def __init__(
        self,
        environ: Callable[[str], Mapping[str, str]],
        installation: Installation,
        *,
        on_log: Callable[[LogEvent], None],
    ) -> None:
        self.init_took: float | None = None
        self.exit_status: int | None = None
        self._waiting: Request | None = None
        self._conversation = Conversation(on_log=on_log)
        self._began = time.monotonic()
        self._memory_used = 0
        try:
            self._child = start(environ(self._conversation.address), installation)
        except BaseException:
            self._conversation.close()
            raise
        self._conversation.attach(self._child)

    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self._child.is_running()

    def memory_used(self) -> int:
        """The most memory that it had so far, in MB."""
        self._memory_used = max(self._memory_used, self._child.memory_used())
        return self._memory_used

    def wait_until_ready(self, *, deadline: float | None = None, request_id: str = "") -> Failure | None:
        """
        Wait for the process to ask for an event; returns why it never will, and it has ended then.

        Args:
            deadline: On ``time.monotonic``; None gives it the time that AWS gives to initialize.
        """
        limit = self._began + INIT_TIMEOUT if deadline is None else deadline
        try:
            while self._waiting is None:
                request = self._conversation.next_request(limit)
                if request.path == NEXT:
                    self._is_ready(request)
                    continue
                accept(request)
                if request.path == INIT_ERROR:
                    self.end()
                    return Failure(payload=request.body)
        except OutOfTime:
            self.end()
            return outcomes.timed_out(request_id, limit - self._began)
        except ChildEnded:
            return outcomes.exited(request_id, self.end())
        return None

    def _is_ready(self, request: Request) -> None:
        self._waiting = request
        if self.init_took is None:
            self.init_took = time.monotonic() - self._began

    def answer(
        self, request_id: str, event: bytes, headers: Mapping[str, str], *, timeout: float
    ) -> tuple[bytes, Failure | None]:
        """
        Have the function answer *event*, once it is ready; returns its answer, or why there is none.

        Args:
            timeout: Seconds it may take.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return b"", outcomes.exited(request_id, 0)
        deadline = time.monotonic() + timeout
        give_event(waiting, event, headers)
        try:
            return self._delivered(request_id, deadline)
        except OutOfTime:
            self.end()
            return b"", outcomes.timed_out(request_id, timeout)
        except ChildEnded:
            return b"", outcomes.exited(request_id, self.end())

    def _delivered(self, request_id: str, deadline: float) -> tuple[bytes, Failure | None]:
        """What the function delivers for this event; whatever else it sends is accepted and means nothing."""
        own_path = NEXT.replace("next", request_id)
        while True:
            request = self._conversation.next_request(deadline)
            if request.path == NEXT:  # without an answer to the last one
                self._waiting = request
                return b"", outcomes.exited(request_id, 0)
            accept(request)
            if request.path == f"{own_path}/error":
                return b"", Failure(payload=request.body)
            if request.path == f"{own_path}/response":
                # A runtime that is told that its answer is too large would end.
                is_too_large = len(request.body) > outcomes.MAX_ANSWER
                return request.body, outcomes.too_large(len(request.body)) if is_too_large else None

    def read_log(self) -> None:
        """Hand over all that the process has written so far."""
        self._conversation.drain_log()

    def kill(self) -> None:
        """End the process, from any thread; whoever waits for it sees it end."""
        self._child.kill()

    def end(self) -> int:
        """
        End the process with all that it started, and let go of it; returns its exit status.

        What was let go of is not touched again: its descriptors may be those of another file by now.
        """
        if self.exit_status is not None:
            return self.exit_status
        self.memory_used()
        self.exit_status = self._child.end()
        self._conversation.drain_log()
        self._child.close()
        self._conversation.close()
        return self.exit_status


def start(environ: Mapping[str, str], installation: Installation) -> child.Child:
    """A fork where that does, else a process of its own."""
    if can_fork(environ, installation):
        try:
            return NURSERY.start(environ, installation.task)
        except NurseryGone as error:
            LOG.warning("a function starts without the zygote: %s", error)
    command = [interpreter(), "-s", "-B", multistack_bootstrap.__file__]
    if wrapper := environ.get("AWS_LAMBDA_EXEC_WRAPPER"):
        command.insert(0, installation.located(wrapper))
    return child.start(command, environ, installation.task)
