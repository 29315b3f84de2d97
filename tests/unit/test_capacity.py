"""What so many learners need, by measured figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from emulator.capacity.figures import Figures, Source, Span, figures_of, read_figures, record
from emulator.capacity.limits import BRIDGES, MOST_SPACES, PODS_OF_NODE, PORTS, PROXY_THREADS, Machine, limits_of
from emulator.capacity.machine import own_memory
from emulator.capacity.planning import Plan, plan
from emulator.capacity.request import Request
from emulator.capacity.room import check_spaces, room_for_spaces
from emulator.capacity.starts import starts_by_width
from emulator.capacity.words import read_rate, read_size, show_seconds, show_size
from emulator.cli import cli
from emulator.drivers import container_making, embedded
from emulator.errors import ConfigError, MultistackError
from emulator.proxy import server

GIB, MIB = 2**30, 2**20
MACHINE = Machine(memory=16 * GIB, cores=4)
MEASURED = Figures(
    driver="embedded",
    sources=(),
    memory_started=50 * MIB,
    memory_deployed=70 * MIB,
    memory_loaded=100 * MIB,
    memory_peak=80 * MIB,
    memory_command=100 * MIB,
    memory_proxy=50 * MIB,
    start=Span(0.4, 0.6),
    deploy=Span(0.4, 0.5),
    command_once=0.5,
    command=0.2,
    wait=Span(0.0, 0.0),
    cores_at_rest=0.004,
    request=0.01,
    disk=200_000,
    disk_space=150_000,
    image=0,
    processes=5,
    threads=13,
)
DRIVERS = sorted(read_figures())


def request(learners: int, environments: int = 3, *, driver: str = "embedded", machines: int = 1) -> Request:
    """On machines of 16 GiB and 4 cores."""
    return Request(
        learners=learners, environments=environments, driver=driver, machines=machines, machine=MACHINE, width=4
    )


def needs(found: Plan) -> dict[str, float | None]:
    """What is needed, by name."""
    return {need.what: need.needed for need in found.needs}


def test_each_environment_is_counted() -> None:
    """Memory is that of all environments, and once that of the command and the proxy."""
    found = needs(plan(request(30), MEASURED))
    assert found["memory, functions running"] == (90 * 100 + 150) * MIB
    assert found["disk"] == 90 * 200_000 + 30 * 150_000
    assert found["processes"] == 90 * 5


def test_learners_that_fit_are_whole_spaces() -> None:
    """(16 GiB - 150 MiB) / 100 MiB is 162 environments: 54 spaces of 3, and as many on each machine."""
    alone, two = plan(request(54), MEASURED), plan(request(54, machines=2), MEASURED)
    assert (alone.learners, alone.fits, alone.first.name) == (54, True, "memory")
    assert (two.learners, two.machines) == (108, 1)
    crowded = plan(request(55), MEASURED)
    assert (crowded.fits, crowded.machines) == (False, 2)


@pytest.mark.parametrize("left_out", ["memory_loaded", "disk", "cores_at_rest", "start", "image", "processes"])
def test_what_was_not_measured_is_unknown(left_out: str) -> None:
    """It is in no sum, it limits nothing, and the plan says so."""
    found = plan(request(30), replace(MEASURED, **{left_out: None}))
    assert left_out in found.unknown
    assert None in needs(found).values()


def test_the_limit_that_breaks_first_depends_on_the_driver() -> None:
    """A machine with all the memory in the world still has its ports, networks and pods."""
    huge = Machine(memory=1000 * GIB, cores=4096)
    first = {
        driver: limits_of(replace(MEASURED, driver=driver), huge, environments=3)[0]
        for driver in ("embedded", "localstack", "kubernetes")
    }
    assert {driver: limit.most for driver, limit in first.items()} == {
        "embedded": PORTS,
        "localstack": BRIDGES,
        "kubernetes": PODS_OF_NODE,
    }


def test_limits_of_ours_are_those_of_the_code() -> None:
    """Whoever widens a range widens the plan."""
    assert len(embedded._PORTS) == len(container_making._PORTS) == PORTS
    assert server._THREADS == PROXY_THREADS


def test_what_machines_share_no_machine_more_raises() -> None:
    """A cluster has one proxy."""
    swarm = replace(MEASURED, driver="swarm")
    found = plan(request(2000, driver="swarm", machines=1000), swarm)
    assert (found.first.name, found.machines, found.fits) == ("open files of the proxy", None, False)


counts = st.integers(1, 400)


@given(counts, counts, st.integers(1, 5), st.integers(1, 8), st.sampled_from(DRIVERS))
def test_more_learners_never_need_less(fewer: int, more: int, environments: int, machines: int, driver: str) -> None:
    """Of anything, on any driver; neither do they fit where fewer don't."""
    fewer, more = sorted((fewer % 40 + 1, more % 40 + 1))
    few, many = (
        plan(request(count, environments, driver=driver, machines=machines), figures_of(driver))
        for count in (fewer, more)
    )
    for name, value in needs(few).items():
        other = needs(many)[name]
        assert (value is None) == (other is None)
        assert value is None or other is None or value <= other * (1 + 1e-9)
    assert few.fits or not many.fits
    assert few.learners == many.learners
    assert (few.machines or 10**9) <= (many.machines or 10**9)


