"""What the proxy decides about requests to spaces: whose they are, whether they may, and what is left of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator.inspector.rates import Rates
from emulator.model import STATE_FOLDER, Quota, Route, Space
from emulator.proxy.answer import Answer
from emulator.proxy.guesses import Guesses
from emulator.proxy.problems import Problem
from emulator.proxy.recording import Recorder
from emulator.proxy.request import Request
from emulator.proxy.request_quota import RequestQuota
from emulator.proxy.resolve import Destination
from emulator.proxy.seat import Seat, is_emulators_own
from emulator.proxy.space_table import SpaceTable
from emulator.proxy.spaces import SpaceGate
from emulator.proxy.waking import Waker, starting_by
from emulator.routes import ROUTES_FILE, publish_routes
from emulator.space_list import home_of, write_spaces
from emulator.space_tokens import Purpose, keep_key, make_token
from tests.unit.test_proxy_app import make_route

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
OTHER = "192.0.2.9"
OWN_ROUTES = {name: make_route(name) for name in ("test", "single/prod")}


class NoBody:
    """The body of an answer that has none."""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        raise StopIteration

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class World:
    """Two spaces, alice with test and prod, bob with test; what is passed on is kept."""

    state: Path
    seconds: float = 1000.0
    headers: list[tuple[str, str]] = field(default_factory=list)
    says: str | Problem = "200 OK"
    passed: list[tuple[str, Request, Destination]] = field(default_factory=list)
    started: list[tuple[str, str]] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    start: Callable[[str, str], int] | None = None
    pause: Callable[[float], None] = lambda _seconds: time.sleep(0.001)

    def __post_init__(self) -> None:
        self.spaces = {name: Space(name=name, number=at, at=NOW) for at, name in enumerate(("alice", "bob"), 1)}
        self.publish("alice", "test", "prod")
        self.publish("bob", "test")
        self.key = keep_key(self.state)
        self.write()
        self.gate = SpaceGate(
            SpaceTable(self.state, on_change=lambda: None),
            Recorder(self._forward("service"), rates=Rates()),
            self._forward("aws"),
            listens_on=lambda _host: False,
            is_alive=lambda _process: True,
            guesses=Guesses(lambda _client: False, lambda: self.seconds),
            waker=Waker(self._start, clock=lambda: self.seconds, pause=self._wait),
            check=self._check,
            clock=lambda: self.seconds,
            now=lambda: NOW + timedelta(seconds=self.seconds - 1000.0),
        )

    def _check(self, route: Route) -> None:
        if route.environment in self.lost:
            raise Problem(503, "away", "Environment away", "its cluster is asked")

    def publish(self, space: str, *names: str, url: str | None = "http://127.0.0.1:4566") -> None:
        """The routes of a space."""
        folder = home_of(self.state, space) / STATE_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        publish_routes(folder / ROUTES_FILE, [make_route(name, url=url) for name in names])

    def change(self, name: str, **fields: object) -> None:
        """Rewrite the list."""
        self.spaces[name] = replace(self.spaces[name], **fields)  # type: ignore[arg-type]
        self.write()

    def write(self) -> None:
        write_spaces(self.state, self.spaces)

    def token(self, name: str, *, lasts: float = 3600.0, purpose: Purpose = Purpose.ACCESS) -> str:
        """A good one."""
        space = self.spaces.get(name) or Space(name=name, number=9, at=NOW)
        return make_token(self.key, purpose, space, expires=NOW + timedelta(seconds=lasts))

    def ask(self, request: Request) -> Answer:
        """As the proxy does it."""
        seat = self.gate.seat(request, OWN_ROUTES)
        assert seat is not None
        return self.gate.answer(request, seat, self.gate.admit(request, name=seat.space))

    def refused(self, request: Request) -> Problem:
        """The problem that it is answered with."""
        with pytest.raises(Problem) as caught:
            self.ask(request)
        return caught.value

    def _forward(self, kind: str) -> Callable[[Request, Destination], Answer]:
        def forward(request: Request, destination: Destination) -> Answer:
            self.passed.append((kind, request, destination))
            if isinstance(self.says, Problem):
                raise self.says
            return Answer(status_line=self.says, headers=self.headers, body=NoBody())

        return forward

    def _start(self, name: str, environment: str) -> int:
        self.started.append((name, environment))
        return self.start(name, environment) if self.start else 0

    def _wait(self, seconds: float) -> None:
        self.pause(seconds)

    def let_pass(self, seconds: float) -> None:
        """Time goes by without waiting for it."""
        self.seconds += seconds


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Everything runs, nobody has asked yet."""
    return World(tmp_path / STATE_FOLDER)


