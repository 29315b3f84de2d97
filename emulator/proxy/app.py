"""The proxy as a Flask application: pages of its own, and everything else passed on."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask

from emulator import ports
from emulator.dashboard.dashboard import Dashboard, Sources
from emulator.dashboard.jobs import Command
from emulator.dashboard.pages import register
from emulator.dashboard.space_rows import space_rows
from emulator.dashboard.spaces import make_space_pages
from emulator.faults.file import watch_faults
from emulator.inspector.rates import Rates
from emulator.model import ComparisonRules, Route, Space, StoreSettings
from emulator.process import is_alive, own_process
from emulator.proxy.answer import Answer, Forward
from emulator.proxy.aws_errors import aws_error
from emulator.proxy.bringing_back import BringingBack, awake_routes, known_routes
from emulator.proxy.disturb import Disturber
from emulator.proxy.fan_out import FanOut
from emulator.proxy.forward import Forwarder
from emulator.proxy.forwarded import Forwarding
from emulator.proxy.guard import Guard, without_credentials
from emulator.proxy.guesses import Guesses
from emulator.proxy.joining import Joining
from emulator.proxy.keeping import Keeping
from emulator.proxy.problems import CONTENT_TYPE, Problem, internal_problem
from emulator.proxy.recording import Recorder
from emulator.proxy.request import Request, read_request
from emulator.proxy.resolve import Destination, refuse_websockets, resolve
from emulator.proxy.seat import Seat
from emulator.proxy.selection import ALL, READING, select
from emulator.proxy.space_problems import in_space, no_lists_problem
from emulator.proxy.space_table import SpaceTable
from emulator.proxy.spaces import SpaceGate
from emulator.proxy.upstream import Upstreams
from emulator.proxy.waking import Start, Waker, running_by, starting_by
from emulator.proxy.whereabouts import Whereabouts, seeing
from emulator.proxy_password import read_password
from emulator.routes import watch_routes
from emulator.rules import watch_rules
from emulator.space_tokens import without_tokens
from emulator.store.opening import shared_ledger, shared_published
from emulator.watched_file import WatchedFile

_log = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Attributes:
        routes: The published routing table; read again whenever it changes.
        timeout: Seconds to wait for an environment's answer before 504.
        max_body: Largest request body in bytes, else 413.
        allow_remote: Emulators may be on other machines.
        ca_file: See :func:`emulator.endpoint.ca_file`.
        host: The address it listens on; requests may name it.
        domains: Further names that they may use.
        trusted: Reverse proxies, by address or network, that are believed whom they ask for.
        command: Runs multistack for the pages; None when they are for reading only.
        waking: Runs it to wake spaces; None where they stay asleep.
        rules: The published rules; None for none.
        faults: The file of the faults that are set; read again whenever it changes.
        store: Where the ledger is; None for a file beside the routes.
        project: What the project is called there.
        start: Wakes spaces in the place of *waking*.
        is_replica: Whether what is beside the routes is a copy of what another machine published.
        password_file: Holds the password of other machines; None lets them in without one.
    """

    routes: Path
    timeout: float
    max_body: int
    allow_remote: bool = False
    ca_file: str | None = None
    host: str = ports.HOST
    domains: Sequence[str] = ()
    trusted: Sequence[str] = ()
    command: Command | None = None
    waking: Command | None = None
    rules: Path | None = None
    faults: Path | None = None
    password_file: Path | None = None
    store: StoreSettings | None = None
    project: str = ""
    start: Start | None = None
    is_replica: bool = False


