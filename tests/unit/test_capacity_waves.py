"""The simulation of starts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.capacity.figures import Span
from emulator.capacity.waves import Assumptions, Cluster, best_of, by_width, simulate

ONE = Assumptions(start=Span(1.0, 1.0), deploy=Span(1.0, 1.0))
seconds = st.floats(0.01, 20.0)
spans = st.tuples(seconds, seconds).map(lambda pair: Span(min(pair), max(pair)))
assumptions = st.builds(
    Assumptions,
    start=spans,
    deploy=spans,
    command=st.floats(0.0, 5.0),
    command_once=st.floats(0.0, 5.0),
    wait=st.one_of(st.just(Span(0.0, 0.0)), spans),
    peak=st.floats(100.0, 200.0),
    deployed=st.floats(1.0, 100.0),
    once=st.floats(0.0, 100.0),
    image=st.floats(0.0, 1000.0),
)
clusters = st.builds(
    Cluster,
    hosts=st.integers(1, 4),
    cores=st.floats(0.5, 8.0),
    bandwidth=st.one_of(st.none(), st.floats(10.0, 1000.0)),
)


@pytest.mark.parametrize(
    ("cores", "width", "expected"),
    [
        pytest.param(1, 1, 8.0, id="one core, one at a time"),
        pytest.param(1, 4, 8.0, id="one core has no more to give to four"),
        pytest.param(2, 1, 8.0, id="one environment has one core"),
        pytest.param(2, 2, 4.0, id="two cores, two at a time"),
        pytest.param(4, 4, 2.0, id="a core for each"),
    ],
)
def test_cores_are_shared(cores: float, width: int, expected: float) -> None:
    """Four spaces of one environment, two seconds of processor time each."""
    started = simulate(4, 1, width=width, assumed=ONE, cluster=Cluster(hosts=1, cores=cores))
    assert started.seconds == pytest.approx(expected)
    assert started.peak_concurrency == width


def test_the_command_is_one_process() -> None:
    """However many cores and machines there are, it works for one environment after the other."""
    assumed = replace(ONE, command=3.0, command_once=1.0)
    started = simulate(10, 1, width=10, assumed=assumed, cluster=Cluster(hosts=5, cores=16))
    assert started.seconds == pytest.approx(10 * 3.0 + 1.0 + 2.0, abs=2.0)
    assert started.seconds >= 31.0


def test_each_machine_pulls_the_image_once() -> None:
    """Before its first environment; those that come later find it there."""
    assumed = replace(ONE, image=100.0)
    started = simulate(8, 1, width=1, assumed=assumed, cluster=Cluster(hosts=2, cores=1, bandwidth=10.0))
    assert started.pulled == 200.0
    assert started.seconds == pytest.approx(2 * 10.0 + 8 * 2.0)


def test_waiting_goes_on_side_by_side() -> None:
    """Where a cluster takes its time to place things, wide waves are what helps."""
    assumed = replace(ONE, wait=Span(10.0, 10.0))
    cluster = Cluster(hosts=1, cores=100)
    narrow, wide = (simulate(10, 1, width=width, assumed=assumed, cluster=cluster) for width in (1, 10))
    assert (narrow.seconds, wide.seconds) == (pytest.approx(120.0), pytest.approx(12.0))


def test_memory_is_that_of_the_fullest_machine() -> None:
    """What starts takes more than what is up; the last one finds all others there."""
    assumed = replace(ONE, peak=5.0, deployed=3.0, once=100.0)
    started = simulate(4, 1, width=1, assumed=assumed, cluster=Cluster(hosts=2, cores=1))
    assert started.peak_memory == pytest.approx(100.0 + 3.0 + 5.0)


@given(
    spaces=st.integers(1, 8),
    environments=st.integers(1, 4),
    width=st.integers(1, 8),
    assumed=assumptions,
    cluster=clusters,
    seed=st.integers(0, 99),
)
def test_work_is_conserved(
    *, spaces: int, environments: int, width: int, assumed: Assumptions, cluster: Cluster, seed: int
) -> None:
    """All work is done, no core does more than it can, and the same seed gives the same start."""
    started = simulate(spaces, environments, width=width, assumed=assumed, cluster=cluster, seed=seed)
    total = spaces * environments
    least, most = (
        total * (getattr(assumed.start, end) + getattr(assumed.deploy, end) + assumed.command) + assumed.command_once
        for end in ("least", "most")
    )
    assert least - 1e-6 <= started.worked <= most + 1e-6
    assert started.worked <= started.seconds * cluster.cores * cluster.hosts * (1 + 1e-6) + 1e-6
    assert started.seconds >= total * assumed.command + assumed.command_once - 1e-6
    assert started.peak_concurrency <= width * environments
    assert started.peak_memory >= assumed.deployed
    assert started == simulate(spaces, environments, width=width, assumed=assumed, cluster=cluster, seed=seed)


@given(
    fewer=st.integers(1, 8),
    more=st.integers(1, 8),
    environments=st.integers(1, 3),
    width=st.integers(1, 8),
    assumed=assumptions,
    cluster=clusters,
)
def test_more_spaces_never_take_less(
    *, fewer: int, more: int, environments: int, width: int, assumed: Assumptions, cluster: Cluster
) -> None:
    """Neither time nor memory nor traffic."""
    few, many = (
        simulate(count, environments, width=width, assumed=assumed, cluster=cluster) for count in sorted((fewer, more))
    )
    assert few.seconds <= many.seconds * (1 + 1e-9)
    assert few.peak_memory <= many.peak_memory * (1 + 1e-9)
    assert few.pulled <= many.pulled


def test_the_best_width_is_the_narrowest_of_the_fastest() -> None:
    """Two cores are busy with two; wider waves are no faster."""
    runs = by_width(20, 1, widths=range(1, 9), assumed=ONE, cluster=Cluster(hosts=1, cores=2))
    assert [run.width for run in runs] == list(range(1, 9))
    assert best_of(runs).width == 2
