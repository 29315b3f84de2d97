"""Which environment and API a request means."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.model import Api, ProcessId, Route
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.resolve import Destination, environment_of_host, resolve, split_segment

API = Api(logical_id="Api", path="/_aws/execute-api/00bea1dc/live", stage="live")
ADMIN = Api(logical_id="Admin", path="/_aws/execute-api/11aa22bb/live", stage="live")
PROCESS = ProcessId(pid=4711, started=1.0)


def make_route(environment: str, **changes: object) -> Route:
    fields: dict[str, object] = {
        "environment": environment,
        "account_id": "000000000001",
        "region": "eu-central-1",
        "driver": "embedded",
        "url": "http://127.0.0.1:4566",
        "process": PROCESS,
        "release": "ce9d3706731f",
        "digest": "ab" * 32,
        "apis": (API,),
        "default_api": "Api",
    }
    return Route(**{**fields, **changes})  # type: ignore[arg-type]


def make_request(target: str, *, host: str | None = "localhost:8080", named: tuple[str, ...] = ()) -> Request:
    headers = [("X-Multistack-Environment", name) for name in named]
    return Request(method="GET", target=target, host=host, headers=headers, body=None, length=0, client="127.0.0.1")


ROUTES = {name: make_route(name) for name in ("test", "staging")}


def find(request: Request, routes: dict[str, Route] | None = ROUTES) -> Destination | None:
    return resolve(request, routes, is_alive=lambda process: True)


def refuse(request: Request, routes: dict[str, Route] | None = ROUTES, *, alive: bool = True) -> Problem:
    with pytest.raises(Problem) as caught:
        resolve(request, routes, is_alive=lambda process: alive)
    return caught.value


@pytest.mark.parametrize(
    ("target", "host", "named", "environment", "mount", "rest"),
    [
        pytest.param("/test/a", "localhost:8080", (), "test", "/test", "/a", id="path"),
        pytest.param("/test/", "localhost", (), "test", "/test", "/", id="path-root"),
        pytest.param("/test", "localhost", (), "test", "/test", "/", id="path-without-slash"),
        pytest.param("/test?a=1", "localhost", (), "test", "/test", "/?a=1", id="path-query"),
        pytest.param("/TEST/a", "localhost", (), "test", "/TEST", "/a", id="path-case"),
        pytest.param("/test//", "localhost", (), "test", "/test", "//", id="path-double-slash"),
        pytest.param("/staging/a", "test.localhost:8080", (), "test", "", "/staging/a", id="host-wins-over-path"),
        pytest.param("/a", "Test.LOCALHOST", (), "test", "", "/a", id="host-case"),
        pytest.param("/", "test.localhost", (), "test", "", "/", id="host-root"),
        pytest.param("//a", "test.localhost", (), "test", "", "//a", id="host-double-slash"),
        pytest.param("/_own", "test.localhost", (), "test", "", "/_own", id="host-underscore"),
        pytest.param("/a", "127.0.0.1:80", ("test",), "test", "", "/a", id="header"),
        pytest.param("/a", "[::1]:80", ("test", "test"), "test", "", "/a", id="header-twice-the-same"),
        pytest.param("/a", "test.localhost", ("test",), "test", "", "/a", id="host-and-header-agree"),
        pytest.param("/test/_api/Api/a", "localhost", (), "test", "/test/_api/Api", "/a", id="named-api"),
        pytest.param("/test/_api/Api", "localhost", (), "test", "/test/_api/Api", "/", id="named-api-root"),
        pytest.param("/_api/Api/a?b", "test.localhost", (), "test", "/_api/Api", "/a?b", id="named-api-by-host"),
    ],
)
def test_request_means_one_environment(*, target, host, named, environment, mount, rest):
    """Host, header or first segment name the environment; only the last leaves a prefix."""
    destination = find(make_request(target, host=host, named=named))

    assert destination is not None
    assert (destination.route.environment, destination.mount, destination.target) == (environment, mount, rest)


def test_proxy_answers_to_the_address_that_it_listens_on():
    """And to no other: a name could have been made to resolve to it, an address can't."""
    told = {"is_alive": lambda process: True, "listens_on": "192.168.7.8".__eq__}
    destination = resolve(make_request("/test/a", host="192.168.7.8:8080"), ROUTES, **told)
    assert destination is not None
    assert (destination.route.environment, destination.target) == ("test", "/a")
    for host in ("192.168.7.9:8080", "example.com", "192.168.7.8.nip.io"):
        with pytest.raises(Problem, match=r"nor an address that `proxy\.host` opens"):
            resolve(make_request("/test/a", host=host), ROUTES, **told)