@given(st.integers(1, 10**15), st.integers(1, 10**15), st.integers(1, 99), st.sampled_from(DRIVERS))
def test_more_memory_never_carries_less(little: int, much: int, environments: int, driver: str) -> None:
    """And so many spaces that they fit are never refused: the plan and the refusal count alike."""
    little, much = sorted((little, much))
    few, many = (
        room_for_spaces(memory=memory, cores=4, environments=environments, driver=driver).spaces
        for memory in (little, much)
    )
    assert 0 <= few <= many <= MOST_SPACES
    asked = Request(
        learners=max(1, few), environments=environments, driver=driver, machine=Machine(memory=little, cores=4)
    )
    assert plan(asked, figures_of(driver)).learners == few


def test_a_laptop_does_not_carry_a_thousand_spaces() -> None:
    """The refusal says how many it carries, and by what figure."""
    room = room_for_spaces(memory=16 * GIB, cores=4, environments=3, driver="embedded")
    assert 10 < room.spaces < 1000
    assert room.sentence.startswith(
        f"a machine of 16.0 GiB and 4 cores carries {room.spaces} spaces of 3 environments: "
    )
    assert "MiB each with functions running" in room.sentence


def test_a_thousand_spaces_are_refused_in_one_line() -> None:
    """With the figure, and the command that says what they need; as many as fit are taken."""
    room = room_for_spaces(memory=16 * GIB, cores=4, environments=3, driver="embedded")
    check_spaces(room.spaces, memory=16 * GIB, cores=4, environments=3, driver="embedded")
    with pytest.raises(ConfigError) as caught:
        check_spaces(1000, memory=16 * GIB, cores=4, environments=3, driver="embedded")
    assert caught.value.message == f"1,000 spaces are too many: {room.sentence}"
    assert "multistack capacity --learners 1000 --environments 3 --driver embedded" in str(caught.value.hint)


def test_a_driver_of_which_nothing_was_measured_is_not_refused() -> None:
    """What is unknown limits nothing: an emulator that somebody else runs may be anywhere."""
    assert room_for_spaces(memory=GIB, cores=1, environments=3, driver="external").spaces == MOST_SPACES


def test_many_spaces_are_told_in_proportion() -> None:
    """Nobody waits for the simulation of a million environments."""
    found = plan(request(MOST_SPACES), MEASURED)
    assert found.is_start_scaled
    assert found.start is not None
    assert found.start.seconds > 100 * 3600


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--learners", "0"], "--learners must be from 1 to 999,999, not 0", id="nobody"),
        pytest.param(["--learners", "-5"], "--learners must be from 1 to 999,999, not -5", id="negative"),
        pytest.param(["--learners", "1000000000"], "not 1,000,000,000", id="everybody"),
        pytest.param(["--learners", "3", "--environments", "0"], "--environments must be from 1 to 99", id="none"),
        pytest.param(["--learners", "3", "--machines", "0"], "--machines must be from 1", id="no machine"),
        pytest.param(["--learners", "3", "--width", "0"], "--width must be from 1", id="none at a time"),
        pytest.param(["--learners", "3", "--waves", "65"], "--waves must be from 1 to 64, not 65", id="waves"),
        pytest.param(["--learners", "3", "--cores", "nan"], "--cores must be above 0", id="no number of cores"),
        pytest.param(["--learners", "3", "--cores", "-1"], "--cores must be above 0", id="negative cores"),
        pytest.param(["--learners", "3", "--memory", "0GiB"], "--memory must be a size", id="no memory"),
        pytest.param(["--learners", "3", "--memory", "lots"], "--memory must be a size", id="no size"),
        pytest.param(["--learners", "3", "--bandwidth", "fast"], "--bandwidth must be a rate", id="no rate"),
        pytest.param(["--learners", "3", "--driver", "nomad"], "nothing was measured of driver nomad", id="driver"),
    ],
)
def test_bad_input_is_one_line(arguments: Sequence[str], said: str) -> None:
    """What can't be is refused with exit code 2, whatever else is wrong."""
    done = run_capacity(*arguments)
    assert isinstance(done.exception, ConfigError)
    assert said in done.exception.message
    assert "\n" not in done.exception.message


def test_memory_that_cannot_be_read_is_asked_for() -> None:
    """A container without /proc is no reason for a traceback."""

    def fail() -> int:
        raise OSError(2, "No such file or directory", "/proc/meminfo")

    with pytest.raises(MultistackError, match="doesn't say how much memory") as caught:
        own_memory(total=fail)
    assert caught.value.hint == "say it: --memory 16GiB"


