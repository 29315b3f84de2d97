"""
The lab on containers: a few experiments that tell, in a shared stack and in stacks of their own in one account.

All of them, in all topologies, are run by ``make lab``, which records what was seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ProjectFolder
from tests.drivers import left_of

pytestmark = pytest.mark.timeout(420)

Results = dict[tuple[str, str], dict[str, Any]]
EXPERIMENTS = ("X02", "X03", "X16", "C04")


@pytest.fixture(scope="module")
def results(engine: Any, own_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """What came of them, by experiment and topology; two containers, and nothing left of them."""
    root = tmp_path_factory.mktemp("lab")
    (root / "home").mkdir()
    (root / "work").mkdir()
    folder = ProjectFolder(root / "work", root / "home")
    topologies = ("--topology", "single", "--topology", "multi-same-account")
    try:
        done = folder.run("lab", "run", *EXPERIMENTS, *topologies, "--wait", "200", "--json", check=False, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        yield {(one["experiment"], one["topology"]): one for one in json.loads(done.stdout)}
    finally:
        folder.run("lab", "down")
    assert list(folder.folder.iterdir()) == []
    lab = folder.folder / ".multistack" / "lab"
    assert left_of(engine, lab) + left_of(engine, lab / "shared") == []


@pytest.mark.parametrize("topology", ["single", "multi-same-account"])
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_prod_sees_what_is_expected_of_the_driver(results: Results, experiment: str, topology: str) -> None:
    """And it is well again when the mistake was undone."""
    found = results[experiment, topology]
    assert (found["outcome"], found["reason"], found["driver"]) == ("as expected", "", "localstack")


@pytest.mark.parametrize(
    ("experiment", "told"),
    [
        pytest.param("X02", "502 on 100% of the calls", id="a call that Lambda refuses"),
        pytest.param("X03", "200 with wrong data on 100% of the calls", id="test's data"),
        pytest.param("X16", "harm that no request shows", id="a log group for both"),
    ],
)
def test_a_shared_stack_hurts_prod(results: Results, experiment: str, told: str) -> None:
    """In a stack of its own prod sees nothing of the same mistake."""
    assert [results[experiment, one]["told"] for one in ("single", "multi-same-account")] == [told, "nothing"]


def test_a_control_hurts_prod_in_stacks_of_their_own_too(results: Results) -> None:
    """Where multi-stack is no help, containers show it as well."""
    assert {results["C04", one]["seen"] for one in ("single", "multi-same-account")} == {"fails"}