def create_app(settings: Settings, *, keeping: Keeping | None = None) -> Flask:
    """
    The proxy. Requests to an environment never enter Flask, whose routing decodes and normalises paths.

    Args:
        keeping: Takes exchanges; None to keep none.
    """
    app = Flask(__name__)
    app.url_map.merge_slashes = False
    state = settings.routes.parent
    upstreams = Upstreams(timeout=settings.timeout, allow_remote=settings.allow_remote, ca_file=settings.ca_file)

    def keep_connections(_routes: object = None) -> None:
        upstreams.keep_only([*(route.url for route in (table.current() or {}).values()), *spaces.urls()])

    table = watch_routes(settings.routes, on_change=keep_connections)
    spaces = SpaceTable(state, on_change=keep_connections)
    waking, find = settings.waking, lambda name: known_routes(table.current(), spaces, name)
    run = running_by(waking, find) if waking else None
    start = starting_by(run) if run else settings.start
    forwarder = Forwarder(upstreams, timeout=settings.timeout, max_body=settings.max_body)
    forward: Forward = forwarder.forward
    faults = watch_faults(settings.faults, own_process()) if settings.faults is not None else None
    if faults is not None:
        forward = Disturber(forward, faults).forward
    rates = Rates()
    recorder = Recorder(forward, rates=rates, feed=keeping.feed if keeping else None)
    rules = watch_rules(settings.rules) if settings.rules else None
    listens_on, guesses = _answers_to(settings), Guesses(ports.is_own_address)
    whereabouts = Whereabouts(seeing(allow_remote=settings.allow_remote))
    gate = SpaceGate(
        spaces,
        recorder,
        forwarder.forward,
        listens_on=listens_on,
        is_alive=is_alive,
        guesses=guesses,
        waker=Waker(start),
        check=whereabouts.check,
    )
    proxy = Proxy(
        app.wsgi_app,
        table,
        recorder,
        gate,
        listens_on,
        guard=_guard(settings, guesses, listens_on),
        check=whereabouts.check,
        comparison=lambda: rules.current().comparison if rules else ComparisonRules(),
        settings=settings,
    )
    sources = Sources(
        routes=table.current,
        state=state,
        rates=rates,
        faults=faults.current if faults else tuple,
        compare=proxy.compare,
        keeping=keeping,
        command=settings.command,
        spaces=lambda: space_rows(gate, now=datetime.now(UTC)),
        ledger=shared_ledger(settings.store, settings.project, patience=0) if settings.store else None,
    )
    dashboard = app.extensions["dashboard"] = Dashboard(sources)
    register(app, dashboard)
    app.extensions["spaces"] = gate
    shared = shared_published(settings.store, settings.project) if settings.store else None
    joining = Joining(state, spaces, guesses, shared=shared, is_replica=settings.is_replica)
    app.register_blueprint(make_space_pages(gate, joining, is_local=guesses.is_local))
    app.extensions["run"], app.extensions["start"] = run, start
    app.extensions["bringing back"] = BringingBack(
        lambda: awake_routes(table.current() or {}, gate.spaces(), gate.routes), whereabouts, run
    )
    app.wsgi_app = proxy  # type: ignore[method-assign]
    return app


def _guard(settings: Settings, guesses: Guesses, listens_on: Callable[[str], bool]) -> Guard | None:
    if settings.password_file is None:
        return None
    password = functools.partial(read_password, settings.password_file)  # read each time: it may be changed
    return Guard(password, guesses=guesses, listens_on=listens_on)


def _answers_to(settings: Settings) -> Callable[[str], bool]:
    # Addresses are asked for each time: a machine gets new ones.
    is_own = ports.is_own_address if settings.host == ports.EVERY_ADDRESS else settings.host.__eq__
    domains = frozenset(settings.domains)
    return lambda name: name in domains or (name[-1:].isdecimal() and is_own(name))


