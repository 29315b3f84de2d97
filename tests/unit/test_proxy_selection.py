"""Whether a request asks several environments at once, which ones, and whether it may."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emulator.model import Route
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.selection import Selection, select
from tests.unit.test_proxy_resolve import make_route

ROUTES = {name: make_route(name, protected=name == "prod") for name in ("test", "staging", "prod")}


def ask(
    target: str = "/_all/a", *, method: str = "GET", host: str | None = "localhost:8080", **headers: str
) -> Request:
    """A request; underscores of header names stand for hyphens."""
    return Request(
        method=method,
        target=target,
        host=host,
        headers=[(f"{name.replace('_', '-')}", value) for name, value in headers.items()],
        body=None,
        length=0,
        client="127.0.0.1",
    )


def refuse(request: Request, routes: dict[str, Route] | None = ROUTES) -> Problem:
    """The problem that a request is refused with."""
    with pytest.raises(Problem) as caught:
        select(request, routes)
    return caught.value


@pytest.mark.parametrize(
    ("target", "named", "environments", "rest"),
    [
        pytest.param("/_all/a?b=%2F", None, ("test", "staging", "prod"), "/a?b=%2F", id="all"),
        pytest.param("/_all", None, ("test", "staging", "prod"), "/", id="root"),
        pytest.param("/_all?a", None, ("test", "staging", "prod"), "/?a", id="query"),
        pytest.param("/_all/_all/a", None, ("test", "staging", "prod"), "/_all/a", id="only the first"),
        pytest.param("/a", "*", ("test", "staging", "prod"), "/a", id="every"),
        pytest.param("/a", "PROD, test,prod", ("test", "prod"), "/a", id="list, in any order and case, each once"),
        pytest.param("//a", "test,", ("test",), "//a", id="a list of one"),
    ],
)
def test_several_environments_are_chosen(target, named, environments, rest):
    """By path or header; the path within them is as it was sent."""
    selection = select(ask(target, **({"X_Multistack_Environment": named} if named else {})), ROUTES)

    assert selection == Selection(method="GET", target=rest, environments=environments, asks_again=True)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (ask("/test/a"), "a path of one"),
        (ask("/_all/a", X_Multistack_Environment="test"), "a header that names one"),
        (ask("/_all/a", host="test.localhost"), "a host that names one"),
        (ask("/_allies"), "another path"),
        (ask("/_multistack/health"), "a page of the proxy"),
        (ask("*", method="OPTIONS"), "no path at all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_requests_go_their_way(request_, why):
    """A request to one environment, or to the proxy, is none to several."""
    assert select(request_, ROUTES) is None, why


def test_the_baseline_comes_first():
    """And is asked although the list leaves it out."""
    selection = select(ask(X_Multistack_Environment="test,staging", X_Multistack_Baseline="prod"), ROUTES)

    assert selection is not None
    assert selection.environments == ("prod", "test", "staging")


def test_two_values_of_one_word_are_ambiguous():
    """Nobody guesses which was meant."""
    request = Request(
        method="GET",
        target="/_all/",
        host="localhost",
        headers=[("X-Multistack-Baseline", "test"), ("X-Multistack-Baseline", "prod")],
        body=None,
        length=0,
        client="127.0.0.1",
    )

    assert refuse(request).kind == "ambiguous-header"


def test_without_environments_there_is_nobody_to_ask():
    """Before the first `up`."""
    for routes in (None, {}):
        assert refuse(ask(), routes).kind == "nothing-deployed"


@pytest.mark.parametrize("named", [",", " , "])
def test_a_list_of_nobody_is_refused(named):
    """It is not taken for all of them."""
    request = replace(ask(), target="/a", headers=[("X-Multistack-Environment", named)])
    problem = refuse(request, {"test": make_route("test")})
    assert (problem.status, problem.kind) == (400, "no-environment")


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_words_for_writing(method):
    """One to write, a second one for protected environments, whichever way the method is told."""
    for request in (
        lambda **words: ask(method=method, **words),
        lambda **words: ask(X_Multistack_Method=method.lower(), **words),
    ):
        assert refuse(request()).kind == "writes"
        assert refuse(request(X_Multistack_Protected="yes")).kind == "writes"
        assert refuse(request(X_Multistack_Writes="true")).kind == "writes"
        assert refuse(request(X_Multistack_Writes="yes")).kind == "protected"
        selection = select(request(X_Multistack_Writes="yes", X_Multistack_Protected="yes"), ROUTES)
        assert selection is not None
        assert (selection.method, selection.asks_again) == (method, False)


def test_unknown_methods_are_refused():
    """CONNECT and what nobody knows is asked of no environment."""
    assert refuse(ask(method="CONNECT")).kind == "bad-method"
