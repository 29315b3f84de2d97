"""What faults do to requests, on a clock of the test's own."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from emulator.faults.fault import Effects, Fault
from emulator.faults.reading import read_effects
from emulator.model import Api, Route
from emulator.proxy.answer import Answer
from emulator.proxy.disturb import Disturber
from emulator.proxy.problems import Problem
from emulator.proxy.request import Request
from emulator.proxy.resolve import Destination
from emulator.proxy.wire import BrokenAnswerError

API = Api(logical_id="Api", path="/base", stage="live")
ROUTE = Route(
    environment="prod",
    account_id="1",
    region="r",
    driver="embedded",
    url="http://127.0.0.1:1",
    process=None,
    release="r1",
    digest=None,
    apis=(API,),
    default_api="Api",
)
REQUEST = Request(
    method="GET", target="/prod/orders", host="localhost", headers=(), body=None, length=0, client="127.0.0.1"
)
DESTINATION = Destination(
    route=ROUTE, url="http://127.0.0.1:1", api=API, prefix="/prod", mount="/prod", target="/orders"
)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@dataclass
class FakeBody:
    """An answer's body in parts."""

    parts: list[bytes]
    is_closed: bool = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self.parts:
            raise StopIteration
        return self.parts.pop(0)

    def close(self) -> None:
        """Remember it."""
        self.is_closed = True


@dataclass
class World:
    """Faults, an upstream, and a clock that goes forward by sleeping."""

    faults: Sequence[Fault] = ()
    parts: Sequence[bytes] = (b"0123456789",)
    headers: Sequence[tuple[str, str]] = (("Content-Length", "10"),)
    problem: Problem | None = None
    asked: int = 0
    seconds: float = 0.0
    clears_at: float | None = None
    bodies: list[FakeBody] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.disturber = Disturber(
            self._forward,
            self,
            now=lambda: NOW + timedelta(seconds=self.seconds),
            clock=lambda: self.seconds,
            sleep=self._sleep,
        )

    def current(self) -> Sequence[Fault]:
        """The faults that are set."""
        return self.faults

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.clears_at is not None and self.seconds >= self.clears_at:
            self.faults = ()

    def _forward(self, _request: Request, _destination: Destination) -> Answer:
        self.asked += 1
        if self.problem:
            raise self.problem
        self.bodies.append(FakeBody(list(self.parts)))
        return Answer(status_line="200 OK", headers=list(self.headers), body=self.bodies[-1])

    def ask(self, request: Request = REQUEST) -> Answer:
        """One request to prod."""
        return self.disturber.forward(request, DESTINATION)

    def status(self) -> str:
        """Of one request to prod."""
        try:
            return self.ask().status_line[:3]
        except Problem as problem:
            return str(problem.status)


def fault(**options: object) -> Fault:
    """A fault of prod with the effects of ``fault set``'s options."""
    return Fault(id=1, environment="prod", effects=read_effects(**options))  # type: ignore[arg-type]


def marks(headers: Sequence[tuple[str, str]]) -> list[str]:
    """What an answer says of faults."""
    return [value for name, value in headers if name == "X-Multistack-Fault"]


def read_until_broken(answer: Answer) -> list[bytes]:
    """The parts of a body that breaks."""
    parts: list[bytes] = []
    with pytest.raises(BrokenAnswerError, match="fault 1 cut an answer of environment prod"):
        collections.deque(map(parts.append, answer.body), maxlen=0)
    return parts


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(None, id="none set"),
        pytest.param(replace(fault(drop=True), environment="test"), id="of another environment"),
        pytest.param(replace(fault(drop=True), path="/items"), id="of another route"),
        pytest.param(replace(fault(drop=True), method="POST"), id="of another method"),
        pytest.param(replace(fault(drop=True), expires=NOW), id="over"),
    ],
)
def test_other_requests_pass_untouched(other: Fault | None) -> None:
    """Not even a header tells that faults are set."""
    world = World(faults=(other,) if other else ())
    answer = world.ask()
    assert answer.body is world.bodies[0]
    assert answer.headers == [("Content-Length", "10")]
    assert world.seconds == 0


def test_latency_holds_an_answer_back() -> None:
    """Before the environment is asked; the header says for how long."""
    world = World(faults=(fault(latency="300ms"), replace(fault(latency="1s"), id=2)))
    answer = world.ask()
    assert world.seconds == pytest.approx(1.3)
    assert marks(answer.headers) == ["latency 300ms; fault=1", "latency 1s; fault=2"]
    assert b"".join(answer.body) == b"0123456789"


def test_latency_ends_when_its_fault_is_cleared() -> None:
    """Whoever waits goes on at once, so that `down` waits for nobody."""
    world = World(faults=(fault(latency="60s"),), clears_at=1.0)
    world.ask()
    assert 1.0 <= world.seconds < 1.5


def test_latency_follows_the_distribution() -> None:
    """Half of the answers below the median, few beyond the 95th percentile."""
    world = World(faults=(fault(latency="p50=100ms,p95=1s"),))
    taken = []
    for _ in range(400):
        before = world.seconds
        world.ask()
        taken.append(world.seconds - before)
    taken.sort()
    assert taken[200] == pytest.approx(0.1, abs=0.03)
    assert taken[380] == pytest.approx(1.0, abs=0.15)
    assert max(taken) <= 1.0 + 1e-6


def test_an_error_takes_the_place_of_the_environment() -> None:
    """It is a problem that names the fault; the environment isn't asked."""
    world = World(faults=(fault(error=503),))
    with pytest.raises(Problem) as caught:
        world.ask()
    assert (caught.value.status, caught.value.kind, caught.value.environment) == (503, "fault", "prod")
    assert marks(caught.value.headers) == ["error 503; fault=1"]
    assert world.asked == 0


