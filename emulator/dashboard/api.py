"""The JSON API of the proxy's pages: all they show and do, as ``openapi.yaml`` beside this module describes it."""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any

from flask import Blueprint, Response, request

from emulator.dashboard.actions import Order, order_schemas, read_order
from emulator.dashboard.comparing import ask, read_question
from emulator.dashboard.dashboard import Dashboard
from emulator.dashboard.filters import NAMES, read_filter
from emulator.dashboard.jobs import no_project
from emulator.dashboard.plans import plan
from emulator.dashboard.request_log import read_log
from emulator.dashboard.security import check_same_origin, check_token
from emulator.dashboard.timeline import timeline
from emulator.inspector.exporting import FORMS, export
from emulator.inspector.shown import to_dict
from emulator.model import Exchange
from emulator.proxy.problems import Problem

PREFIX = "/_multistack/api"
_MOST_CONTENT = 64 * 1024
_MOST_DIGITS = 9
# Form of an export to the end of the file's name, and its type.
_FILES = {
    "har": ("har", "application/json"),
    "curl": ("sh", "text/plain; charset=utf-8"),
    "pytest": ("py", "text/plain; charset=utf-8"),
}
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# What each endpoint can be asked in its query; the others take nothing.
PARAMETERS: Mapping[str, frozenset[str]] = {
    "api.events": frozenset({"topic"}),
    "api.history": frozenset({"environment", "last"}),
    "api.logs": frozenset({"environment", "text", "last"}),
    "api.requests": frozenset({*NAMES, "after", "before", "last"}),
    "api.export_some": frozenset({*NAMES, "after", "before", "last", "as"}),
    "api.export_one": frozenset({"as"}),
}


def make_api(dashboard: Dashboard) -> Blueprint:
    """The API of one dashboard."""
    api = Blueprint("api", __name__, url_prefix=PREFIX)

    @api.before_request
    def check() -> None:
        check_same_origin(request)
        if request.method not in _READING:
            check_token(request, dashboard.token)
        known = PARAMETERS.get(request.endpoint or "", frozenset())
        if unknown := sorted(request.args.keys() - known):
            raise _bad_parameter(unknown[0], f"it is not known here; known: {', '.join(sorted(known)) or 'none'}")

    @api.get("/openapi.json")
    def openapi() -> Response:
        return answer(_document())

    @api.get("/session")
    def session() -> Response:
        version = importlib.metadata.version("multistack-emulator")
        return answer({"token": dashboard.token, "can_act": dashboard.jobs.are_possible, "version": version})

    @api.get("/events")
    def events() -> Response:
        topics = request.args.getlist("topic") or dashboard.stream.topics
        if unknown := sorted(set(topics) - set(dashboard.stream.topics)):
            raise _bad_parameter("topic", f"{unknown[0]!r} is none of {', '.join(dashboard.stream.topics)}")
        if request.method == "HEAD":
            return Response(mimetype="text/event-stream")
        return Response(dashboard.stream.listen(topics), mimetype="text/event-stream")

    _add_facts(api, dashboard)
    _add_requests(api, dashboard)
    _add_jobs(api, dashboard)
    return api


def _add_facts(api: Blueprint, dashboard: Dashboard) -> None:
    @api.get("/environments")
    def environments() -> Response:
        rows, problem = dashboard.rows()
        return answer({"environments": rows, "problem": problem})

    @api.get("/environments/<name>")
    def environment(name: str) -> Response:
        rows, _ = dashboard.rows()
        return answer(next((row for row in rows if row.environment == name), None) or _unknown(name, dashboard))

    @api.get("/history")
    def history() -> Response:
        found = dashboard.records.deployments(request.args.get("environment") or None, last=number("last", 100))
        return answer({"deployments": timeline(found)})

    @api.get("/faults")
    def faults() -> Response:
        return answer({"faults": dashboard.faults()})

    @api.get("/logs")
    def logs() -> Response:
        if dashboard.command is None:
            raise no_project()
        name, text = request.args.get("environment") or None, request.args.get("text", "")
        lines = dashboard.logs.lines(name, text=text, last=number("last", 300))
        return answer({"lines": lines, "problem": dashboard.logs.problem})


