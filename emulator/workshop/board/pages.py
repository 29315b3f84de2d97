"""The board as a web application: one page for the facilitator's machine, one route for learners."""

from __future__ import annotations

import hmac
from typing import Any

from flask import Flask, Response, abort, jsonify, render_template, request
from pydantic import ValidationError

from emulator import ports
from emulator.workshop.board.learners import CODE_HEADER, PROGRESS, Board, Full, Learner, Report, counts
from emulator.workshop.lab import Lab

_MOST_BYTES = 16 * 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def create_board(board: Board, labs: tuple[Lab, ...]) -> Flask:
    """
    The application.

    Other machines can report with the code, and nothing else: names stay where the page is projected from.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    numbers = [lab.number for lab in labs]

    @app.before_request
    def _refuse_strangers() -> None:
        if request.path != PROGRESS and not _is_local():
            abort(403)

    @app.after_request
    def _protect(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @app.get("/")
    def _page() -> str:
        learners = board.learners()
        rows = [(one.name, [_cell(one, number) for number in numbers]) for one in learners]
        return render_template("board.html", labs=labs, rows=rows, counts=counts(learners, numbers))

    @app.get("/board.json")
    def _json() -> Response:
        return jsonify([one.model_dump(mode="json") for one in board.learners()])

    @app.post(PROGRESS)
    def _note() -> tuple[Response, int]:
        return _noted(board)

    return app


def _noted(board: Board) -> tuple[Response, int]:
    """The answer to a learner's report, which is kept if it is one."""
    if not hmac.compare_digest(request.headers.get(CODE_HEADER, "").encode(), board.code.encode()):
        return jsonify(error="the join code is wrong"), 403
    try:
        board.note(Report.model_validate(request.get_json(silent=True)))
    except ValidationError:
        return jsonify(error="that is no report of a learner's progress"), 400
    except Full:
        return jsonify(error="the board is full"), 409
    return jsonify(noted=True), 200


def _is_local() -> bool:
    """It comes from this machine, and from no page whose name was made to lead here."""
    host = request.host.partition(":")[0]
    return _is_own(request.remote_addr or "") and (host == "localhost" or _is_own(host))


def _is_own(address: str) -> bool:
    return address.startswith("127.") or ports.is_own_address(address)


def _cell(learner: Learner, number: int) -> tuple[str, str, str]:
    """A class for its colour, a sign, and what it means in words."""
    lab: Any = learner.labs.get(number)
    if lab is None or lab.started is None:
        return "none", "·", "not started"
    hints = f", {lab.hints} hint{'s' if lab.hints != 1 else ''}" if lab.hints else ""
    if lab.passed is None:
        return "started", "…", f"started{hints}"
    if lab.is_solved:
        return "solved", "✓*", f"passed, with the solution{hints}"
    return "passed", "✓", f"passed{hints}"
