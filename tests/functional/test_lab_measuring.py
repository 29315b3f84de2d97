"""What an experiment finds out about a prod that breaks as it is told to: a small server in the place of a stack."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import pytest
from botocore.exceptions import ClientError

from emulator.errors import MultistackError, NotReady
from emulator.lab.experiment import UNHURT, UNSEEN, WRONG_DATA, Expected, Experiment, Script, Variant, fails
from emulator.lab.operator import Operator
from emulator.lab.results import Outcome, Result
from emulator.lab.running import Run, perform_experiment
from emulator.lab.topologies import Place, Topology, World
from emulator.model import Endpoint

pytestmark = pytest.mark.embedded("no emulator at all")

RUN = Run(emulator="none", seed=1)


@dataclass
class Prod:
    """What prod answers now; *every* so many answers are like that, the others are good."""

    status: int = 200
    pieces: int = 7
    every: int = 1
    asked: int = 0
    drops: bool = False

    def break_down(self, **how: int) -> None:
        """Change some of it."""
        for name, value in how.items():
            setattr(self, name, value)


class Server(http.server.ThreadingHTTPServer):
    """Serves one prod."""

    daemon_threads = True

    def __init__(self, prod: Prod) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.prod = prod


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as prod says."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """An order, or a failure."""
        prod = self.server.prod
        prod.asked += 1
        is_bad = prod.asked % prod.every == 0
        if prod.drops:
            self.close_connection = True
            return
        body = json.dumps({"qty": prod.pieces if is_bad else 7}).encode()
        self.send_response(prod.status if is_bad else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def prod() -> Prod:
    """It is well."""
    return Prod()


@pytest.fixture
def world(prod: Prod) -> Iterator[World]:
    """A topology of which only prod's API is there."""
    server = Server(prod)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    endpoint = Endpoint(environment="prod", url="http://127.0.0.1:1", account_id="1" * 12, region="eu-west-1")
    names = ("stack", "api", "stage", "function", "table", "queue", "role", "parameters")
    place = Place(environment="prod", path="/prod", endpoint=endpoint, alias=None, **dict.fromkeys(names, "x"))
    places = {name: replace(place, environment=name) for name in ("test", "staging", "prod")}
    yield World(topology=Topology.SINGLE, driver="embedded", port=server.server_port, places=places)
    server.shutdown()
    server.server_close()
    thread.join()


def breaking(prod: Prod, *, undone: bool = True, found: str = "", **how: int) -> Script:
    """A mistake that breaks prod so, and its undo."""

    def script(operator: Operator) -> Generator[None, None, None]:
        yield
        operator.does("break prod", lambda: prod.break_down(**how))
        operator.finds(found, when=bool(found))
        yield
        if undone:
            operator.does("mend prod", lambda: prod.break_down(status=200, pieces=7, every=1, drops=False))

    return script


def run(world: World, script: Script, expected: Expected = UNHURT, *, how: Run = RUN, **more: object) -> Result:
    """The result of one experiment."""
    variant = Variant(script=script, expected=expected, why="it was told to")
    fields = {"id": "X99", "title": "t", "meant": "m", "setting": "s", "sources": (), "calls": 10, **more}
    return perform_experiment(Experiment(variants={Topology.SINGLE: variant}, **fields), world, how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "expected", "told"),
    [
        pytest.param({}, UNHURT, "nothing", id="unhurt"),
        pytest.param({"status": 502}, fails(502), "502 on 100% of the calls", id="fails"),
        pytest.param({"pieces": 1}, WRONG_DATA, "200 with wrong data on 100% of the calls", id="wrong data"),
        pytest.param({"found": "3 lines"}, UNSEEN, "harm that no request shows", id="unseen"),
        pytest.param({"drops": True}, fails(0), "no answer on 100% of the calls", id="no answer"),
        pytest.param(
            {"status": 500, "every": 2}, fails(500, share=(0.4, 0.6)), "500 on 50% of the calls", id="half of the calls"
        ),
    ],
)
def test_what_prod_sees_is_measured(
    prod: Prod, world: World, how: dict[str, int], expected: Expected, told: str
) -> None:
    """Failures, wrong data and what no request shows are told apart; what is as expected passes."""
    result = run(world, breaking(prod, **how), expected)  # type: ignore[arg-type]
    assert (result.outcome, result.reason, result.told) == (Outcome.AS_EXPECTED, "", told)
    assert result.requests == sum(moment.at >= 0 for moment in result.timeline)
    assert [one.phase for one in result.typed] == ["mistake", "undo"]
    if result.failures + result.wrong:
        assert result.first_failure_after is not None
        assert 0 < result.first_failure_after < result.undone_at
        assert result.recovered_after is not None


