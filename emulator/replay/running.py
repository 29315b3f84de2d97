"""Replays a corpus: sends its requests to an environment, and holds each answer against what it should be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from emulator.differences import Difference
from emulator.inspector.redaction import MARK
from emulator.model import HttpAnswer, HttpRequest
from emulator.replay.carrying import Carried, UnsetVariableError
from emulator.replay.corpus import Corpus, Entry
from emulator.replay.judging import Judge
from emulator.replay.pacing import Pace
from emulator.replay.results import RECORDED, Replayed, Verdict
from emulator.replay.schedule import Schedule
from emulator.replay.sending import NoAnswerError

_PATIENCE = 0.2
# What emulator.inspector.redaction leaves of parameters.
_FORM_MARK = "=redacted"


class Sends(Protocol):
    """See :class:`emulator.replay.sending.Sender`."""

    def send(self, request: HttpRequest, environment: str) -> HttpAnswer:
        """The answer; NoAnswerError when there is none. Called from several threads."""

    def stop(self) -> None:
        """Let those who wait for an answer go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What is replayed, and how.

    Attributes:
        environment: Where requests are sent.
        baseline: An environment that gets them too, or :data:`RECORDED`.
        concurrency: Requests that may be on their way at once.
        rate: Requests per second, None for as many as are answered.
        writes: Whether requests that may change something are sent; else they are skipped.
    """

    corpus: Corpus
    environment: str
    baseline: str = RECORDED
    concurrency: int = 4
    rate: float | None = None
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One environment of a replay, and what was carried over in it."""

    environment: str
    carried: Carried


class Runner:
    """
    Runs one plan.

    Args:
        sender: Sends requests.
        carried: Makes what carries values over; each environment has its own.
        judge: Compares answers.
        check: Raises when the command was interrupted.
        tell: Called from time to time with how many requests are done, and how many of them are bad.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        sender: Sends,
        carried: Callable[[], Carried],
        judge: Judge,
        check: Callable[[], None] = lambda: None,
        tell: Callable[[Sequence[Replayed]], None] = lambda _done: None,
    ) -> None:
        self._plan = plan
        self._sender = sender
        self._judge = judge
        self._check = check
        self._tell = tell
        self._is_over = threading.Event()
        self._pace = Pace(plan.rate, sleep=self._is_over.wait)
        self._other = Side(environment=plan.environment, carried=carried())
        is_live = plan.baseline != RECORDED
        self._baseline = Side(environment=plan.baseline, carried=carried()) if is_live else None
        self._schedule = Schedule(
            plan.corpus.entries, is_alone=lambda one: one.is_write or self._other.carried.is_source(one)
        )
        self._done: list[Replayed] = []
        self.seconds = 0.0

    def run(self) -> Sequence[Replayed]:
        """
        Send everything, and return what became of it, in the corpus's order.

        Raises:
            KeyboardInterrupt: The command was interrupted.
        """
        started = time.perf_counter()
        with ThreadPoolExecutor(self._plan.concurrency, thread_name_prefix="replay") as pool:
            pending = {pool.submit(self._work) for _ in range(self._plan.concurrency)}
            try:
                while pending:
                    ended, pending = wait(pending, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                    for one in ended:
                        one.result()
                    self._check()
                    self._tell(tuple(self._done))
            finally:
                self._schedule.stop()
                self._is_over.set()
                self._sender.stop()
        self.seconds = time.perf_counter() - started
        return sorted(self._done, key=lambda one: one.line)

    def _work(self) -> None:
        while entry := self._schedule.take():
            try:
                self._done.append(self._replay(entry))
            finally:
                self._schedule.done()

    def _replay(self, entry: Entry) -> Replayed:
        if reason := self._why_skipped(entry):
            return _replayed(entry, Verdict.SKIPPED, reason=reason)
        self._pace.wait()
        if self._is_over.is_set():
            return _replayed(entry, Verdict.SKIPPED, reason="the replay was interrupted")
        try:
            answer = self._ask(self._other, entry)
        except (NoAnswerError, UnsetVariableError) as error:
            return _replayed(entry, Verdict.NO_ANSWER, reason=str(error))
        try:
            expected = self._ask(self._baseline, entry) if self._baseline else entry.answer
        except (NoAnswerError, UnsetVariableError) as error:
            return _replayed(entry, Verdict.NO_ANSWER, answer, reason=f"{self._plan.baseline}: {error}")
        if expected is None:
            return _replayed(entry, Verdict.NOT_COMPARED, answer, reason="the corpus has no answer to it")
        difference = self._judge.compare(expected, answer, again=lambda: self._ask_again(entry))
        verdict = Verdict.EQUAL if difference is None or difference.is_empty else Verdict.DIFFERENT
        return _replayed(entry, verdict, answer, expected, difference=difference)

    def _why_skipped(self, entry: Entry) -> str:
        if entry.is_write and not self._plan.writes:
            return "it may change something: --writes sends it"
        if entry.request.body_length > len(entry.request.body):
            return "the recording has only a part of its body"
        if _lacks_secret(entry.request):
            return "a secret in it was not recorded: write another one where the corpus says redacted"
        return ""

    def _ask_again(self, entry: Entry) -> HttpAnswer | None:
        """What the same side answers a second time; None for a request that may not be repeated."""
        if entry.is_write:
            return None
        side = self._baseline or self._other
        try:
            return side.carried.plain(self._sender.send(side.carried.fill(entry.request), side.environment))
        except (NoAnswerError, UnsetVariableError):
            return None

    def _ask(self, side: Side, entry: Entry) -> HttpAnswer:
        answer = self._sender.send(side.carried.fill(entry.request), side.environment)
        side.carried.learn(entry, answer)
        return side.carried.plain(answer)


def _lacks_secret(request: HttpRequest) -> bool:
    """Whether something stands in its target or body for what was taken out; headers can be given anew."""
    marks = MARK.encode(), _FORM_MARK.encode()
    return _FORM_MARK in request.target or any(mark in request.body for mark in marks)


def _replayed(
    entry: Entry,
    verdict: Verdict,
    answer: HttpAnswer | None = None,
    expected: HttpAnswer | None = None,
    *,
    difference: Difference | None = None,
    reason: str = "",
) -> Replayed:
    return Replayed(
        line=entry.line,
        method=entry.request.method,
        target=entry.request.target,
        verdict=verdict,
        status=answer.status if answer else None,
        seconds=answer.seconds if answer else None,
        baseline_status=expected.status if expected else None,
        baseline_seconds=expected.seconds if expected else None,
        difference=difference,
        reason=reason,
    )