def _add_requests(api: Blueprint, dashboard: Dashboard) -> None:
    @api.get("/requests")
    def requests() -> Response:
        found = dashboard.requests.find(read_filter(request.args), limit=number("last", 100))
        listed = [to_dict(one, is_whole=False) for one in found]
        return answer({"requests": listed, "problem": dashboard.keeping_problem()})

    @api.get("/requests/<int:number>")
    def one_request(number: int) -> Response:
        return answer(to_dict(kept(dashboard, number)))

    @api.get("/requests/<int:number>/log")
    def log(number: int) -> Response:
        kept(dashboard, number)
        if dashboard.command is None:
            raise no_project()
        return answer(read_log(number, dashboard.command))

    @api.get("/requests/<int:number>/export")
    def export_one(number: int) -> Response:
        return _export([kept(dashboard, number)], f"request-{number}")

    @api.get("/requests/export")
    def export_some() -> Response:
        found = dashboard.requests.find_whole(read_filter(request.args), limit=number("last", 100))
        return _export(found[::-1], "requests")

    @api.post("/comparisons")
    def comparisons() -> Response:
        question = read_question(content_of_request())
        return answer(ask(dashboard.compare, question, host=request.host, client=request.remote_addr or ""))


def _export(found: Sequence[Exchange], name: str) -> Response:
    form = request.args.get("as", "har")
    if form not in FORMS:
        raise _bad_parameter("as", f"it is one of {', '.join(FORMS)}")
    text = export(found, form, base_of=lambda environment: f"{request.host_url}{environment}/")
    suffix, kind = _FILES[form]
    response = Response(text, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{suffix}"'
    return response


def kept(dashboard: Dashboard, number: int) -> Exchange:
    """
    A kept request.

    Raises:
        Problem: 404, it never was, or is no more.
    """
    found = dashboard.requests.get(number) if number < 2**62 else None
    if found is None:
        raise Problem(404, "unknown-request", "Unknown request", f"request {number} is not kept, or not any more")
    return found


def _add_jobs(api: Blueprint, dashboard: Dashboard) -> None:
    @api.post("/plans")
    def plans() -> Response:
        order = _order(dashboard, confirmed=False)
        command = dashboard.command
        if command is None:
            raise no_project()
        rows, _ = dashboard.rows()
        (row,) = (row for row in rows if row.environment == order.environment)
        return answer(plan(order, row, dashboard.records.of(order.environment), command=command))

    @api.get("/jobs")
    def jobs() -> Response:
        return answer({"jobs": dashboard.jobs.all()})

    @api.post("/jobs")
    def start() -> Response:
        job = dashboard.jobs.start(_order(dashboard, confirmed=True))
        response = answer(job, status=202)
        response.headers["Location"] = f"{PREFIX}/jobs/{job.id}"
        return response

    @api.get("/jobs/<int:number>")
    def job(number: int) -> Response:
        return answer(dashboard.jobs.get(number))

    @api.post("/jobs/<int:number>/cancel")
    def cancel(number: int) -> Response:
        return answer(dashboard.jobs.cancel(number))


def answer(value: Any, *, status: int = 200) -> Response:
    """A JSON answer; dataclasses become objects, times ISO 8601."""
    # Escaped: a kept body may hold half a surrogate pair, which JSON can say and UTF-8 can't.
    content = json.dumps(value, default=_plain)
    return Response(content + "\n", status=status, mimetype="application/json")


def number(name: str, default: int, *, most: int = 1_000) -> int:
    """
    A parameter of the query that counts something.

    Raises:
        Problem: 422, it is no such number.
    """
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and 1 <= int(text) <= most):
        raise _bad_parameter(name, f"it is a number from 1 to {most}")
    return int(text)


def content_of_request() -> Any:
    """
    The JSON that a request carries.

    Raises:
        Problem: 415, 413 or 400.
    """
    if request.mimetype != "application/json":  # a form of another site's page can't send this one
        raise Problem(415, "", "Unsupported Media Type", "the body must be application/json")
    content = request.stream.read(_MOST_CONTENT + 1)
    if len(content) > _MOST_CONTENT:
        raise Problem(413, "body-too-large", "Request body too large", f"at most {_MOST_CONTENT} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad-json", "Invalid JSON", "the body is no valid JSON") from error


def _order(dashboard: Dashboard, *, confirmed: bool) -> Order:
    return read_order(content_of_request(), environments=dashboard.protection(), confirmed=confirmed)


def _unknown(name: str, dashboard: Dashboard) -> Problem:
    names: Sequence[str] = list(dashboard.routes())
    detail = f"no environment is called {name!r}"
    raise Problem(
        404, "unknown-environment", "Unknown environment", detail, environment=name, extra={"environments": names}
    )


def _bad_parameter(name: str, detail: str) -> Problem:
    return Problem(422, "bad-parameter", "Bad parameter", f"{name}: {detail}")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


@functools.cache
def _document() -> Any:
    import yaml  # late: few ask for the description

    document = yaml.safe_load((resources.files("emulator.dashboard") / "openapi.yaml").read_text(encoding="utf-8"))
    document["components"]["schemas"]["Order"]["oneOf"] = order_schemas()
    return document
