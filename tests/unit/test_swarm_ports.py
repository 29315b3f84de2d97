"""Which port of a swarm a service gets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from emulator.drivers.swarm_ports import PORTS, PortTaken, candidates, is_conflict, on_free_port, ports_of
from emulator.errors import NotReady


def test_services_that_start_side_by_side_have_different_ports() -> None:
    """Those of spaces too, which have a driver each: here all would like the same one best."""
    together = Barrier(8)

    def make(port: int) -> int:
        together.wait(timeout=30)  # until all have chosen
        return port

    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda name: on_free_port(str(name), make, taken=set[int], before=PORTS[0]), range(8), timeout=60)
        )
    assert len(set(found)) == 8
    assert PORTS[0] in found


def test_a_port_is_free_again_once_the_swarm_knows_who_has_it() -> None:
    """A process that runs for weeks would run out of them."""
    assert [on_free_port("s", lambda port: port, taken=set[int], before=20_001) for _ in range(2)] == [20_001] * 2
    assert on_free_port("s", lambda port: port, taken=lambda: {20_001}, before=20_001) != 20_001


def test_services_begin_at_ports_of_their_own() -> None:
    """Other processes choose at the same time; a service keeps its own."""
    begins = {name: next(candidates(name, before=None)) for name in ("a", "b", "c")}
    assert len(set(begins.values())) == 3
    assert next(candidates("a", before=None)) == begins["a"]
    assert sorted(candidates("a", before=None)) == list(PORTS)
    assert next(candidates("a", before=8080)) == begins["a"]


def test_a_port_that_another_process_took_is_followed_by_a_next() -> None:
    """The swarm tells who was late."""
    first, second, *_ = candidates("s", before=None)
    asked: list[int] = []

    def make(port: int) -> int:
        asked.append(port)
        if port == first:
            raise PortTaken("port '20000' is already in use")
        return port

    assert on_free_port("s", make, taken=set[int], before=None) == second
    assert asked == [first, second]


def test_it_gives_up() -> None:
    """A swarm that refuses five ports has another trouble; one that is full says so."""
    asked: list[int] = []

    def make(port: int) -> None:
        asked.append(port)
        raise PortTaken("port is already allocated")

    with pytest.raises(PortTaken):
        on_free_port("s", make, taken=set[int], before=None)
    assert len(set(asked)) == 5
    with pytest.raises(NotReady, match="no port of the swarm is free"):
        on_free_port("s", make, taken=lambda: PORTS, before=None)


@pytest.mark.parametrize(
    "said",
    [
        "rpc error: code = InvalidArgument desc = port '20000' is already in use by service 'x' (y) as an ingress port",
        "no suitable node (host-mode port already in use on 2 nodes)",
        "driver failed programming external connectivity: Bind for 0.0.0.0:20000 failed: port is already allocated",
        "failed to bind host port 0.0.0.0:20000/tcp: address already in use",
    ],
    ids=["manager", "scheduler", "engine", "kernel"],
)
def test_a_conflict_is_told_from_other_troubles(said: str) -> None:
    """Only another port helps there."""
    assert is_conflict(said)
    assert not is_conflict("no suitable node (insufficient resources on 2 nodes)")


def test_a_service_just_made_has_its_port() -> None:
    """The swarm fills in what it gave a service a little later."""
    made = {"Spec": {"EndpointSpec": {"Ports": [{"PublishedPort": 20_001}]}}}
    runs = {
        "Spec": {"EndpointSpec": {"Ports": [{"TargetPort": 80}]}},
        "Endpoint": {"Ports": [{"PublishedPort": 30_000}]},
    }
    assert ports_of([made, runs, {"Spec": {}}, {"Spec": {}, "Endpoint": {"Ports": None}}]) == {20_001, 30_000}