@pytest.mark.parametrize("target", ["/", "/?a", "/_multistack/health", "/_", "/_other/test"])
def test_own_pages_belong_to_no_environment(target):
    """The root and everything below an underscore is the proxy's own."""
    assert find(make_request(target)) is None
    assert find(make_request(target), None) is None


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "127.255.3.4:1", "[::1]", "[::1]:8080"],
)
def test_loopback_hosts_name_no_environment(host):
    """Every way to write this machine is fine with any port."""
    assert environment_of_host(host) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example.com",
        "notlocalhost",
        ".localhost",
        "128.0.0.1",
        "127.0.0.1.nip.io",
        "127.0.0.256",
        "[::2]",
        "[::1]x",
        "localhost:",
        "localhost:80x",
        "test.localhost:80:80",
        "localhost@example.com",
        "test.localhost\n",
        "tést.localhost",
        "192.168.1.10:8080",
        "0.0.0.0:8080",
    ],
)
def test_other_hosts_are_refused(host):
    """A name that was made to resolve to 127.0.0.1 doesn't get through."""
    assert refuse(make_request("/test/", host=host)).status == 403


def test_request_without_host_is_refused():
    """No Host, no proof that it isn't a foreign one."""
    assert refuse(make_request("/test/", host=None)).status == 403


def test_contradiction_is_refused():
    """Host and header that name different environments are nobody's request."""
    problem = refuse(make_request("/", host="test.localhost", named=("staging",)))

    assert problem.status == 400
    assert "test" in problem.detail
    assert "staging" in problem.detail


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(make_request("/prod/a"), id="path"),
        pytest.param(make_request("/", host="prod.localhost"), id="host"),
        pytest.param(make_request("/test/", named=("prod",)), id="header"),
        pytest.param(make_request("/test/", host="api.test.localhost"), id="subdomain"),
        pytest.param(make_request("/test/", named=("",)), id="empty-header"),
        pytest.param(make_request("//test/"), id="empty-segment"),
        pytest.param(make_request("/t%65st/"), id="encoded-segment"),
    ],
)
def test_unknown_environment_lists_the_known(request_):
    """There is no fallback: what isn't named exactly is not found."""
    problem = refuse(request_)

    assert problem.status == 404
    assert "test, staging" in problem.detail
    assert problem.extra["environments"] == ["test", "staging"]


@pytest.mark.parametrize(
    ("routes", "alive", "status", "command"),
    [
        pytest.param(None, True, 503, "multistack deploy test", id="never-published"),
        pytest.param(
            {"test": make_route("test", apis=(), digest=None)},
            True,
            503,
            "multistack deploy test",
            id="nothing-deployed",
        ),
        pytest.param({"test": make_route("test", url=None)}, True, 503, "multistack up test", id="stopped"),
        pytest.param({"test": make_route("test")}, False, 503, "multistack up test", id="process-gone"),
        pytest.param({"test": make_route("test", apis=())}, False, 503, "multistack up test", id="gone-before-deploy"),
        pytest.param({}, True, 404, "multistack status", id="no-environments"),
    ],
)
def test_environment_that_cannot_answer_says_what_helps(routes, alive, status, command):
    """Each state has its status and its next command."""
    problem = refuse(make_request("/test/a"), routes, alive=alive)

    assert (problem.status, problem.next_command, problem.environment) == (status, command, "test")


def test_process_is_not_asked_where_there_is_none():
    """A driver without a process of its own is taken at its word."""
    routes = {"test": make_route("test", process=None)}

    assert resolve(make_request("/test/"), routes, is_alive=lambda process: False) is not None


