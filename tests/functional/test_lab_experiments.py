"""All experiments at once, as `multistack lab run --all` makes them, and the report of that very run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.lab.experiment import UNHURT
from emulator.lab.experiments import EXPERIMENTS
from emulator.lab.topologies import Topology
from tests.conftest import ProjectFolder
from tests.drivers import assert_nothing_left

pytestmark = [
    pytest.mark.embedded("the embedded driver can do all of them; others say what they can't"),
    # They take less than a minute; on a machine that is busy with other tests several.
    pytest.mark.timeout(600),
]

Results = dict[tuple[str, str], dict[str, Any]]
MISTAKES = [one.id for one in EXPERIMENTS if not one.is_control]
CONTROLS = [one.id for one in EXPERIMENTS if one.is_control]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A folder with a lab in which all experiments were run; nothing stays of it."""
    root = tmp_path_factory.mktemp("experiments")
    (root / "home").mkdir()
    (root / "work").mkdir()
    made = ProjectFolder(root / "work", root / "home")
    try:
        # Code 7 is for the tests to tell, each what it finds.
        done = made.run("lab", "run", "--all", check=False, timeout=540)
        assert done.returncode in (0, 7), done.stderr
        yield made
    finally:
        made.run("lab", "down")
    assert made.processes() == []
    assert_nothing_left(made.folder / ".multistack" / "lab")


@pytest.fixture(scope="module")
def results(folder: ProjectFolder) -> Results:
    """What was kept, by experiment and topology."""
    kept = json.loads((folder.folder / ".multistack/lab/results.json").read_text())
    return {(one["experiment"], one["topology"]): one for one in kept["results"]}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: str(one.id))
def test_prod_sees_what_the_rules_of_aws_say(results: Results, experiment: Any) -> None:
    """In every topology an experiment ends as expected, with a prod that is well again or put back."""
    for topology in Topology:
        found = results[experiment.id, topology.value]
        assert (found["outcome"], found["reason"]) == ("as expected", ""), topology
        assert found["requests"] >= experiment.calls


def test_a_single_stack_hurts_prod_in_every_experiment(results: Results) -> None:
    """Whatever was typed was meant for test."""
    assert [name for name in MISTAKES if results[name, "single"]["seen"] == "unhurt"] == []


def test_an_account_each_hurts_prod_in_none(results: Results) -> None:
    """Not one request to prod fails, and nothing else of prod's is harmed."""
    hurt = [name for name in MISTAKES if results[name, "multi"]["seen"] != "unhurt"]
    assert hurt == []
    assert sum(results[name, "multi"]["failures"] + results[name, "multi"]["wrong"] for name in MISTAKES) == 0


def test_one_account_hurts_prod_in_x10_only(results: Results) -> None:
    """A stack of its own shares what an account has one of: the pool of concurrency."""
    assert [name for name in MISTAKES if results[name, "multi-same-account"]["seen"] != "unhurt"] == ["X10"]


def test_controls_hurt_prod_everywhere(results: Results) -> None:
    """Where multi-stack is no help, the lab says so."""
    assert CONTROLS
    for topology in Topology:
        assert {results[name, topology.value]["seen"] for name in CONTROLS} == {"fails"}


def test_harm_that_no_request_shows_is_told(results: Results) -> None:
    """Card numbers in prod's log, messages taken away, a hotfix refused: each has its finding."""
    told = {name: results[name, "single"]["findings"] for name in ("X16", "X18", "X19")}
    assert told["X16"] == ["a card number is in the log group of prod's function"]
    assert told["X18"] == ["5 messages of prod were taken by test's consumer"]
    assert told["X19"][0].startswith("prod's hotfix is refused: ValidationError: ")


def test_expectations_of_stacks_of_their_own_are_all_but_one_unhurt() -> None:
    """The data itself: no experiment excuses multi-stack, but X10 in one account."""
    excused = [
        (one.id, topology.value)
        for one in EXPERIMENTS
        if not one.is_control
        for topology in (Topology.MULTI, Topology.SAME_ACCOUNT)
        if one.variants[topology].expected is not UNHURT
    ]
    assert excused == [("X10", "multi-same-account")]


def test_the_report_shows_the_run(folder: ProjectFolder, tmp_path: Path) -> None:
    """One page and Markdown, in the lab's folder or where a path says; both with the scores."""
    named = tmp_path / "for-my-lead.md"
    assert folder.run("lab", "report", str(named)).stdout == f"{named}\n"
    written = [Path(line) for line in folder.run("lab", "report").stdout.splitlines()]
    assert [path.name for path in written] == ["report.html", "report.md"]
    page, text = (path.read_text(encoding="utf-8") for path in written)
    assert text == named.read_text(encoding="utf-8")
    for count, heading in ((19, "single-stack"), (1, "multi-stack, one account"), (0, "multi-stack, an account each")):
        assert f"- **{count} of 19** hurt prod: {heading}" in text
        assert f"<b>{count} of 19</b>hurt prod: {heading}" in page
    assert page.count("<svg") == len(EXPERIMENTS)


def test_a_report_that_can_not_be_written_is_refused(folder: ProjectFolder, tmp_path: Path) -> None:
    """A kind that is none, a folder that isn't there, a driver that nothing was run on."""
    for args, code, says in (
        ((str(tmp_path / "report.pdf"),), 2, "a report ends with .html or .md, not 'report.pdf'"),
        ((str(tmp_path / "no" / "report.md"),), 2, "there is no folder"),
        (("--driver", "localstack"), 3, "no experiment was run on the driver localstack yet"),
    ):
        done = folder.run("lab", "report", *args, check=False)
        assert done.returncode == code
        assert says in done.stderr
