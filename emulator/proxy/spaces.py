"""Requests to spaces: let in by a token, counted, led to an environment of that space and to nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from emulator.model import SEPARATOR, Api, ProcessId, Route, Space
from emulator.proxy.answer import Answer, Forward
from emulator.proxy.guesses import Guesses
from emulator.proxy.problems import Problem
from emulator.proxy.recording import Recorder
from emulator.proxy.request import Request
from emulator.proxy.request_quota import RequestQuota
from emulator.proxy.resolve import (
    ENVIRONMENT_HEADER,
    Destination,
    check_started,
    find_route,
    lead_to,
    refuse_websockets,
)
from emulator.proxy.seat import AWS, Seat, given_tokens, is_emulators_own, seat_of, without_seat_tokens
from emulator.proxy.space_problems import in_space, own_route_problem, token_problem
from emulator.proxy.space_table import SpaceTable
from emulator.proxy.waking import Waker
from emulator.space_tokens import Flaw, Purpose, flaw_of, without_tokens

_AWS_API = Api(logical_id=AWS, path="", stage="")
# What a service must not say to browsers for the whole origin, of which other spaces are a part.
_OF_THE_ORIGIN = frozenset({"service-worker-allowed", "clear-site-data"})
# From this status on.
_FAILED = 500
# The proxy's own answer while an environment sleeps, is away or isn't up: nobody broke anything.
_NOT_THERE = 503
# Tokens that were good once, and of this very space: nobody guesses those.
_GENUINE = frozenset({Flaw.EARLIER, Flaw.EXPIRED})


@dataclass(frozen=True, slots=True)
class Use:
    """
    How a space is used.

    Attributes:
        idle: Seconds since its last request; without any, since the proxy knows of it.
        requests: That were let in, since the proxy started.
        refused: That were not: without a good token, or too many.
        failed: Of *requests*, those that an environment answered with 500 or more, or with nothing of use; not those
            for which there was none to ask.
    """

    idle: float
    requests: int
    refused: int
    failed: int


@dataclass(slots=True)
class _Count:
    at: float
    requests: int = 0
    refused: int = 0
    failed: int = 0


class SpaceGate:
    """
    Answers what is for spaces.

    Args:
        recorder: Passes requests to services on.
        forward_aws: Passes requests to AWS's API on, of which nothing is kept.
        check: Raises where an environment is known to be on its way.
        listens_on: See :func:`emulator.proxy.resolve.resolve`.
        guesses: Of other machines.
        clock: Seconds that only go forward.
        now: The time, for tokens that expire.
    """

    def __init__(
        self,
        table: SpaceTable,
        recorder: Recorder,
        forward_aws: Forward,
        *,
        listens_on: Callable[[str], bool],
        is_alive: Callable[[ProcessId], bool],
        guesses: Guesses,
        waker: Waker,
        check: Callable[[Route], None] = lambda _route: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._recorder = recorder
        self._forward_aws = forward_aws
        self._listens_on = listens_on
        self._is_alive = is_alive
        self._guesses = guesses
        self._waker = waker
        self._check_there = check
        self._clock = clock
        self._now = now
        self._quota = RequestQuota(clock)
        self._counts: dict[str, _Count] = {}
        self._lock = threading.Lock()
        # None but the list that it was made for is compared with it: by identity, at each request.
        self._known: Mapping[str, Space] = {}

    def seat(self, request: Request, routes: Mapping[str, Route]) -> Seat | None:
        """
        What *request* asks of a space; None when it is for the project's own environments, or the proxy itself.

        On this machine so is what names neither a space nor an environment: whoever mistyped one may know which there
        are. Others are told the same whether there is such a space or not.

        Raises:
            Problem: Its ``Host`` is foreign.
        """
        seat = seat_of(request, routes, listens_on=self._listens_on)
        if seat is None or not (spaces := self._spaces()):
            return None
        is_mistyped = seat.space not in spaces and not seat.is_join and not given_tokens(request)
        return None if is_mistyped and self._guesses.is_local(request.caller) else seat

    def admit(self, request: Request, *, name: str) -> Space:
        """
        The space, of which *request* carries a good token; it counts against its quota.

        Raises:
            Problem: 401 or 403, it carries none, also when there is no such space. 429, there were too many.
        """
        space = self._spaces().get(name)
        try:
            self._check(request, name, space)
            if space is None:
                raise token_problem(name, None)
            self._quota.take(space)
        except Problem:
            self._count(name, is_refused=True)
            raise
        self._count(name)
        return space

    def answer(self, request: Request, seat: Seat, space: Space) -> Answer:
        """
        The answer of an environment in the space that let *request* in.

        Raises:
            Problem: There is none.
        """
        try:
            answer = self._ask(request, seat, space)
        except Problem as problem:
            if problem.status != _NOT_THERE:
                self._note_status(space.name, problem.status)
            in_space(problem, space.name)
            raise
        self._note_status(space.name, int(answer.status_line.partition(" ")[0]))
        return answer

    def answer_one(self, request: Request, seat: Seat, space: Space) -> Answer:
        """
        The answer of one of several environments in *space*, which *request* names by its header.

        Each counts against the space's quota as a request does.

        Raises:
            Problem: There is none, or there were too many.
        """
        self._quota.take(space)
        (name,) = request.values(ENVIRONMENT_HEADER)
        headers = [(key, value) for key, value in request.headers if key.lower() != ENVIRONMENT_HEADER]
        prefix = f"/{seat.space}/{name}"
        one = replace(seat, environment=name, prefix=prefix, target=request.target)
        return self.answer(replace(request, headers=headers), one, space)

    def is_admitted(self, request: Request, *, name: str) -> bool:
        """Whether *request* carries a good token of the space; it counts as nothing."""
        space, tokens = self._spaces().get(name), given_tokens(request)
        return any(self._flaw(token, name, space) is None for token in tokens)

    def uses(self) -> Mapping[str, Use]:
        """How each space is used."""
        spaces, now = self._spaces(), self._clock()
        with self._lock:
            counts = {name: self._counts[name] for name in spaces if name in self._counts}
            return {name: Use(now - one.at, one.requests, one.refused, one.failed) for name, one in counts.items()}

    def note_use(self, name: str) -> None:
        """Somebody asked space *name* through another proxy."""
        self._spaces()
        with self._lock:
            if (count := self._counts.get(name)) is not None:
                count.at = self._clock()

    def spaces(self) -> Mapping[str, Space]:
        """Name to space; those as well that are being removed."""
        return self._table.listed()

    def idle(self) -> Mapping[str, float]:
        """Name to the seconds since the last request; see :class:`Use`."""
        return {name: use.idle for name, use in self.uses().items()}

    def routes(self, name: str) -> Mapping[str, Route]:
        """Environment to route in a space that there is."""
        return self._table.routes(name) or {}

    def running(self, name: str) -> Mapping[str, bool]:
        """Environment to whether it runs, as far as routes tell, and the last looks at what a cluster runs."""
        return {one: self._is_up(route) and self._is_there(route) for one, route in self.routes(name).items()}

    def _is_there(self, route: Route) -> bool:
        try:
            self._check_there(route)
        except Problem:
            return False
        return True

    def _spaces(self) -> Mapping[str, Space]:
        spaces = self._table.spaces()
        if spaces is not self._known:
            with self._lock:
                now = self._clock()
                self._counts = {name: self._counts.get(name) or _Count(now) for name in spaces}
                self._known = spaces
            self._quota.forget(set(spaces))
        return spaces

    def _count(self, name: str, *, is_refused: bool = False) -> None:
        with self._lock:
            count = self._counts.get(name)
            if count is None:
                return
            if is_refused:
                count.refused += 1
            else:
                count.requests += 1
                count.at = self._clock()

    def _note_status(self, name: str, status: int) -> None:
        with self._lock:
            if status >= _FAILED and (count := self._counts.get(name)):
                count.failed += 1

    def _check(self, request: Request, name: str, space: Space | None) -> None:
        first = None
        for token in given_tokens(request):
            flaw = self._flaw(token, name, space)
            if flaw is None:
                return
            first = first or flaw
        if first is not None and first not in _GENUINE:
            self._guesses.check(request.caller)
            self._guesses.note(request.caller)
        raise token_problem(name, first)

    def _flaw(self, token: str, name: str, space: Space | None) -> Flaw | None:
        key, now = self._table.key(), self._now()
        return flaw_of(token, key=key, purpose=Purpose.ACCESS, name=name, space=space, now=now)

    def _route(self, seat: Seat, space: Space) -> Route:
        try:
            return find_route(seat.environment, self._table.routes(space.name))
        except Problem as problem:
            problem.environment = f"{seat.space}{SEPARATOR}{seat.environment}"
            raise

    def _is_up(self, route: Route) -> bool:
        return route.url is not None and (route.process is None or self._is_alive(route.process))

    def _awake(self, route: Route, seat: Seat, space: Space) -> Route:
        """The route when its space doesn't sleep, or no longer does."""
        if not space.is_asleep or self._is_up(route):
            return route
        environment = route.environment.rpartition(SEPARATOR)[2]
        self._waker.wake(space.name, environment, is_awake=lambda: self._is_up(self._route(seat, space)))
        return self._route(seat, space)

    def _ask(self, request: Request, seat: Seat, space: Space) -> Answer:
        route = self._route(seat, space)
        seat = replace(seat, target=without_tokens(seat.target, route.account_id))
        request = without_seat_tokens(request, route.account_id)
        if (target := seat.aws_target) is not None:
            return self._ask_aws(request, seat, self._awake(route, seat, space), target)
        return self._ask_service(request, seat, route, space)

    def _ask_service(self, request: Request, seat: Seat, route: Route, space: Space) -> Answer:
        try:
            refuse_websockets(request, route)
            route = self._awake(route, seat, space)
            destination = lead_to(route, prefix=seat.prefix, target=seat.target, is_alive=self._is_alive)
            self._check_there(route)
        except Problem as problem:
            self._recorder.refuse(request, in_space(problem, space.name), route, target=seat.target)
            raise
        answer = self._recorder.forward(request, destination)
        kept = [(name, value) for name, value in answer.headers if name.lower() not in _OF_THE_ORIGIN]
        return replace(answer, headers=kept)

    def _ask_aws(self, request: Request, seat: Seat, route: Route, target: str) -> Answer:
        if is_emulators_own(target):
            raise own_route_problem(route.environment)
        refuse_websockets(request, route)
        self._check_there(route)
        mount = f"{seat.prefix}/{AWS}"
        destination = Destination(
            route=route,
            url=check_started(route, self._is_alive),
            api=_AWS_API,
            prefix=mount,
            mount=mount,
            target=target,
        )
        return self._forward_aws(request, destination)
