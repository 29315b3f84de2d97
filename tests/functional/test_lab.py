"""The lab as a user has it: three topologies behind one proxy, mistakes made in them, and nothing left of it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.endpoint import client
from emulator.lab.opening import open_laboratory
from emulator.lab.topologies import Topology
from emulator.process import read_record
from tests.conftest import Answer, ProjectFolder, http
from tests.drivers import assert_nothing_left, is_embedded, kill_emulator
from tests.functional.cutting import cut, cut_at_line, until_line

PREFIXES = {"multi": "", "single": "single/", "multi-same-account": "same-account/"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A folder without any project, with a lab that is up; nothing stays of it."""
    root = tmp_path_factory.mktemp("lab")
    (root / "home").mkdir()
    (root / "work").mkdir()
    made = ProjectFolder(root / "work", root / "home")
    made.run("lab", "up", timeout=280)
    yield made
    (lab_of(made) / "multistack.toml").write_text("broken by hand")
    assert made.run("lab", "down").stdout == "stopped the lab, and removed it\n"
    assert made.processes() == []
    assert list(made.folder.iterdir()) == []
    assert_nothing_left(lab_of(made))


def lab_of(folder: ProjectFolder) -> Path:
    """Where its lab is."""
    return folder.folder / ".multistack" / "lab"


def places(folder: ProjectFolder) -> dict[tuple[str, str], dict[str, Any]]:
    """``lab status --json`` by topology and environment."""
    rows = json.loads(folder.run("lab", "status", "--json").stdout)
    return {(row["topology"], row["environment"]): row for row in rows}


def order(folder: ProjectFolder, topology: str, environment: str) -> Answer:
    """The order that all environments begin with."""
    record = read_record(lab_of(folder) / ".multistack" / "proxy")
    assert record is not None
    return http("GET", f"http://127.0.0.1:{record.port}/{PREFIXES[topology]}{environment}/orders/a-1")


def results(folder: ProjectFolder) -> dict[tuple[str, str], dict[str, Any]]:
    """What is kept, by experiment and topology."""
    kept = json.loads((lab_of(folder) / "results.json").read_text())
    return {(one["experiment"], one["topology"]): one for one in kept["results"]}


def test_one_proxy_serves_all_topologies(folder: ProjectFolder) -> None:
    """The same client compares them by the path alone, and every environment has its own data."""
    found = places(folder)
    for topology, prefix in PREFIXES.items():
        for environment, pieces in (("test", 1), ("staging", 3), ("prod", 7)):
            assert found[topology, environment]["url"].endswith(f"/{prefix}{environment}/")
            assert order(folder, topology, environment).json()["qty"] == pieces
    assert len({row["url"].split("/")[2] for row in found.values()}) == 1


def test_accounts_are_as_the_topology_says(folder: ProjectFolder) -> None:
    """One each in `multi`, one for all in the others."""
    found = places(folder)
    count = {
        topology: len({row["account"] for (named, _), row in found.items() if named == topology})
        for topology in PREFIXES
    }
    assert count == {"multi": 3, "single": 1, "multi-same-account": 1}


def test_a_mistake_hurts_prod_where_it_is_shared_and_nowhere_else(folder: ProjectFolder) -> None:
    """A wrong stage variable gives prod test's data, in silence; with stacks of their own the command is refused."""
    done = folder.run("lab", "run", "x03")
    heading, row = done.stdout.splitlines()
    assert heading.split() == ["PROD", "SEES", "SINGLE", "MULTI", "MULTI-SAME-ACCOUNT"]
    assert row == "X03        200 with wrong data on 100% of the calls  nothing  nothing"
    single, multi = results(folder)["X03", "single"], results(folder)["X03", "multi"]
    assert (single["seen"], single["failures"], single["share"]) == ("wrong data", 0, 1.0)
    assert single["wrong"] > 20
    assert {moment["verdict"] for moment in single["timeline"] if moment["at"] < 0} == {"good"}
    assert single["timeline"][-1]["verdict"] == "good"
    assert (multi["seen"], multi["wrong"] + multi["failures"]) == ("unhurt", 0)
    (typed,) = (one for one in multi["typed"] if one["phase"] == "mistake")
    assert typed["line"].startswith("aws apigateway update-stage ")
    assert typed["answer"].startswith("NotFoundException")


@pytest.mark.skipif(is_embedded(), reason="test_lab_experiments.py runs all of them in all topologies")
def test_the_first_experiments_are_as_expected(folder: ProjectFolder) -> None:
    """Wrong alias, wrong stage variables, $LATEST, frozen config: prod is hurt in the single stack only."""
    names = ["X01", "X02", "X04", "X05"]
    done = json.loads(folder.run("lab", "run", *names, "--json").stdout)
    hurt = {(one["experiment"], one["topology"]) for one in done if one["seen"] != "unhurt"}
    assert hurt == {(name, "single") for name in names}
    assert {one["outcome"] for one in done} == {"as expected"}


def test_what_an_undo_can_not_bring_back_is_put_back(folder: ProjectFolder) -> None:
    """Whoever asks prod after the last experiment finds it well, a deleted function included."""
    folder.run("lab", "run", "X07", "--topology", "single")
    assert order(folder, "single", "prod").json()["qty"] == 7