def asking(
    target: str = "/alice/test/orders", token: str = "", *headers: tuple[str, str], client: str = OTHER, **more: str
) -> Request:
    """A request with a token in the header of ours."""
    given = [*headers, *([("X-Multistack-Token", token)] if token else [])]
    fields = {"method": "GET", "host": "localhost", **more}
    return Request(target=target, headers=given, body=None, length=0, client=client, **fields)  # type: ignore[arg-type]


ALICE = Seat(space="alice", environment="test", prefix="/alice/test", target="/a%2Fb?c")
NAMED = replace(ALICE, prefix="", target="/x")


@pytest.mark.parametrize(
    ("request_", "seat"),
    [
        pytest.param(asking("/alice/test/a%2Fb?c"), ALICE, id="by path"),
        pytest.param(asking("/Alice/test/a%2Fb?c"), replace(ALICE, prefix="/Alice/test"), id="by path, upper case"),
        pytest.param(asking("/x", host="test.alice.localhost:80"), NAMED, id="by host"),
        pytest.param(asking("/x", "", ("X-Multistack-Environment", "alice/test")), NAMED, id="by header"),
        pytest.param(
            asking("/x", "", ("X-Multistack-Environment", "alice/test"), host="test.alice.localhost"),
            NAMED,
            id="by header and host",
        ),
        pytest.param(asking("/test/x"), None, id="an environment of the project"),
        pytest.param(asking("/TEST/x"), None, id="an environment of the project, upper case"),
        pytest.param(asking("/test/alice/test"), None, id="its path may say anything"),
        pytest.param(asking("/alice/test/", host="test.localhost"), None, id="its host hides all paths"),
        pytest.param(asking("/x", host="alice.localhost"), None, id="a host with one name is an environment"),
        pytest.param(asking("/single/prod/x"), None, id="an environment of the lab"),
        pytest.param(asking("/single/other/x"), None, id="what would be one of the lab"),
        pytest.param(asking("/"), None, id="the home page"),
        pytest.param(asking("/_multistack/requests"), None, id="a page"),
        pytest.param(asking("/_all/x"), None, id="all environments"),
        pytest.param(asking("/x", "", ("X-Multistack-Environment", "*")), None, id="every environment"),
        pytest.param(asking("/x", "", ("X-Multistack-Environment", "alice/test,bob/test")), None, id="a list"),
        pytest.param(
            asking("/x", "", ("X-Multistack-Environment", "bob/test"), host="test.alice.localhost"),
            None,
            id="two at once",
        ),
        pytest.param(asking("/" + "a" * 200 + "/test/"), None, id="200 letters"),
        pytest.param(asking("/%C3%A4lice/test/"), None, id="encoded"),
        pytest.param(asking("/älice/test/"), None, id="unicode"),
        pytest.param(asking("//alice/test/"), None, id="an empty segment"),
    ],
)
def test_which_seat_a_request_means(world: World, request_: Request, seat: Seat | None) -> None:
    """The project's own names win; fan-out means the project's own environments only."""
    assert world.gate.seat(request_, OWN_ROUTES) == seat


def test_without_spaces_nothing_is_one(world: World) -> None:
    """An unknown name is an unknown environment, as it was before."""
    world.spaces.clear()
    world.write()
    assert world.gate.seat(asking("/alice/test/"), OWN_ROUTES) is None