@pytest.mark.parametrize(("limit", "memory"), [("max\n", 8 * GIB), (f"{2 * GIB}\n", 2 * GIB), ("", 8 * GIB)])
def test_a_container_has_what_it_may_use(tmp_path: Path, limit: str, memory: float) -> None:
    """Not what the machine around it has."""
    (tmp_path / "memory.max").write_text(limit)
    assert own_memory(total=lambda: 8 * GIB, cgroup=tmp_path / "memory.max") == memory
    assert own_memory(total=lambda: 8 * GIB, cgroup=tmp_path / "none") == 8 * GIB


def run_capacity(*arguments: str) -> Result:
    """``multistack capacity`` on a machine of 16 GiB and 4 cores, unless it says otherwise."""
    own = [option for pair in (("--memory", "16GiB"), ("--cores", "4")) if pair[0] not in arguments for option in pair]
    return CliRunner().invoke(cli, ["capacity", *own, *arguments])


def test_the_answer_for_people_says_what_ends_first() -> None:
    """With how many fit, how many machines carry all, and where the figures come from."""
    done = run_capacity("--learners", "300", "--driver", "localstack")
    assert (
        "900 environments (300 spaces of 3) on driver localstack, on one machine of 16.0 GiB and 4 cores" in done.output
    )
    assert (
        "it does not fit: at most 10 learners, what ends first: networks of the engine; 30 such machines" in done.output
    )
    assert "figures: docs/benchmarks.md" in done.output


def test_the_answer_for_machines_has_the_same_numbers() -> None:
    """Needs, limits, waves with the best width, sources; what is unknown is null."""
    found = json.loads(run_capacity("--learners", "30", "--driver", "localstack", "--waves", "3", "--json").output)
    assert (found["fits"], found["learners_that_fit"], found["machines_needed"]) == (False, 10, 3)
    assert found["first_limit"] == "networks of the engine"
    assert [wave["width"] for wave in found["waves"]] == [1, 2, 3]
    assert found["best_width"] in (1, 2, 3)
    assert {need["what"]: need["needed"] for need in found["needs"]}["memory, empty"] is None
    assert "cores_at_rest" in found["unknown"]
    assert all(source["how"] for source in found["figures_from"])


def test_waves_need_the_seconds_of_a_start() -> None:
    """What was not measured isn't simulated."""
    with pytest.raises(ConfigError, match="was not measured"):
        starts_by_width(request(3), replace(MEASURED, start=None), widest=3)


def test_recorded_figures_are_read_again(tmp_path: Path) -> None:
    """And those of other drivers stay as they are."""
    path = tmp_path / "figures.json"
    before = {"localstack": {"sources": [], "figures": {"image": 1}}}
    path.write_text(json.dumps({"format": 1, "drivers": before}))
    source = Source(how="a test", at="2026-11-27", machine="this", service="none", figures=("start",))
    measured = replace(MEASURED, sources=(source,), request=None)
    record(measured, path)
    assert read_figures(path)["embedded"] == measured
    assert json.loads(path.read_text())["drivers"]["localstack"] == before["localstack"]


@pytest.mark.parametrize("text", ["", "{}", '{"format": 2, "drivers": {}}', '{"format": 1, "drivers": {"x": {}}}'])
def test_damaged_figures_are_one_line(tmp_path: Path, text: str) -> None:
    """The installation is damaged, and no number is made up instead."""
    (tmp_path / "figures.json").write_text(text)
    with pytest.raises(MultistackError, match="measured figures"):
        read_figures(tmp_path / "figures.json")


def test_every_figure_that_ships_says_where_it_comes_from() -> None:
    """A number without a source is a guess."""
    for figures in read_figures().values():
        told = {name for source in figures.sources for name in source.figures}
        nothing_to_wait_for = {"image", "wait"}
        known = {name for name in Figures.__dataclass_fields__ if name not in (*figures.unknown, "driver", "sources")}
        assert known - told <= nothing_to_wait_for


@pytest.mark.parametrize(
    ("text", "size"), [("16GiB", 16 * GIB), ("16g", 16 * GIB), ("512 MiB", 512 * MIB), ("1.5GB", 1_500_000_000)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    """As Docker does, and with the units of the standard."""
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "16", "GiB", "-1g", "1e9g", "9999t", "\u0661g", "1g\n"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """Neither are digits of other scripts, nor more memory than a machine has."""
    with pytest.raises(ValueError, match="a size such as"):
        read_size(text)


def test_rates_are_bits() -> None:
    """As lines are sold."""
    assert read_rate("100Mbit/s") == 12_500_000


def test_figures_are_shown_as_people_say_them() -> None:
    """Three digits, and the time as one waits for it."""
    assert [show_size(value) for value in (12, 2048, 1.5 * GIB, 900 * GIB)] == ["12 B", "2.0 KiB", "1.5 GiB", "900 GiB"]
    assert [show_seconds(value) for value in (8.44, 59.97, 200, 7500)] == ["8.4 s", "60.0 s", "3 min 20 s", "2 h 5 min"]