@pytest.mark.parametrize(
    ("how", "expected", "reason"),
    [
        pytest.param({"status": 502}, UNHURT, "expected unhurt, saw fails", id="hurt"),
        pytest.param({}, fails(502), "expected fails, saw unhurt", id="not hurt"),
        pytest.param({"status": 500}, fails(502), "expected 502, saw 500", id="another status"),
    ],
)
def test_what_is_not_as_expected_differs(
    prod: Prod, world: World, how: dict[str, int], expected: Expected, reason: str
) -> None:
    """It is measured all the same, and fails the run."""
    result = run(world, breaking(prod, **how), expected)  # type: ignore[arg-type]
    assert (result.outcome, result.reason) == (Outcome.DIFFERS, reason)


def test_a_mistake_that_did_nothing_differs(world: World) -> None:
    """A prod that was not hurt is no proof where nothing was done to it."""

    def script(operator: Operator) -> Generator[None, None, None]:
        yield
        operator.doubt("no call was refused", when=True)
        yield

    result = run(world, script)
    assert (result.outcome, result.reason) == (Outcome.DIFFERS, "no call was refused")


def test_a_prod_that_is_not_well_before_proves_nothing(prod: Prod, world: World) -> None:
    """Then nothing is typed at all."""
    prod.break_down(status=503)
    said = "prod of single is not well before the mistake of X99: its last answers were 503, "
    with pytest.raises(NotReady, match=said):
        run(world, breaking(prod, status=502), how=replace(RUN, patience=0.3))
    assert prod.status == 503


def test_a_prod_that_stays_hurt_differs(prod: Prod, world: World) -> None:
    """Unless the experiment says that its undo can't bring everything back."""
    for restores, reason in ((False, "prod did not recover after the mistake was undone"), (True, "")):
        prod.break_down(status=200)
        result = run(
            world,
            breaking(prod, status=502, undone=False),
            fails(502),
            how=replace(RUN, patience=0.5),
            restores=restores,
        )
        assert (result.reason, result.recovered_after) == (reason, None)


def test_nobody_waits_for_what_can_not_be_undone(prod: Prod, world: World) -> None:
    """Where nothing can be typed to bring prod back, it is only looked at for a moment."""
    began = time.monotonic()
    result = run(world, breaking(prod, status=502, undone=False), fails(502), restores=True)
    assert result.recovered_after is None
    assert time.monotonic() - began < RUN.patience / 2


def test_a_call_that_the_emulator_does_not_know_is_not_on_this_driver(world: World) -> None:
    """It is reported as that, and never as a prod that was not hurt."""
    result = run(world, refusing("NotImplemented"))
    assert (result.outcome, result.seen) == (Outcome.NOT_ON_DRIVER, "")
    assert "NotImplemented" in result.reason


def test_a_refused_call_that_should_work_is_an_error(world: World) -> None:
    """Somebody else may work in the same lab."""
    with pytest.raises(MultistackError, match=r"X99 in single could not go on: .*AccessDenied"):
        run(world, refusing("AccessDenied"))


def refusing(code: str) -> Script:
    """A mistake that can't be made."""

    def script(operator: Operator) -> Generator[None, None, None]:
        yield
        operator.does("x", lambda: (_ for _ in ()).throw(ClientError({"Error": {"Code": code}}, "x")))
        yield

    return script


def test_what_a_driver_was_recorded_not_to_do_is_not_tried(world: World, prod: Prod) -> None:
    """The conformance suite knows why."""
    asked = prod.asked
    localstack = replace(world, driver="localstack")
    needs = ("concurrency/functions-without-a-reservation-share-a-pool",)
    result = run(localstack, breaking(prod, status=502), needs=needs)
    assert (result.outcome, prod.asked) == (Outcome.NOT_ON_DRIVER, asked)
    assert result.reason.startswith("concurrency/functions-without-a-reservation-share-a-pool: ")


def test_a_mistake_that_is_cut_ends_what_it_began(world: World) -> None:
    """What a script holds open is closed, whoever stops it, and the traffic with it."""
    ended: list[str] = []

    def script(_operator: Operator) -> Generator[None, None, None]:
        try:
            yield
            raise KeyboardInterrupt
            yield
        finally:
            ended.append("load")

    with pytest.raises(KeyboardInterrupt):
        run(world, script)
    assert ended == ["load"]
    assert [thread.name for thread in threading.enumerate() if "_flow" in thread.name] == []


def test_giving_up_ends_the_wait_for_traffic(world: World, prod: Prod) -> None:
    """Ctrl-C is heard while requests are counted."""

    def give_up() -> None:
        if prod.asked > 8:
            raise KeyboardInterrupt

    patient = replace(RUN, cancelled=give_up)
    variant = Variant(script=breaking(prod), expected=UNHURT, why="w")
    experiment = Experiment(
        id="X99", title="t", meant="m", setting="s", sources=(), variants={Topology.SINGLE: variant}, calls=10_000
    )
    with pytest.raises(KeyboardInterrupt):
        perform_experiment(experiment, world, patient)