class Proxy:
    """
    The WSGI layer in front of the pages.

    Args:
        pages: Answers what is addressed to the proxy itself.
        gate: Answers what is addressed to spaces.
        listens_on: See :func:`emulator.proxy.resolve.resolve`.
        check: Raises where an environment is known to be on its way.
        comparison: What counts as a difference between environments.
        guard: Asks other machines for the password; None where none reaches the proxy, or none is asked for.
    """

    def __init__(
        self,
        pages: Wsgi,
        table: WatchedFile[Mapping[str, Route] | None],
        recorder: Recorder,
        gate: SpaceGate,
        listens_on: Callable[[str], bool],
        *,
        check: Callable[[Route], None],
        comparison: Callable[[], ComparisonRules],
        settings: Settings,
        guard: Guard | None = None,
    ) -> None:
        self._pages = pages
        self._table = table
        self._recorder = recorder
        self._gate = gate
        self._listens_on = listens_on
        self._check = check
        self._fan_out = FanOut(self._forward, rules=comparison, timeout=settings.timeout, max_body=settings.max_body)
        self._guard = guard
        self._forwarding = Forwarding(settings.trusted, settings.domains)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        self._forwarding.read(environ)
        request = read_request(environ)
        try:
            if seat := self._gate.seat(request, self._table.current() or {}):
                return self._answer_seat(request, seat, environ, start_response)
            if self._guard and (headers := self._guard.admit(request)):
                start_response = _adding(headers, start_response)
            return self._answer(self._without_credentials(request), environ, start_response)
        except Problem as problem:
            return _tell(problem, request, start_response)
        except Exception:  # a bug of ours: it costs one request an answer, and is in the log
            _log.exception("%s %s failed", request.method, without_tokens(request.target, "token"))
            return _tell(internal_problem(), request, start_response)

    def compare(self, request: Request) -> bytes | None:
        """
        The JSON document of several environments' answers; None when *request* is not for several.

        Raises:
            Problem: It can't be asked of them.
        """
        routes = self._table.current()
        selection = select(request, routes, listens_on=self._listens_on)
        return self._fan_out.answer(request, selection, routes or {}) if selection else None

    def _answer_seat(
        self, request: Request, seat: Seat, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        """Its token stands for the password, also on this machine."""
        if seat.is_join or (seat.is_home and request.method in READING):
            return self._pages(environ, start_response)
        try:
            space = self._gate.admit(request, name=seat.space)
            if seat.is_for_all:
                content = self._compare_in(space, seat, self._without_credentials(request))
                return _send("200 OK", "application/json", content, request, start_response)
            answer = self._gate.answer(self._without_credentials(request), seat, space)
        except Problem as problem:
            if seat.aws_target is None:
                raise
            kind, content, more = aws_error(problem, request, instance=without_tokens(request.target, "token"))
            return _send(problem.status_line, kind, content, request, start_response, more=more)
        start_response(answer.status_line, answer.headers)
        return answer.body

    def _compare_in(self, space: Space, seat: Seat, request: Request) -> bytes:
        """As :meth:`compare`, of the environments of *space* only."""
        routes = self._gate.routes(space.name)
        inside = replace(request, target=f"/{ALL}{seat.target}")
        try:
            selection = select(inside, routes, listens_on=self._listens_on)
        except Problem as problem:
            raise in_space(problem, space.name) from None
        if selection is None:
            raise no_lists_problem()
        ask = functools.partial(self._gate.answer_one, seat=seat, space=space)
        return self._fan_out.answer(inside, selection, routes, ask=ask)

    def _without_credentials(self, request: Request) -> Request:
        return self._guard.without_credentials(request) if self._guard else without_credentials(request)

    def _answer(self, request: Request, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if (content := self.compare(request)) is not None:
            return _send("200 OK", "application/json", content, request, start_response)
        destination = self._resolve(request)
        if destination is None:
            return self._pages(environ, start_response)
        answer = self._recorder.forward(request, destination)
        start_response(answer.status_line, answer.headers)
        return answer.body

    def _forward(self, request: Request) -> Answer:
        """Pass on a request that is known to be for an environment."""
        destination = self._resolve(request)
        if destination is None:
            raise internal_problem()
        return self._recorder.forward(request, destination)

    def _resolve(self, request: Request) -> Destination | None:
        routes = self._table.current()
        try:
            destination = resolve(request, routes, is_alive=is_alive, listens_on=self._listens_on)
            if destination:
                refuse_websockets(request, destination.route)
                self._check(destination.route)
        except Problem as problem:
            if route := (routes or {}).get(problem.environment or ""):
                self._recorder.refuse(request, problem, route)
            raise
        return destination


def _adding(headers: list[tuple[str, str]], start_response: StartResponse) -> StartResponse:
    return lambda status, given: start_response(status, [*given, *headers])


def _tell(problem: Problem, request: Request, start_response: StartResponse) -> Iterable[bytes]:
    content = problem.to_json(instance=without_tokens(request.target, "token"))
    return _send(problem.status_line, CONTENT_TYPE, content, request, start_response, more=problem.headers)


def _send(
    status_line: str,
    content_type: str,
    content: bytes,
    request: Request,
    start_response: StartResponse,
    *,
    more: Sequence[tuple[str, str]] = (),
) -> Iterable[bytes]:
    headers = [("Content-Type", content_type), ("Content-Length", str(len(content))), ("Cache-Control", "no-store")]
    start_response(status_line, [*headers, *more])
    return [] if request.method == "HEAD" else [content]
