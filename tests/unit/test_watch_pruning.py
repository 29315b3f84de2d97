"""Which artifacts of saves go."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from emulator.artifact import ArtifactStore
from emulator.config import load_project
from emulator.model import Artifact, Outcome, Release
from emulator.opening import open_workspace
from emulator.snapshots import Snapshot, describe
from emulator.watching.pruning import KEPT, build_passing, prune
from emulator.workspace import Workspace

PROJECT = """
service = "tiny"
[environments.test]
account_id = "111111111111"
[environments.prod]
account_id = "222222222222"
"""
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {CodeUri: src/, Runtime: python3.12, Handler: app.handler}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A service of one function."""
    (tmp_path / "src").mkdir()
    (tmp_path / "multistack.toml").write_text(PROJECT)
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def open_(folder: Path) -> Workspace:
    """As each command opens it; nothing is started."""
    project = load_project(file=folder / "multistack.toml", environ={}, cwd=folder)
    return open_workspace(project, environ={}, emit=lambda _event: None)


def add(store: ArtifactStore, number: int) -> Artifact:
    """What a save made."""
    artifact = store.add({"Description": str(number)}, {})
    store.set_passing(artifact.digest, is_passing=True)
    return artifact


def release_of(artifact: Artifact) -> Release:
    """It, without config."""
    return Release(id=artifact.digest[:12], digest=artifact.digest, config_hash="0" * 12, config={})


def deploy(workspace: Workspace, artifact: Artifact, environment: str = "test", *, works: bool = True) -> None:
    """A row of the ledger."""
    row = workspace.history.begin(environment, release_of(artifact))
    workspace.history.end(row, Outcome.SUCCEEDED if works else Outcome.FAILED)


def test_saves_that_nothing_needs_go(folder: Path) -> None:
    """The last ones that each environment served stay, what is approved or in a snapshot, and what others built."""
    workspace = open_(folder)
    store = workspace.store
    made = [add(store, number) for number in range(4 * KEPT)]
    asked_for, elsewhere, approved, held, latest = made[:5]
    store.set_passing(asked_for.digest, is_passing=False)
    deploy(workspace, elsewhere, "gone-from-the-file")
    workspace.permits.approve("prod", approved.digest, by="ada", expires=workspace.now() + timedelta(days=1))
    snapshots = workspace.snapshots
    with snapshots.making("before", ["test"], replace=False) as aside:
        describe(
            aside,
            Snapshot(
                name="before",
                environment="test",
                service="tiny",
                driver="embedded",
                driver_version="1",
                account_id="1" * 12,
                region="eu-west-1",
                at=workspace.now(),
                release=release_of(held),
            ),
        )
    for artifact in made[5:]:
        deploy(workspace, artifact)
    deploy(workspace, made[6], works=False)
    gone = prune(workspace, latest)
    assert set(gone) == {one.digest for one in made[5:-KEPT]}
    assert set(store.digests()) == {one.digest for one in (*made[:5], *made[-KEPT:])}
    assert not [one for one in gone if store.folder(one).exists()]
    assert prune(workspace, latest) == []


def test_what_a_rollback_brought_back_stays(folder: Path) -> None:
    """It serves, however long ago it was saved."""
    workspace = open_(folder)
    made = [add(workspace.store, number) for number in range(3 * KEPT)]
    for artifact in (*made, made[0]):
        deploy(workspace, artifact)
    assert made[0].digest not in prune(workspace, made[-1])
    assert made[0].digest in workspace.store.digests()


def test_what_another_command_builds_is_no_save_any_more(folder: Path) -> None:
    """Whoever asked for an artifact finds it again, whether a save made the same one before or after."""

    def save(content: str) -> None:
        (folder / "src/app.py").write_text(f"def handler(event, context): return {content}\n")

    save("1")
    first = open_(folder).build()
    assert build_passing(open_(folder)) == first
    save("2")
    second = build_passing(open_(folder))
    assert open_(folder).store.passing() == {second.digest}
    assert build_passing(open_(folder)) == second
    assert open_(folder).store.passing() == {second.digest}
    assert open_(folder).build() == second
    assert open_(folder).store.passing() == set()
