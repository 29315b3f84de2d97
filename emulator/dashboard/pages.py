"""The proxy's own pages as HTML: whole without a script, and live with one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from emulator.asking import encode_target
from emulator.dashboard import charts
from emulator.dashboard.actions import ACTIONS
from emulator.dashboard.api import answer, kept, make_api, number
from emulator.dashboard.comparing import METHODS, READING, Question, ask, check, shown_body, shown_message, verdict
from emulator.dashboard.dashboard import Dashboard
from emulator.dashboard.environments import EnvironmentRow
from emulator.dashboard.filters import NAMES, read_filter
from emulator.dashboard.jobs import Job
from emulator.dashboard.lab import REPORT_POLICY, lab_facts, lab_results
from emulator.dashboard.lab import lab_report as make_report
from emulator.dashboard.page_cache import PageCache
from emulator.dashboard.request_log import RequestLog, read_log
from emulator.dashboard.security import add_headers, check_same_origin, check_token
from emulator.dashboard.timeline import timeline
from emulator.errors import MultistackError
from emulator.inspector.shown import to_dict
from emulator.model import OWN_TOPOLOGY
from emulator.proxy.problems import CONTENT_TYPE, Problem, plain_problem
from emulator.proxy.request import read_request

# Name of the page's endpoint, its title, and the topics that make it look again.
PAGES = (
    ("home", "Environments", "environments jobs"),
    ("requests", "Requests", "requests"),
    ("compare", "Compare", ""),
    ("logs", "Logs", "logs"),
    ("history", "History", "environments"),
    ("lab", "Lab", ""),
)
# The others are about the emulator, and stand back.
_OF_RELEASES = frozenset({"deploy", "promote", "approve", "verify", "rollback", "lift", "calm"})
_JOBS_SHOWN = 5
_REQUESTS_SHOWN = 100


def register(app: Flask, dashboard: Dashboard) -> None:
    """Add the pages and the API to *app*."""
    app.register_blueprint(_make_pages(dashboard))
    app.register_blueprint(make_api(dashboard))
    app.after_request(add_headers)

    @app.get("/_multistack/health")
    def health() -> Response:
        problem, keeping = dashboard.recording_problem, dashboard.progress
        recording = {"recording": problem} if problem else {}
        return jsonify(status="ok", **recording, **({"exchanges": asdict(keeping)} if keeping else {}))

    @app.errorhandler(Problem)
    def tell(problem: Problem) -> Response:
        return _tell(problem)

    @app.errorhandler(HTTPException)
    def tell_other(error: HTTPException) -> Response:
        status = error.code or 500
        detail = "there is no such page of the proxy's own" if status == 404 else error.description or error.name
        response = _tell(plain_problem(status, detail))
        if allowed := error.get_response(request.environ).headers.get("Allow"):
            response.headers["Allow"] = allowed
        return response

    @app.errorhandler(sqlite3.Error)
    def tell_damage(error: sqlite3.Error) -> Response:
        return _tell(Problem(500, "unreadable", "Requests can't be read", f"the file of kept requests: {error}"))

    @app.errorhandler(MultistackError)
    def tell_ours(error: MultistackError) -> Response:
        detail = f"{error.message}; {error.hint}" if error.hint else error.message
        return _tell(Problem(500, "unreadable", "The project's state can't be read", detail))


def _tell(problem: Problem) -> Response:
    if _wants_page():
        content: str | bytes = render_template(
            "dashboard/problem.html", problem=problem, back=_page_of(request.path), page="", topics="", pages=PAGES,
            token="", can_act=True,
        )  # fmt: skip
        return Response(content, status=problem.status, mimetype="text/html", headers=problem.headers)
    content = problem.to_json(instance=read_request(request.environ).target)
    return Response(content, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)


def _page_of(path: str) -> tuple[str, str]:
    """Endpoint and title of the page that *path* belongs to; the home page for what belongs to none."""
    known = [(name, title) for name, title, _ in PAGES if f"{path}/".startswith(f"/_multistack/{name}/")]
    return known[0] if known else PAGES[0][:2]


def _wants_page() -> bool:
    """Whether a person will see the answer: only browsers ask for HTML by name."""
    return "text/html" in request.headers.get("Accept", "") and "/api/" not in request.path


def _make_pages(dashboard: Dashboard) -> Blueprint:
    pages = Blueprint(
        "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/_multistack/static"
    )
    pages.add_app_template_filter(charts.milliseconds, "milliseconds")
    pages.add_app_template_filter(shown_message, "shown_message")
    pages.add_app_template_filter(shown_body, "shown_body")
    _add_facts(pages, dashboard)
    _add_requests(pages, dashboard)
    _add_comparison(pages, dashboard)
    return pages


def _render(dashboard: Dashboard, page: str, *, template: str = "", **facts: Any) -> Response:
    return _page(_html(dashboard, page, template=template, **facts))


def _page(html: str) -> Response:
    return Response(html, mimetype="text/html")


def _html(dashboard: Dashboard, page: str, *, template: str = "", **facts: Any) -> str:
    title, topics = next((title, topics) for name, title, topics in PAGES if name == page)
    common: Mapping[str, Any] = {
        "page": page,
        "title": title,
        "topics": topics,
        "pages": PAGES,
        "token": dashboard.token,
        "can_act": dashboard.jobs.are_possible,
        "environments": list(dashboard.routes()),
    }
    return render_template(f"dashboard/{template or page}.html", **{**common, **facts})


def _add_facts(pages: Blueprint, dashboard: Dashboard) -> None:
    @pages.get("/")
    def home() -> Response:
        rows, problem = dashboard.rows()
        if request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json":
            check_same_origin(request)
            response = answer({"environments": rows, "problem": problem})
        else:
            cards, jobs = [_card(row) for row in rows], _shown(dashboard)
            spaces = dashboard.spaces()
            response = _render(dashboard, "home", cards=cards, problem=problem, jobs=jobs, spaces=spaces)
        response.headers["Vary"] = "Accept"
        return response

    @pages.get("/_multistack/logs")
    def logs() -> Response:
        chosen, text = request.args.get("environment", ""), request.args.get("text", "")
        lines = dashboard.logs.lines(chosen or None, text=text) if dashboard.command else []
        return _render(dashboard, "logs", lines=lines, chosen=chosen, text=text, problem=dashboard.logs.problem)

    @pages.get("/_multistack/history")
    def history() -> Response:
        chosen = request.args.get("environment", "")
        found = dashboard.records.deployments(chosen or None, last=number("last", 100))
        return _render(dashboard, "history", entries=timeline(found), chosen=chosen)

    @pages.get("/_multistack/lab")
    def lab() -> Response:
        results = lab_results(dashboard.state)
        return _render(dashboard, "lab", lab=lab_facts(results) if results else None)

    @pages.get("/_multistack/lab/report")
    def lab_report() -> Response:
        results = lab_results(dashboard.state)
        if not results:
            return _render(dashboard, "lab", lab=None)
        response = _page(make_report(results))
        response.headers["Content-Security-Policy"] = REPORT_POLICY
        return response


def _add_requests(pages: Blueprint, dashboard: Dashboard) -> None:
    cache = PageCache()

    @pages.get("/_multistack/requests")
    def requests() -> Response:
        problem = dashboard.keeping_problem()
        given = {name: request.args.get(name, "") for name in NAMES}
        try:
            wanted = read_filter(request.args)
        except Problem as error:
            wrong = error.detail.partition(": ")
            page = _render(dashboard, "requests", given=given, problem=problem, methods=METHODS, wrong=wrong)
            page.status_code = error.status
            return page

        def make() -> str:
            found = dashboard.requests.find(wanted, limit=_REQUESTS_SHOWN)
            listed = [to_dict(one, is_whole=False) for one in found]
            return _html(dashboard, "requests", requests=listed, given=given, problem=problem, methods=METHODS)

        # A list of a hundred takes some milliseconds, and every open page asks for it at the same moments.
        state = (dashboard.requests.extent(), problem, tuple(dashboard.routes()))
        return _page(cache.page(request.query_string, state, make))

    @pages.get("/_multistack/requests/<int:number>")
    def one_request(number: int) -> Response:
        one, log = to_dict(kept(dashboard, number)), None
        if "log" in request.args:
            check_same_origin(request)
            command = dashboard.command
            log = read_log(number, command) if command else RequestLog(problem="a log needs the project's file")
        return _render(dashboard, "requests", template="request", one=one, log=log, topics="")


def _add_comparison(pages: Blueprint, dashboard: Dashboard) -> None:
    @pages.route("/_multistack/compare", methods=["GET", "POST"])
    def compare() -> BaseResponse:
        values = request.args if request.method == "GET" else request.form
        question = _question(values, list(dashboard.routes()))
        found, problem = None, ""
        if request.method == "POST" or "go" in values:
            check_same_origin(request)
            if request.method == "GET" and question.method not in READING:
                # A link somebody follows must change nothing.
                raise Problem(405, "", "Method Not Allowed", f"{question.method} is asked with the page's own form")
            if request.method == "POST":
                check_token(request, dashboard.token, form=values.get("token"))
                if question.method in READING:
                    return redirect(_link_to(question, list(dashboard.routes())), 303)  # an address that can be kept
            try:
                asked = check(replace(question, target=encode_target(question.target)))
                found = ask(dashboard.compare, asked, host=request.host, client=request.remote_addr or "")
            except Problem as error:
                problem = error.detail
        said = verdict(found) if found else ""
        protected = [name for name, is_protected in dashboard.protection().items() if is_protected]
        return _render(
            dashboard, "compare", question=question, found=found, problem=problem, verdict=said, methods=METHODS,
            protected=protected,
        )  # fmt: skip


def _question(values: MultiDict[str, str], environments: Sequence[str]) -> Question:
    """What a form says; the whole of it need not make sense."""
    method = values.get("method", "GET")
    return Question(
        method=method,
        target=values.get("target", "/"),
        environments=tuple(name for name in values.getlist("environment") if name in environments),
        body="" if method in READING else values.get("body", "").replace("\r\n", "\n"),
        content_type=values.get("content_type") or "application/json",
        writes=method not in READING and "writes" in values,
        protected=method not in READING and "protected" in values,
    )


def _link_to(question: Question, environments: Sequence[str]) -> str:
    """Where the answers to a reading *question* are."""
    chosen = [] if set(question.environments) == set(environments) else question.environments
    return url_for("pages.compare", go=1, method=question.method, target=question.target, environment=chosen)


def _card(row: EnvironmentRow) -> Mapping[str, Any]:
    """A row with what is drawn of it, and what can be done to it."""
    chart = charts.draw(row.traffic.series) if row.traffic else None
    return {"row": row, "chart": chart, "actions": _actions(row)}


def _actions(row: EnvironmentRow) -> list[list[tuple[str, str, str]]]:
    """Name, label and rank of what makes sense now, in two groups: about releases, and about the emulator."""
    if row.topology != OWN_TOPOLOGY:
        return []
    wrong = {"lift"} if row.hold is None else {"hold"}
    if row.before is None:
        wrong |= {"promote", "approve", "hold"}  # a rollback holds it all the same, and that can be lifted
    else:
        wrong |= {"deploy"}
    if not row.protected:
        wrong |= {"approve"}
    if row.status != "ready":
        wrong |= {"verify", "drift", "reset", "rollback", "promote", "deploy"}
    if row.status == "stopped":
        wrong |= {"restart", "down", "disturb"}
    elif row.status == "ready":
        wrong |= {"up"}
    if not row.faults:
        wrong |= {"calm"}
    if row.release is None:
        wrong |= {"verify", "drift", "rollback"}
    names = [name for name in ACTIONS if name not in wrong]
    first = next((name for name in ("promote", "deploy", "up") if name in names), "")
    label = {"promote": f"Promote from {row.before}"}
    ranked = [(name, label.get(name, ACTIONS[name].label), _rank(name, first)) for name in names]
    ranked.sort(key=lambda one: one[2] != "first")
    return [[one for one in ranked if (one[2] == "plain") is is_plain] for is_plain in (False, True)]


def _rank(name: str, first: str) -> str:
    return "first" if name == first else "" if name in _OF_RELEASES else "plain"


def _shown(dashboard: Dashboard) -> list[Job]:
    """The last jobs, with the end of what they said."""
    return [dashboard.jobs.get(job.id) for job in dashboard.jobs.all()[:_JOBS_SHOWN]]