@pytest.mark.parametrize(
    ("request_", "is_told"),
    [
        pytest.param(asking("/tset/x", client="127.0.0.1"), True, id="by path"),
        pytest.param(asking("/tset/", client="127.0.0.1"), True, id="nothing but a name"),
        pytest.param(asking("/x", host="test.aliec.localhost", client="127.0.0.1"), True, id="by host"),
        pytest.param(asking("/alice/x", client="127.0.0.1"), False, id="a space that there is"),
        pytest.param(asking("/tset/x", "any", client="127.0.0.1"), False, id="with a token"),
        pytest.param(asking("/aliec/_join", client="127.0.0.1"), False, id="where tokens are traded"),
        pytest.param(asking("/tset/x", client=OTHER), False, id="of another machine"),
    ],
)
def test_a_mistyped_name_is_told_as_such_on_this_machine(world: World, request_: Request, is_told: bool) -> None:
    """Whoever sits here may know which there are; others learn of no name whether it is one."""
    assert (world.gate.seat(request_, OWN_ROUTES) is None) is is_told


def sent(place: str, token: str) -> Request:
    """A request that carries *token* in one of the places."""
    if place == "presigned":
        return asking(f"/alice/test/k?X-Amz-Credential={token}%2F20261127%2Feu&X-Amz-Signature=0")
    header, value = {
        "header": ("X-Multistack-Token", token),
        "cookie": ("Cookie", f"a=1; multistack_space={token}; b=2"),
        "signed": ("Authorization", f"AWS4-HMAC-SHA256 Credential={token}/20261127/eu/s3/aws4_request, Signature=0"),
        "signed as of old": ("Authorization", f"AWS {token}:0"),
    }[place]
    return asking("/alice/test/k", "", (header, value))


@pytest.mark.parametrize("place", ["header", "cookie", "signed", "signed as of old", "presigned"])
def test_a_token_lets_in_and_goes_no_further(world: World, place: str) -> None:
    """Into its own space only; an emulator takes the account that stands in its place for the caller."""
    token = world.token("alice")
    world.ask(sent(place, token))
    (_, request, destination) = world.passed.pop()
    assert token not in repr((request, destination))
    assert destination.route.environment == "alice/test"
    if place.startswith(("signed", "presigned")):
        assert "000000000001" in repr(request)
    if place == "cookie":
        assert request.values("cookie") == ["a=1; b=2"]
    assert world.refused(sent(place, world.token("bob"))).status == 403
    assert world.passed == []


def test_a_token_in_a_plain_link_opens_nothing(world: World) -> None:
    """Links are shared, and stay in histories; it is taken out all the same."""
    token = world.token("alice")
    assert world.refused(asking(f"/alice/test/?token={token}")).kind == "token-missing"
    world.ask(asking(f"/alice/test/?token={token}", token))
    assert token not in repr(world.passed)


def test_any_good_token_will_do(world: World) -> None:
    """A browser may still have the cookie of an earlier link beside what a page sends."""
    old = world.token("alice")
    world.change("alice", generation=2)
    world.ask(asking("/alice/test/", world.token("alice"), ("Cookie", f"multistack_space={old}")))
    assert world.refused(asking("/alice/test/", old)).kind == "token-earlier"


def test_an_unknown_space_is_answered_like_a_known_one(world: World) -> None:
    """Without a token, with a wrong one, with one of another space: nobody learns which names there are."""
    others = ["", "wrong", "ä", world.token("carol", lasts=-1), world.token("carol"), world.token("carol")[:-1]]
    for token in others:
        known, unknown = (world.refused(asking(f"/{name}/test/", token)) for name in ("alice", "nobody"))
        assert (known.status, known.headers) == (unknown.status, unknown.headers)
        assert known.to_json(instance="").replace(b"alice", b"nobody") == unknown.to_json(instance="")
        world.seconds += 60  # six guesses from one address


@pytest.mark.parametrize(
    ("make", "status", "kind"),
    [
        (lambda _world: "", 401, "token-missing"),
        (lambda _world: "wrong", 401, "token-malformed"),
        (lambda world: world.token("bob"), 403, "token-other-space"),
        (lambda world: world.token("alice", lasts=-1), 401, "token-expired"),
        (lambda world: world.token("alice", purpose=Purpose.JOIN), 401, "token-malformed"),
    ],
)
def test_a_refusal_says_what_to_do(world: World, make: Callable[[World], str], status: int, kind: str) -> None:
    """One line, and the command by which a new link is made."""
    problem = world.refused(asking("/alice/test/", make(world)))
    assert (problem.status, problem.kind) == (status, kind)
    assert problem.next_command == "multistack space url alice --new"
    assert "\n" not in problem.detail