def test_a_share_of_requests_fails_and_the_seed_says_which() -> None:
    """The same requests meet the same errors whenever the fault is set anew."""
    faults = (replace(fault(error=500), share=0.25, seed=7),)
    world, again = World(faults=faults), World(faults=faults)
    first = [world.status() for _ in range(400)]
    assert [again.status() for _ in range(400)] == first
    assert 60 < first.count("500") < 140
    assert set(first) == {"200", "500"}


def test_only_requests_of_the_route_are_counted() -> None:
    """What other requests come in between changes nothing of what is drawn."""
    faults = (replace(fault(error=500), share=0.5, seed=3, path="/orders"),)
    plain, mixed = World(faults=faults), World(faults=faults)
    expected = [plain.status() for _ in range(50)]
    found = []
    for _ in range(50):
        mixed.disturber.forward(REQUEST, replace(DESTINATION, target="/items"))
        found.append(mixed.status())
    assert found == expected


def test_a_dropped_request_gets_no_byte() -> None:
    """The body breaks before its first part, so nothing of the head is sent either; the environment isn't asked."""
    world = World(faults=(fault(latency="1s"), replace(fault(drop=True), id=2)))
    answer = world.ask()
    assert marks(answer.headers) == ["latency 1s; fault=1", "drop; fault=2"]
    with pytest.raises(BrokenAnswerError, match="fault 2 dropped a request to environment prod"):
        next(iter(answer.body))
    answer.body.close()
    assert world.asked == 0


def test_throttled_requests_are_told_when_to_come_again() -> None:
    """A bucket of one second's requests, filled as time goes by."""
    world = World(faults=(fault(throttle="2/s"),))
    assert [world.status() for _ in range(4)] == ["200", "200", "429", "429"]
    world.seconds += 0.5
    assert [world.status() for _ in range(2)] == ["200", "429"]
    world.seconds += 60
    assert [world.status() for _ in range(3)] == ["200", "200", "429"]
    with pytest.raises(Problem) as caught:
        world.ask()
    assert dict(caught.value.headers)["Retry-After"] == "1"
    assert marks(caught.value.headers) == ["throttle; fault=1"]


def test_a_slow_throttle_lets_the_first_request_through() -> None:
    """Two a minute is one now, and the next in half a minute."""
    world = World(faults=(fault(throttle="2/m"),))
    assert [world.status(), world.status()] == ["200", "429"]
    world.seconds += 30
    assert world.status() == "200"


def test_bandwidth_paces_the_body() -> None:
    """Small pieces at an even rate, none of them lost."""
    world = World(faults=(fault(bandwidth="1kB/s"),), parts=(b"", b"a" * 1500, b"b" * 500))
    answer = world.ask()
    pieces = list(answer.body)
    assert b"".join(pieces) == b"a" * 1500 + b"b" * 500
    assert world.seconds == pytest.approx(2.0, abs=0.01)
    assert max(map(len, pieces)) <= 50
    assert pieces[0] == b""
    assert marks(answer.headers) == ["bandwidth 1kB/s; fault=1"]


@pytest.mark.parametrize(
    ("parts", "cut", "seen"),
    [
        pytest.param((b"0123456789",), "4", [b"0123"], id="in a part"),
        pytest.param((b"01234", b"", b"56789"), "5", [b"01234", b"", b""], id="between parts"),
        pytest.param((b"0123456789",), "0", [b""], id="at once"),
    ],
)
def test_a_cut_body_breaks(parts: Sequence[bytes], cut: str, seen: list[bytes]) -> None:
    """What comes before is sent, then the connection breaks; the environment's is let go."""
    world = World(faults=(fault(cut=cut),), parts=parts, headers=())
    answer = world.ask()
    assert read_until_broken(answer) == seen
    answer.body.close()
    assert world.bodies[0].is_closed


@pytest.mark.parametrize("headers", [(), (("content-length", "10"),)], ids=["chunked", "with a length"])
def test_a_shorter_body_stays_whole(headers: Sequence[tuple[str, str]]) -> None:
    """And where its length is known, the header doesn't claim that it was cut."""
    world = World(faults=(fault(cut="10"),), headers=headers)
    answer = world.ask()
    assert b"".join(answer.body) == b"0123456789"
    assert marks(answer.headers) == ([] if headers else ["cut 10B; fault=1"])


def test_a_problem_of_the_environment_names_the_faults_as_well() -> None:
    """A request that was held back and then found nobody tells both."""
    problem = Problem(503, "down", "Environment not ready", "it is down")
    world = World(faults=(fault(latency="1s"),), problem=problem)
    with pytest.raises(Problem) as caught:
        world.ask()
    assert marks(caught.value.headers) == ["latency 1s; fault=1"]


def test_what_was_counted_of_cleared_faults_is_forgotten() -> None:
    """A proxy that runs for weeks keeps nothing of them."""
    world = World()
    for number in range(1, 50):
        world.faults = (replace(fault(error=500), id=number),)
        world.status()
    assert len(world.disturber._meters) <= 2


def test_several_effects_of_one_fault_come_together() -> None:
    """Slow, then trickling, then cut."""
    effects: Effects = read_effects(latency="2s", bandwidth="1B/s", cut="3")
    world = World(faults=(replace(fault(drop=True), effects=effects),))
    answer = world.ask()
    assert b"".join(read_until_broken(answer)) == b"012"
    assert 5.0 <= world.seconds <= 6.1
