"""What the proxy says when it can't pass a request on."""

from __future__ import annotations

import json

from emulator.proxy.problems import Problem, internal_problem, plain_problem


def test_problem_has_every_member():
    """RFC 9457's members, and the environment and next command of ours."""
    problem = Problem(
        404,
        "unknown",
        "Unknown",
        "no such thing",
        environment="test",
        next_command="multistack up test",
        extra={"a": 1},
    )

    assert problem.status_line == "404 Not Found"
    assert json.loads(problem.to_json(instance="/test/a")) == {
        "type": "urn:multistack:problem:unknown",
        "title": "Unknown",
        "status": 404,
        "detail": "no such thing",
        "instance": "/test/a",
        "environment": "test",
        "next": "multistack up test",
        "a": 1,
    }


def test_plain_problem_says_no_more_than_its_status():
    """A problem without a kind of its own is `about:blank`, titled as its status."""
    content = json.loads(plain_problem(405, "x").to_json(instance=None))

    assert (content["type"], content["title"], content["next"]) == ("about:blank", "Method Not Allowed", None)


def test_status_without_a_phrase_is_no_failure():
    """An unassigned status has an empty phrase."""
    assert plain_problem(599, "x").status_line == "599 "


def test_internal_problem_tells_nothing():
    """What went wrong inside stands in the log only."""
    assert internal_problem().status == 500