def test_guesses_of_other_machines_are_counted(world: World) -> None:
    """What was a good token once is no guess; a good one counts, whoever guesses at the same address."""
    good, expired = world.token("alice"), world.token("alice", lasts=-1)
    for token in ["", expired] * 20:
        assert world.refused(asking("/alice/test/", token)).status == 401
    assert [world.refused(asking("/nobody/test/", "wrong")).status for _ in range(11)] == [401] * 10 + [429]
    assert world.refused(asking("/alice/test/", "wrong", client="127.0.0.1")).status == 401
    world.ask(asking("/alice/test/", good))
    world.seconds += 60
    assert world.refused(asking("/alice/test/", "wrong")).status == 401


def test_this_machine_may_guess(world: World) -> None:
    """It is its own owner's."""
    wrong = [world.refused(asking("/alice/test/", "wrong", client="127.0.0.1")).status for _ in range(30)]
    assert set(wrong) == {401}


def test_an_unknown_environment_lists_those_of_its_space(world: World) -> None:
    """And no others, of the project or of another space."""
    problem = world.refused(asking("/alice/staging/", world.token("alice")))
    assert (problem.status, problem.environment) == (404, "alice/staging")
    assert problem.extra["environments"] == ["test", "prod"]
    assert problem.next_command == "multistack --space alice status"
    assert "bob" not in repr(problem.to_json(instance=None))


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"url": None}, "multistack --space alice up test"),
        ({"apis": (), "digest": None}, "multistack --space alice deploy test"),
        ({"apis": ()}, "multistack --space alice invoke test"),
        ({"default_api": None, "apis": ()}, "multistack --space alice invoke test"),
    ],
)
def test_problems_name_the_command_in_the_space(world: World, changes: dict[str, object], command: str) -> None:
    """Whoever runs the class can type it."""
    folder = home_of(world.state, "alice") / STATE_FOLDER
    publish_routes(folder / ROUTES_FILE, [make_route("test", **changes)])
    problem = world.refused(asking("/alice/test/", world.token("alice")))
    assert (problem.environment, problem.next_command) == ("alice/test", command)


def test_a_service_says_nothing_for_the_whole_origin(world: World) -> None:
    """Other spaces are at the same origin."""
    world.headers = [("Service-Worker-Allowed", "/"), ("Clear-Site-Data", '"cookies"'), ("X-A", "1")]
    assert world.ask(asking("/alice/test/", world.token("alice"))).headers == [("X-A", "1")]


def test_websockets_are_refused_without_the_emulators_address(world: World) -> None:
    """Who has a token has none of the emulator's."""
    problem = world.refused(asking("/alice/test/", world.token("alice"), ("Upgrade", "websocket")))
    assert problem.status == 501
    assert "4566" not in repr(problem.to_json(instance=None))


def test_requests_to_aws_are_passed_on_unrecorded(world: World) -> None:
    """Below `_aws` is the emulator itself."""
    world.ask(asking("/alice/test/_aws/bucket/a%2Fb?list-type=2", world.token("alice")))
    ((kind, _, destination),) = world.passed
    assert (kind, destination.target, destination.mount) == ("aws", "/bucket/a%2Fb?list-type=2", "/alice/test/_aws")
    assert destination.api.path == ""


@pytest.mark.parametrize(
    "path",
    [
        "/_multistack/reset",
        "/_ministack/reset",
        "/_localstack/state/reset",
        "//_ministack/reset",
        "/./_ministack/reset",
        "/bucket/../_ministack/reset",
        "/%5Fministack/reset",
        "/%2E/%5Fministack/reset",
        "/%2F_ministack/reset",
        "/_aws/execute-api/1/live",
        "/_",
    ],
)
def test_control_routes_of_emulators_are_refused(world: World, path: str) -> None:
    """However they are written."""
    assert is_emulators_own(path)
    problem = world.refused(asking(f"/alice/test/_aws{path}", world.token("alice"), method="POST"))
    assert (problem.status, problem.kind) == (403, "emulators-own")
    assert world.passed == []


