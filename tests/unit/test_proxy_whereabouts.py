"""What a cluster runs is looked at: where it is, and whether it has its release."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from emulator.model import Route
from emulator.proxy.problems import Problem
from emulator.proxy.whereabouts import Sight, Whereabouts, seeing
from tests.unit.test_proxy_app import make_route


def moving(name: str = "alice/test", **changes: object) -> Route:
    """The route of an environment that a swarm runs."""
    return make_route(name, **{"driver": "swarm", "process": None, "key": "k", **changes})


@dataclass
class Emulator:
    """Answers every request with *status*, and keeps what it was asked; CloudFormation tells of *stacks*."""

    status: int = 200
    stacks: tuple[str, ...] = ()
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    made = Emulator()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            made.asked.append((self.command, self.path, dict(self.headers)))
            self.send_response(made.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            """What is asked when there is no bucket, on the same connection."""
            made.asked.append((self.command, self.path, dict(self.headers)))
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            assert asked.startswith(b"Action=DescribeStacks&")
            told = "".join(f"<member><StackName>{name}</StackName></member>" for name in made.stacks).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "digest", "sight"),
    [
        pytest.param(200, "ab" * 32, Sight.THERE, id="there"),
        pytest.param(404, "ab" * 32, Sight.EMPTY, id="without its artifacts"),
        pytest.param(404, None, Sight.THERE, id="nothing was ever deployed"),
        pytest.param(403, "ab" * 32, Sight.AWAY, id="another environment's emulator"),
        pytest.param(500, "ab" * 32, None, id="in trouble"),
    ],
)
def test_what_an_emulator_answers_tells(
    emulator: Emulator, status: int, digest: str | None, sight: Sight | None
) -> None:
    """With its own key and account."""
    emulator.status = status
    assert seeing(allow_remote=False)(moving(url=emulator.url, digest=digest)) is sight
    (method, path, _), *_ = emulator.asked
    assert (method, path) == ("HEAD", "/multistack-artifacts-eu-central-1")
    for _, _, headers in emulator.asked:
        assert headers["X-Multistack-Key"] == "k"
        assert "Credential=000000000001/" in headers["Authorization"]


def test_an_environment_whose_bucket_was_removed_is_not_empty(emulator: Emulator) -> None:
    """Whoever may use it may do so: what it serves must not be deployed anew over live data for that."""
    emulator.status, emulator.stacks = 404, ("orders-test",)
    assert seeing(allow_remote=False)(moving(url=emulator.url, digest="ab" * 32)) is Sight.THERE


def test_who_refuses_connections_is_away() -> None:
    """Somebody has the port, so that nobody takes it meanwhile, and does not listen."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        route = moving(url=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        assert seeing(allow_remote=False)(route) is Sight.AWAY


def test_who_is_late_with_an_answer_tells_nothing() -> None:
    """A busy one isn't lost: its machine may be full of others."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert seeing(allow_remote=False)(moving(url=url)) is None


def test_a_machine_that_may_not_be_asked_is_not() -> None:
    """A route is no way around `allow_remote`."""
    assert seeing(allow_remote=False)(moving(url="http://192.0.2.1:4566")) is Sight.AWAY


def test_one_whose_name_is_gone_hides_no_other(emulator: Emulator) -> None:
    """A cluster knows the name of a service only while that is there; the others are looked at all the same."""
    gone = moving("gone", url="http://gone.invalid:4566")
    lost = Whereabouts(seeing(allow_remote=False)).look([gone, moving(url=emulator.url)])
    assert {name: one.sight for name, one in lost.items()} == {"gone": Sight.AWAY}


def test_requests_to_what_is_lost_are_refused_until_it_is_seen_again() -> None:
    """With when to come back; those to all others go on."""
    sights = {"alice/test": Sight.AWAY, "alice/prod": Sight.THERE}
    whereabouts = Whereabouts(lambda route: sights[route.environment])
    routes = [moving("alice/test"), moving("alice/prod")]
    whereabouts.look(routes)
    whereabouts.check(routes[1])
    with pytest.raises(Problem) as refused:
        whereabouts.check(routes[0])
    assert (refused.value.status, refused.value.kind) == (503, "away")
    assert ("Retry-After", "5") in refused.value.headers
    sights["alice/test"] = Sight.THERE
    whereabouts.look_again(routes)
    whereabouts.check(routes[0])


def test_a_new_address_counts_at_once() -> None:
    """What was found of the old one says nothing about it."""
    whereabouts = Whereabouts(lambda _route: Sight.AWAY)
    whereabouts.look([moving()])
    whereabouts.check(moving(url="http://127.0.0.1:4567"))


@pytest.mark.parametrize("now", [Sight.THERE, Sight.AWAY, None])
def test_what_was_published_anew_is_looked_at_once_more(now: Sight | None) -> None:
    """After `down` and `up` it has the same address; by the first request, not before the next look at all."""
    sights, seen = [Sight.AWAY, now], []

    def see(route: Route) -> Sight | None:
        seen.append(route)
        return sights[len(seen) - 1]

    whereabouts = Whereabouts(see)
    whereabouts.look([moving()])
    published = moving()
    for _request in range(2):
        if now is Sight.THERE:
            whereabouts.check(published)
        else:
            with pytest.raises(Problem):
                whereabouts.check(published)
    assert len(seen) == 2
    assert seen[1] is published


def test_looks_in_a_row_are_counted() -> None:
    """A look that tells nothing ends no row; one that finds it there does."""
    sights: list[Sight | None] = [Sight.EMPTY, None, Sight.EMPTY, Sight.THERE, Sight.EMPTY]
    told = iter(sights)
    whereabouts = Whereabouts(lambda _route: next(told))
    found = [whereabouts.look([moving()]).get("alice/test") for _sight in sights]
    assert [one.looks if one else 0 for one in found] == [1, 1, 2, 0, 1]


@pytest.mark.parametrize(
    "route",
    [
        pytest.param(moving(driver="embedded"), id="a process of this machine"),
        pytest.param(moving(driver="localstack"), id="a container of this machine"),
        pytest.param(moving(driver="external"), id="somebody else's"),
        pytest.param(moving(url=None), id="stopped"),
    ],
)
def test_what_no_cluster_moves_is_not_looked_at(route: Route) -> None:
    """They cost nothing."""

    def see(_route: Route) -> Sight:
        raise AssertionError

    assert Whereabouts(see).look([route]) == {}
