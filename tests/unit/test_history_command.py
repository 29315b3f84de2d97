"""Tests of `multistack history` on a ledger that deployments were written into."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from emulator.cli import cli
from emulator.history import History
from emulator.model import Cause, Kind, Outcome, Release

_PROJECT = """service = "orders"
[environments.test]
account_id = "111111111111"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three deployments on record."""
    file = tmp_path / "multistack.toml"
    file.write_text(_PROJECT)
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    history = History(tmp_path / ".multistack" / "history.sqlite")
    for number in "123":
        release = Release(id=number * 12, digest=number * 64, config={}, config_hash="c" * 8)
        deployment = history.begin("test", release, template_hash="t", cause=Cause(kind=Kind.DEPLOY, by="ann"))
        history.end(deployment, Outcome.SUCCEEDED)
    return file


@pytest.mark.parametrize(("last", "shown", "told"), [("2", 2, True), ("3", 3, False), ("0", 3, False)])
def test_history_says_when_it_leaves_older_deployments_out(project: Path, last: str, shown: int, told: bool) -> None:
    """A cut list never passes for all there is."""
    result = CliRunner().invoke(cli, ["--file", str(project), "history", "--last", last])
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == shown + 1
    assert ("`--last 0` shows all" in result.stderr) is told