@pytest.mark.parametrize("path", ["/", "/?Action=ListQueues", "/bucket/_key", "/restapis", "/bucket/../x", "/a%2F_b"])
def test_paths_of_aws_are_none_of_those(path: str) -> None:
    """No service of AWS has one that begins with an underscore."""
    assert not is_emulators_own(path)


def test_a_quota_lets_bursts_through_and_says_when_to_come_back(world: World) -> None:
    """Two seconds' worth at once, then as many as it says; another space isn't concerned."""
    world.change("alice", quota=Quota(requests=2.0))
    request = asking("/alice/test/", world.token("alice"))
    for _ in range(4):
        world.ask(request)
    problem = world.refused(request)
    assert (problem.status, problem.kind) == (429, "too-many-requests")
    assert dict(problem.headers)["Retry-After"] == "1"
    world.ask(asking("/bob/test/", world.token("bob")))
    world.seconds += 0.5
    world.ask(request)
    assert world.refused(request).status == 429
    assert world.refused(asking("/alice/test/")).status == 401


@pytest.mark.parametrize(("rate", "at_once", "wait"), [(0.1, 1, 10), (0.5, 1, 2), (10.0, 20, 1), (None, 99, 0)])
def test_quotas_of_all_sizes(rate: float | None, at_once: int, wait: int) -> None:
    """At least one request gets through, however small it is; without one all do."""
    quota = RequestQuota(lambda: 7.0)
    space = Space(name="alice", number=1, at=NOW, quota=Quota(requests=rate))
    for _ in range(at_once):
        quota.take(space)
    if rate is None:
        return
    with pytest.raises(Problem) as caught:
        quota.take(space)
    assert dict(caught.value.headers)["Retry-After"] == str(wait)


def test_how_a_space_is_used(world: World) -> None:
    """Whoever isn't let in keeps nobody awake."""
    assert world.gate.uses()["alice"].idle == 0.0
    world.seconds += 5
    world.ask(asking("/alice/test/", world.token("alice")))
    world.seconds += 7
    world.refused(asking("/alice/test/"))
    world.refused(asking("/nobody/test/"))
    uses = world.gate.uses()
    assert (uses["alice"].idle, uses["alice"].requests, uses["alice"].refused) == (7.0, 1, 1)
    assert (uses["bob"].idle, uses["bob"].requests) == (12.0, 0)
    assert list(uses) == ["alice", "bob"]
    del world.spaces["alice"]
    world.write()
    assert list(world.gate.uses()) == ["bob"]


def test_what_environments_answer_fails_and_what_keeps_them_from_it_does_not(world: World) -> None:
    """Whoever deployed something broken is found by it; one that is away, or on its way, has broken nothing."""
    asked, failed = asking("/alice/test/", world.token("alice")), []
    for says in ("404 Not Found", "500 Internal Server Error", "503 Service Unavailable"):
        world.says = says
        world.ask(asked)
        failed.append(world.gate.uses()["alice"].failed)
    world.says = Problem(502, "bad-answer", "No valid answer", "the connection broke")
    world.refused(asked)
    failed.append(world.gate.uses()["alice"].failed)
    world.lost.add("alice/test")
    assert world.refused(asked).status == 503
    use = world.gate.uses()["alice"]
    assert ([*failed, use.failed], use.requests) == ([0, 1, 2, 3, 3], 5)


def test_a_space_that_is_being_removed_is_none(world: World) -> None:
    """Its tokens are void from then on."""
    token = world.token("alice")
    world.change("alice", is_ending=True)
    assert world.refused(asking("/alice/test/", token)).kind == "token-earlier"


def sleeping(world: World) -> Request:
    """Alice's space sleeps; what is returned asks for it."""
    world.change("alice", is_asleep=True)
    world.publish("alice", "test", "prod", url=None)
    return asking("/alice/test/", world.token("alice"))


