"""
MiniStack's ``Worker`` as one execution environment of a function: calls without a thread of their own or a wait.

MiniStack's pool leases, reaps and kills them. It kills by ending ``_proc``; while a call runs there is none to be seen,
so that a function that is updated or deleted finishes the calls it has, as on AWS, and ends after the last.
"""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ministack.core import lambda_runtime
from ministack.core.arn import ArnParseError

from emulator.drivers.launcher.functions import results
from emulator.drivers.launcher.functions.conversation import Conversation, Ending, Reply
from emulator.drivers.launcher.functions.packages import Package, Packages
from emulator.drivers.launcher.functions.processes import FunctionProcess
from emulator.drivers.launcher.functions.results import Result
from emulator.drivers.launcher.functions.variables import new_stream
from emulator.drivers.launcher.functions.waiting import elsewhere

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: 10 seconds for the Init phase; what
# takes longer has the function's own Timeout besides.
_INIT_SECONDS = 10.0
# Whoever stands at a breakpoint takes as long as it takes.
_DEBUGGING_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class ExecutionEnvironment:
    """A process that serves a function, and what must be given back when it ends."""

    process: FunctionProcess
    conversation: Conversation
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as the function's process is told of it."""

    event: Any
    request_id: str
    arn: str
    seconds: float
    trace_id: str | None
    depth: int | None
    durable: Mapping[str, str]
    client_context: Any = None

    def fields(self) -> dict[str, Any]:
        """Name to value; ``dataclasses.asdict`` would copy the whole event, a sixth of what a call costs."""
        return {name: getattr(self, name) for name in self.__slots__}


class Language(Protocol):
    """How the processes of one language are started and spoken to."""

    def start(self, config: Mapping[str, Any], code_zip: bytes, *, stream: str) -> ExecutionEnvironment:
        """A process that has been told what it is, and to which log stream it writes; it will say when it is ready."""

    def request(self, call: Call) -> bytes:
        """What *call* looks like to it."""

    def result(self, answer: bytes, log: str) -> Result:
        """What its answer means."""

    @property
    def packages(self) -> Packages:
        """Where its packages come from."""

    def is_debugged(self, name: str) -> bool:
        """Whether somebody debugs the function *name*."""


class InitError(RuntimeError):
    """The function can't be called: importing it failed. MiniStack shows it as the reason of a failed version."""

    def __init__(self, result: Result) -> None:
        super().__init__((result.error or {}).get("errorMessage", ""))
        self.result = result


class FunctionWorker(lambda_runtime.Worker):  # type: ignore[misc] # untyped base
    """One execution environment; made by MiniStack's pool through a partial that knows *language*."""

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes, *, language: Language) -> None:
        self._environment: ExecutionEnvironment | None = None
        self._is_discarded = False
        self._init_log = ""
        self._language = language
        # Under this name also read by what writes the stream.
        self.log_stream = new_stream(str(config.get("Version", "$LATEST")))
        super().__init__(func_name, config, code_zip)
        self._lock = threading.Lock()

    @property
    def _proc(self) -> FunctionProcess | None:
        """What MiniStack may ask and kill: nothing while a call runs."""
        environment = self._environment
        return None if environment is None or self._lock.locked() else environment.process

    @_proc.setter
    def _proc(self, _: FunctionProcess | None) -> None:
        """MiniStack forgets the process here before it kills it; ours is let go of in ``_discard_tmpdir``."""

    @property
    def timeout(self) -> float:
        """Seconds that one call may take."""
        if self.is_debugged:
            return _DEBUGGING_SECONDS
        return float(self.config.get("Timeout", 3))

    @property
    def is_debugged(self) -> bool:
        """Whether somebody debugs its function: it is not to end because nobody calls it."""
        return self._language.is_debugged(self.func_name)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a call, and can take one at once."""
        return not self.in_use and self._is_running

    @property
    def _is_running(self) -> bool:
        return self._environment is not None and self._environment.process.poll() is None

    def call(self, call: Call) -> Result:
        """Run one call; its process is started first when there is none."""
        with self._lock:
            try:
                if not self._is_running:
                    elsewhere(self._spawn, call.request_id)
                return self._run(call)
            except InitError as error:
                return error.result
            finally:
                self.last_used = time.time()
                if self._is_discarded:
                    elsewhere(self._let_go)

    def _spawn(self, request_id: str = "") -> None:
        """
        Start the process, unless one runs, and wait until it has imported the function.

        Raises:
            InitError: It can't.
        """
        if self._is_running:
            return
        self._let_go()
        try:
            environment = self._language.start(self.config, self.code_zip, stream=self.log_stream)
        except (OSError, zipfile.BadZipFile, ArnParseError) as error:  # no interpreter, no room, no package
            message = f"RequestId: {request_id} Error: can't start {self.func_name}: {error}"
            raise InitError(results.failed("Runtime.InvalidEntrypoint", message, f"{message}\n")) from error
        self._environment = environment
        reply = environment.conversation.exchange(b"", deadline=time.monotonic() + _INIT_SECONDS + self.timeout)
        done = self._outcome(reply, request_id, self.timeout)
        if done.error is not None:
            self._let_go()
            raise InitError(done)
        self._init_log = done.log

    def _run(self, call: Call) -> Result:
        assert self._environment is not None  # noqa: S101 - for the type checker; _spawn has just made it
        reply = self._environment.conversation.exchange(
            self._language.request(call), deadline=time.monotonic() + call.seconds
        )
        if reply.ending is Ending.ANSWERED:
            return self._outcome(reply, call.request_id, call.seconds)
        return elsewhere(self._end, reply, call)

    def _end(self, reply: Reply, call: Call) -> Result:
        """What to say of a call that ended its process, which is waited for."""
        done = self._outcome(reply, call.request_id, call.seconds)
        self._let_go()
        return done

    def _outcome(self, reply: Reply, request_id: str, seconds: float) -> Result:
        log = self._init_log + reply.log.decode(errors="replace")
        self._init_log = ""
        if reply.ending is Ending.ANSWERED:
            return self._language.result(reply.answer, log)
        if reply.ending is Ending.TIMED_OUT:
            return results.timed_out(request_id, seconds, log)
        return results.exited(request_id, self._status(), log)

    def _status(self) -> int:
        """The exit status of a process that has ended or hung up."""
        environment = self._environment
        return environment.process.end() if environment is not None else 0

    def _let_go(self) -> None:
        environment, self._environment = self._environment, None
        if environment is not None:
            environment.process.end()
            environment.conversation.close()
            for package in environment.packages:
                self._language.packages.release(package)

    def _discard_tmpdir(self) -> None:
        """MiniStack has no more use for it; a call that runs is the last."""
        self._is_discarded = True
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()