def test_one_topology_can_be_run_alone(folder: ProjectFolder) -> None:
    """What is known of the others stays; an experiment that is named twice is run once."""
    done = json.loads(folder.run("lab", "run", "X02", "x02", "--topology", "multi", "--json", "--seed", "7").stdout)
    assert [(one["topology"], one["seed"]) for one in done] == [("multi", 7)]


def test_what_was_changed_by_hand_is_put_back_before_an_experiment(folder: ProjectFolder) -> None:
    """Deleted orders, a broken table name, a deployment: each run begins with the lab as it was made."""
    lab = open_laboratory(lab_of(folder), folder.command_environ(), {})
    assert lab is not None
    for topology in (Topology.SINGLE, Topology.MULTI):
        prod = lab.world(topology).places["prod"]
        client(prod.endpoint, "dynamodb").delete_item(TableName=prod.table, Key={"id": {"S": "a-1"}})
        assert order(folder, topology.value, "prod").status == 404
    client(lab.world(Topology.SINGLE).places["prod"].endpoint, "lambda").delete_function(
        FunctionName=lab.world(Topology.SINGLE).places["prod"].function
    )
    file = ("--file", str(lab_of(folder) / "multistack.toml"))
    before = json.loads(folder.run(*file, "history", "prod", "--json").stdout)
    folder.run(*file, "--set", "environments.prod.config.PageSize=7", "deploy", "prod")
    folder.run("lab", "reset")
    assert [order(folder, one, "prod").json()["qty"] for one in PREFIXES] == [7, 7, 7]
    assert json.loads(folder.run(*file, "history", "prod", "--json").stdout) == before


def test_only_one_command_works_in_a_lab(folder: ProjectFolder) -> None:
    """A second one says which the first is, and leaves it alone."""
    first = folder.start("lab", "run", "--all")
    until_line(first, "X01")
    second = folder.run("lab", "run", "X03", check=False)
    assert second.returncode == 3
    assert f"error: the lab is in use: multistack lab run (pid {first.pid})" in second.stderr
    until_line(first, "X02")
    cut(first, signal.SIGINT)


def test_an_experiment_that_was_stopped_spoils_nothing(folder: ProjectFolder) -> None:
    """Ctrl-C in the middle leaves a broken prod at most; the next run starts clean."""
    cut_at_line(folder.start("lab", "run", "--all"), "X01", signal.SIGINT)
    folder.run("lab", "run", "X02")
    command = folder.start("lab", "run", "--all")
    until_line(command, "X01")
    os.killpg(command.pid, signal.SIGKILL)
    command.communicate()
    folder.run("lab", "run", "X02")


def test_a_lost_emulator_is_started_again(folder: ProjectFolder) -> None:
    """`lab up` does what is missing, and no more."""
    file = ("--file", str(lab_of(folder) / "multistack.toml"))
    folder.run(*file, "down", "prod")
    assert places(folder)["multi", "prod"]["status"] == "stopped"
    stopped = order(folder, "multi", "prod")
    assert (stopped.status, stopped.json()["next"]) == (503, "multistack lab up")
    folder.run("lab", "up")
    assert order(folder, "multi", "prod").json()["qty"] == 7
    assert "nothing to do: the lab is up" in folder.run("lab", "up").stderr


def test_a_lab_survives_a_reboot(folder: ProjectFolder) -> None:
    """All processes are gone at once; the next command has everything as it began."""
    if is_embedded():
        for pid in folder.processes():
            os.kill(pid, signal.SIGKILL)
    else:
        for name in ("test", "staging", "prod"):
            kill_emulator(lab_of(folder), name)
    folder.run("lab", "run", "X02", "--topology", "single", "--topology", "multi")
    folder.run("lab", "up")
    assert [order(folder, one, "prod").json()["qty"] for one in PREFIXES] == [7, 7, 7]


def test_commands_on_the_lab_s_project_leave_the_other_topologies(folder: ProjectFolder) -> None:
    """It is a project like any other; the proxy goes on to serve what the project doesn't know."""
    file = ("--file", str(lab_of(folder) / "multistack.toml"))
    folder.run(*file, "up")
    assert order(folder, "single", "prod").status == 200
    inside = ProjectFolder(lab_of(folder), folder.home)
    assert places(inside).keys() == places(folder).keys()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("lab", "run"), 2, "name experiments, or give --all"),
        (("lab", "run", "X03", "--all"), 2, "name experiments, or give --all"),
        (("lab", "run", "X98"), 2, "there is no experiment X98"),
        (("lab", "show", "nonsense"), 2, "there is no experiment nonsense"),
        (("lab", "run", "X03", "--topology", "triple"), 2, "'triple' is not one of"),
        (("--set", "driver=external", "lab", "up"), 2, "a lab can't run on driver external"),
        (("lab", "status"), 3, "there is no lab here"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    """And makes nothing."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    project = ProjectFolder(tmp_path / "work", tmp_path / "home")
    done = project.run(*arguments, check=False)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(project.folder.iterdir()) == []
    assert project.run("lab", "down").stdout == "there is no lab here\n"


@pytest.mark.skipif(not is_embedded(), reason="no emulator is needed")
def test_a_half_made_lab_can_be_removed(tmp_path: Path) -> None:
    """A command that was killed while it copied the sample leaves no project file."""
    (tmp_path / "home").mkdir()
    project = ProjectFolder(tmp_path, tmp_path / "home")
    (lab_of(project) / "src").mkdir(parents=True)
    assert project.run("lab", "down").stdout == "removed the lab; nothing was running\n"
    assert not lab_of(project).exists()