def test_the_first_request_wakes_a_space(world: World) -> None:
    """It is held until its environment has a URL again."""
    request = sleeping(world)

    def start(name: str, _environment: str) -> int:
        world.publish(name, "test", "prod")
        return 0

    world.start = start
    world.ask(request)
    assert world.started == [("alice", "test")]
    assert world.passed[0][2].url == "http://127.0.0.1:4566"


def test_a_request_goes_on_when_its_own_environment_is_there(world: World) -> None:
    """The others are started after it."""
    request, ended = sleeping(world), threading.Event()

    def start(name: str, environment: str) -> int:
        world.publish(name, environment)
        return ended.wait(60) and 0

    world.start = start
    world.ask(request)
    assert [destination.route.environment for _, _, destination in world.passed] == ["alice/test"]
    ended.set()


@pytest.mark.parametrize(("first", "options"), [("test", " --first test"), ("", "")])
def test_a_space_is_started_by_a_command(first: str, options: str) -> None:
    """As a person would type it."""
    ran: list[str] = []

    def run(arguments: Sequence[str]) -> int:
        ran.append(" ".join(arguments))
        return 3

    assert starting_by(run)("alice", first) == 3
    assert ran == [f"--space alice up{options}"]


def test_an_environment_that_is_no_more_keeps_no_space_asleep() -> None:
    """It may be in the routes still, after it left the project file."""
    ran: list[str] = []

    def run(arguments: Sequence[str]) -> int:
        ran.append(" ".join(arguments))
        return 2 if "--first" in arguments else 0

    assert starting_by(run)("alice", "staging") == 0
    assert ran == ["--space alice up --first staging", "--space alice up"]


def test_a_space_that_does_not_wake_is_given_up(world: World) -> None:
    """After 30 s, while its command still runs; it isn't started a second time by those who come meanwhile."""
    request, ended = sleeping(world), threading.Event()
    world.start, world.pause = lambda *_names: ended.wait(20) and 0, world.let_pass
    before = world.seconds
    problem = world.refused(request)
    assert (problem.status, problem.kind) == (503, "asleep")
    assert 30 <= world.seconds - before < 31
    assert "Retry-After" in dict(problem.headers)
    world.refused(request)
    assert world.started == [("alice", "test")]
    ended.set()


def test_a_command_that_fails_is_not_repeated_at_once(world: World) -> None:
    """Each request would begin it anew."""
    request = sleeping(world)
    world.start = lambda *_names: 3
    for _ in range(3):
        problem = world.refused(request)
        assert "could not be started" in problem.detail
        assert problem.next_command == "multistack --space alice up"
    assert len(world.started) == 1
    world.seconds += 10
    world.refused(request)
    assert len(world.started) == 2


def test_an_unknown_environment_wakes_nobody(world: World) -> None:
    """Nor does a request without a token."""
    sleeping(world)
    assert world.refused(asking("/alice/nowhere/", world.token("alice"))).status == 404
    assert world.refused(asking("/alice/test/", "wrong")).status == 401
    assert world.started == []


def test_few_requests_wait_for_a_space() -> None:
    """Each of them holds a thread, and other spaces need some."""
    release = threading.Event()
    waker, refusals = Waker(lambda *_names: release.wait(20) and 0), []

    def wait() -> None:
        try:
            waker.wake("alice", "test", is_awake=release.is_set)
        except Problem as problem:
            refusals.append(problem.status)

    threads = [threading.Thread(target=wait) for _ in range(12)]
    for thread in threads:
        thread.start()
    while len(refusals) < 4:
        threading.Event().wait(0.005)
    release.set()
    for thread in threads:
        thread.join()
    assert refusals == [503] * 4


def test_a_proxy_without_commands_wakes_nobody() -> None:
    """It says so."""
    with pytest.raises(Problem, match="runs no commands"):
        Waker(None).wake("alice", "test", is_awake=lambda: False)


def test_what_its_cluster_lost_does_not_run(world: World) -> None:
    """Whoever looks after spaces sees what their learners get."""
    assert world.gate.running("alice") == {"test": True, "prod": True}
    world.lost.add("alice/prod")
    assert world.gate.running("alice") == {"test": True, "prod": False}
