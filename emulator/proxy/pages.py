"""The proxy's own pages: what runs where, and whether the proxy itself is well."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from emulator.addresses import origin_of
from emulator.model import Route, Status
from emulator.process import is_alive
from emulator.proxy.problems import CONTENT_TYPE, plain_problem
from emulator.proxy.request import read_request

# Seconds that an emulator without a process of ours may take to accept a connection.
_PATIENCE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRow:
    """
    One environment as the home page shows it.

    Attributes:
        status: ``ready``, ``stopped`` or ``unhealthy``.
        path: Where the proxy serves it.
        page: A path of it that a browser can show.
        endpoint: Its AWS API, or None when it isn't running.
        apis: Logical id to a path that a browser can show.
        next: The command that would make it ready, or None.
    """

    environment: str
    status: str
    path: str
    page: str
    endpoint: str | None
    account_id: str
    region: str
    driver: str
    release: str | None
    digest: str | None
    apis: dict[str, str]
    next: str | None


def describe(route: Route) -> EnvironmentRow:
    """A route in the words of the home page; checks the emulator's process, or its port where that is elsewhere."""
    status = Status.READY
    if route.url is None:
        status = Status.STOPPED
    elif not (is_alive(route.process) if route.process else _listens(route.url)):
        status = Status.UNHEALTHY
    default = next((api for api in route.apis if api.logical_id == route.default_api), None)
    step = "up" if status is not Status.READY else "deploy" if not route.apis else None
    return EnvironmentRow(
        environment=route.environment,
        status=status.value,
        path=f"/{route.environment}/",
        page=f"/{route.environment}/{default.example if default else ''}",
        endpoint=route.url if status is Status.READY else None,
        account_id=route.account_id,
        region=route.region,
        driver=route.driver,
        release=route.release,
        digest=route.digest,
        apis={api.logical_id: f"/{route.environment}/_api/{api.logical_id}/{api.example}" for api in route.apis},
        next=f"multistack {step} {route.environment}" if step else None,
    )


def _listens(url: str) -> bool:
    origin = origin_of(url)
    try:
        socket.create_connection((origin.host, origin.port), timeout=_PATIENCE).close()
    except OSError:
        return False
    return True


def register_pages(
    app: Flask, *, routes: Callable[[], Mapping[str, Route]], recording_problem: Callable[[], str | None]
) -> None:
    """
    Add the pages to *app*.

    Args:
        recording_problem: Why requests are not kept although they should be.
    """

    @app.get("/")
    def home() -> Response:
        rows = [describe(route) for route in routes().values()]
        if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
            response = jsonify(environments=rows)
        else:
            response = Response(render_template("home.html", environments=rows, proxy=request.host))
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Accept"
        return response

    @app.get("/_multistack/health")
    def health() -> Response:
        problem = recording_problem()
        return jsonify(status="ok", **({"recording": problem} if problem else {}))

    @app.errorhandler(HTTPException)
    def tell(error: HTTPException) -> Response:
        status = error.code or 500
        detail = "there is no such page of the proxy's own" if status == 404 else error.description or error.name
        problem = plain_problem(status, detail)
        response = error.get_response(request.environ)
        response.data = problem.to_json(instance=read_request(request.environ).target)
        response.content_type = CONTENT_TYPE
        return Response(response.data, status=status, headers=response.headers)
