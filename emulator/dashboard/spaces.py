"""Where somebody joins a space, as a page and for programs; and for this machine, how spaces are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from emulator.dashboard.security import check_same_origin
from emulator.model import Route
from emulator.proxy.joining import ACCESS_FOR, Joined, Joining
from emulator.proxy.problems import CONTENT_TYPE, Problem
from emulator.proxy.request import read_request
from emulator.proxy.seat import AWS, SPACE_COOKIE
from emulator.proxy.spaces import SpaceGate
from emulator.space_tokens import JOIN

_MOST_BYTES = 16 * 1024
_FIELD = "token"


def make_space_pages(gate: SpaceGate, joining: Joining, *, is_local: Callable[[str], bool]) -> Blueprint:
    """The pages of spaces; requests to the environments in one never come here."""
    pages = Blueprint("spaces", __name__)

    @pages.get("/_multistack/spaces")
    def uses() -> Response:
        # Whoever came through another proxy may be from anywhere.
        if not is_local(_caller()):
            raise Problem(403, "this-machine-only", "For this machine only", "spaces are told of on this machine only")
        return jsonify({name: asdict(use) for name, use in gate.uses().items()})

    @pages.get("/<space>/", strict_slashes=False)
    def home(space: str) -> ResponseReturnValue:
        name = space.lower()
        if name.startswith("_"):
            abort(404)
        if _wants_page() and not request.path.endswith("/"):
            return redirect(f"{request.path}/")  # the cookie is for what is below
        gate.admit(read_request(request.environ), name=name)
        routes = gate.routes(name)
        return _page(name, routes=routes) if _wants_page() else jsonify(environments=_seats(name, routes))

    @pages.get(f"/<space>/{JOIN}", strict_slashes=False)
    def ask(space: str) -> Response:
        """Nothing is used up by looking: programs that preview links, and browsers that load ahead, do that too."""
        name, token = space.lower(), request.args.get(_FIELD, "")
        if gate.is_admitted(read_request(request.environ), name=name):
            return _page(name, routes=gate.routes(name))
        if not token and _wants_page():
            return _page(name, asks_code=True)  # whether there is such a space or not
        joining.check(name, token, client=_caller())
        return _page(name, join_token=token)

    @pages.post(f"/<space>/{JOIN}", strict_slashes=False)
    def join(space: str) -> Response:
        check_same_origin(request)
        name = space.lower()
        joined = joining.join(name, _given(), client=_caller())
        routes = gate.routes(name)
        response = _page(name, routes=routes, joined=joined) if _wants_page() else _as_json(name, joined, routes)
        response.headers.add("Set-Cookie", _cookie(name, joined))
        return response

    @pages.errorhandler(Problem)
    def tell(problem: Problem) -> Response:
        if _wants_page():
            name = (request.view_args or {}).get("space", "")
            return _page(name, problem=problem)
        content = problem.to_json(instance=request.path)
        return Response(content, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)

    return pages


def _given() -> str:
    """The join token or code: a form's field, a member of a JSON object, or a part of the URL."""
    if (request.content_length or 0) > _MOST_BYTES:
        raise Problem(413, "body-too-large", "Request body too large", f"a token has fewer than {_MOST_BYTES} bytes")
    content: Any = request.get_json(silent=True) if request.is_json else request.form
    given = content.get(_FIELD) if isinstance(content, Mapping) else None
    return given if isinstance(given, str) else request.args.get(_FIELD, "")


def _wants_page() -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _page(
    name: str,
    *,
    join_token: str = "",
    asks_code: bool = False,
    joined: Joined | None = None,
    routes: Mapping[str, Route] | None = None,
    problem: Problem | None = None,
) -> Response:
    facts = {"space": name, "join_token": join_token, "asks_code": asks_code, "joined": joined, "problem": problem}
    seats, pages = _seats(name, routes or {}), _pages(routes or {})
    html = render_template("dashboard/space.html", seats=seats, pages=pages, **facts)
    headers = problem.headers if problem else ()
    return Response(html, status=problem.status if problem else 200, mimetype="text/html", headers=headers)


def _as_json(name: str, joined: Joined, routes: Mapping[str, Route]) -> Response:
    return jsonify(token=joined.token, expires=joined.expires.isoformat(), environments=_seats(name, routes))


def _seats(name: str, routes: Mapping[str, Route]) -> Sequence[Mapping[str, str]]:
    """Of each environment its name, and where it is: its service, and its AWS API."""
    root = f"{request.scheme}://{request.host}/{name}"
    return [
        {"name": one, "url": f"{root}/{one}/", "aws": f"{root}/{one}/{AWS}", "region": route.region}
        for one, route in routes.items()
    ]


def _pages(routes: Mapping[str, Route]) -> Mapping[str, str]:
    """Of each environment a path of its API that answers a browser, as far as one is known; APIs have no root."""
    examples = {name: {api.logical_id: api.example for api in route.apis} for name, route in routes.items()}
    return {name: examples[name].get(route.default_api or "", "") for name, route in routes.items()}


def _caller() -> str:
    return read_request(request.environ).caller


def _cookie(name: str, joined: Joined) -> str:
    """
    No script reads it, no other site's page sends it, and no other space gets it.

    Browsers keep it as long as its space may be there: that one may be extended.
    """
    ends = max(joined.expires, datetime.now(UTC) + ACCESS_FOR).strftime("%a, %d %b %Y %H:%M:%S GMT")
    secure = "; Secure" if request.scheme == "https" else ""
    return f"{SPACE_COOKIE}={joined.token}; Path=/{name}/; Expires={ends}; HttpOnly; SameSite=Strict{secure}"