def test_several_apis_need_a_choice():
    """Without a default the problem names the APIs and the setting that chooses."""
    problem = refuse(make_request("/test/a"), {"test": make_route("test", apis=(API, ADMIN), default_api=None)})

    assert problem.status == 404
    assert "Api, Admin" in problem.detail
    assert 'api = "Api"' in problem.detail
    assert problem.extra["apis"] == ["Api", "Admin"]


@pytest.mark.parametrize(
    ("default", "target", "expected"),
    [("Admin", "/test/a", ADMIN), ("Api", "/test/_api/Admin/a", ADMIN), (None, "/test/_api/Api/a", API)],
    ids=["default", "named", "named-without-default"],
)
def test_one_of_several_apis_is_reached(default, target, expected):
    """The default serves the prefix, every API its own path."""
    destination = find(make_request(target), {"test": make_route("test", apis=(API, ADMIN), default_api=default)})

    assert destination is not None
    assert (destination.api, destination.target) == (expected, "/a")


def test_unknown_api_lists_the_known():
    """A logical id that isn't deployed is not found."""
    problem = refuse(make_request("/test/_api/Other/a"))

    assert problem.status == 404
    assert "Api" in problem.detail


def test_only_api_needs_no_choice():
    """A single API is the default."""
    assert find(make_request("/test/"), {"test": make_route("test", default_api=None)}) is not None


def test_target_must_be_a_path():
    """`*` and authorities mean no environment."""
    assert refuse(make_request("*", host="test.localhost")).status == 400


@given(rest=st.text(alphabet=string.ascii_letters + string.digits + "/%?&=+.;:@-_~!$'()*,é", max_size=60))
def test_target_is_kept_to_the_byte(rest):
    """Whatever follows the prefix goes on as it was sent."""
    by_path = find(make_request(f"/test/{rest}"))
    by_host = find(make_request(f"/{rest}", host="staging.localhost"))

    assert by_path is not None
    assert by_host is not None
    if not rest.startswith("_api/"):
        assert by_path.target == by_host.target == f"/{rest}"


@given(segment=st.text(alphabet=string.ascii_letters + "%-._", max_size=10), rest=st.text(max_size=20))
def test_split_loses_nothing(segment, rest):
    """Segment and rest are the whole target again."""
    assert split_segment(f"/{segment}/{rest}") == (segment, f"/{rest}")


LAB = {name: make_route(name) for name in ("prod", "single/prod", "single/test")}


@pytest.mark.parametrize(
    ("target", "named", "environment", "mount", "rest"),
    [
        pytest.param("/single/prod/a?b", (), "single/prod", "/single/prod", "/a?b", id="path"),
        pytest.param("/single/prod", (), "single/prod", "/single/prod", "/", id="path-without-slash"),
        pytest.param("/prod/single/prod", (), "prod", "/prod", "/single/prod", id="one-segment"),
        pytest.param("/a", ("single/test",), "single/test", "", "/a", id="header"),
    ],
)
def test_names_of_the_lab_have_two_segments(
    target: str, named: tuple[str, ...], environment: str, mount: str, rest: str
) -> None:
    """The same client compares topologies by the path alone."""
    found = find(make_request(target, named=named), LAB)
    assert found is not None
    assert (found.route.environment, found.mount, found.target) == (environment, mount, rest)


@pytest.mark.parametrize("target", ["/single", "/single/", "/single/staging/a", "/single//prod"])
def test_half_of_a_name_is_no_environment(target: str) -> None:
    """There is no fallback to another environment."""
    assert refuse(make_request(target), LAB).status == 404


def test_an_environment_of_the_lab_is_started_by_its_own_command() -> None:
    """Its name is one of many: who published the route says which command starts it."""
    stopped = {name: make_route(name, url=None, started_by="multistack lab up") for name in ("single/prod", "prod")}
    for name in stopped:
        assert refuse(make_request(f"/{name}/"), stopped).next_command == "multistack lab up"
