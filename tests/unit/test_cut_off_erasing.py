"""Nothing is erased by whoever was cut off from the store, where another operator may have begun."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emulator.config import load_project
from emulator.created import Created, read_created, write_created
from emulator.errors import MultistackError, NotReady
from emulator.events import Emit
from emulator.features import removing as removing_environments
from emulator.ledger import LEDGER_FILE, LedgerFile
from emulator.model import Creation, Project, Space, StoreSettings
from emulator.opening import open_workspace
from emulator.space_list import home_of, read_spaces, write_spaces
from emulator.spaces import removing as removing_spaces
from emulator.spaces.spaces import Spaces
from emulator.state import make_state_folder
from emulator.workshop.folder import erase
from emulator.workspace import Workspace, stopping_patience

PROJECT = 'service = "tiny"\n[environments.test]\naccount_id = "111111111111"\n'
AT = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)


class CutOff(LedgerFile):
    """A ledger as of a store where another operator began."""

    def check_turn(self) -> None:
        """It did."""
        raise NotReady("another command began")


def open_(project: Project, *, emit: Emit) -> Workspace:
    """As each command opens it; nothing is started."""
    workspace = open_workspace(project, environ={}, emit=emit)
    workspace.history.ledger = CutOff(project.state / LEDGER_FILE)
    return workspace


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A service that holds data in one environment."""
    (tmp_path / "multistack.toml").write_text(PROJECT)
    (tmp_path / "template.yaml").write_text("Resources: {Queue: {Type: AWS::SQS::Queue}}\n")
    found = load_project(file=tmp_path / "multistack.toml", environ={}, cwd=tmp_path)
    hold_data(found.state, "test")
    return found


def hold_data(state: Path, environment: str) -> Path:
    """What an emulator keeps."""
    make_state_folder(state)
    data = state / "environments" / environment / "state" / "data"
    data.parent.mkdir(parents=True)
    data.touch()
    return data


def test_created_environments_stay(project: Project) -> None:
    """On the list too."""
    data = hold_data(project.state, "extra")
    write_created(project.state, Created().adding("extra", Creation(like="test", at=AT)))
    found = load_project(file=project.file, environ={}, cwd=project.root)
    workspace = open_(found, emit=lambda _event: None)
    (result,) = removing_environments.remove(workspace, {"extra": ""}, command="destroy").values()
    assert isinstance(result, NotReady)
    assert data.exists()
    assert list(read_created(project.state).environments) == ["extra"]


def test_spaces_stay(project: Project) -> None:
    """The next command that removes any goes on with it."""

    def load(*, home: Path | None = None, settings: Mapping[str, object] = {}) -> Project:
        return load_project(file=project.file, environ={}, cwd=project.root, home=home, overrides=settings)

    data = hold_data(home_of(project.state, "alice") / ".multistack", "test")
    write_spaces(project.state, {"alice": Space(name="alice", number=1, at=AT)})
    spaces = Spaces(workspace=open_(project, emit=lambda _event: None), load=load, open_=open_)
    (result,) = removing_spaces.remove(spaces, ["alice"]).values()
    assert isinstance(result, MultistackError)
    assert "another command began" in result.message
    assert data.exists()
    assert list(read_spaces(project.state)) == ["alice"]


def test_a_lab_of_the_workshop_stays(project: Project) -> None:
    """It may have a store as any project."""
    with pytest.raises(NotReady, match="another command began"):
        erase(open_(project, emit=lambda _event: None))
    assert (project.state / "environments/test/state/data").exists()


@pytest.mark.parametrize(
    ("timeout", "patience"), [(None, 60.0), (1.0, 60.0), (300.0, 305.0)], ids=["no store", "short", "long"]
)
def test_whoever_stops_waits_longer_than_the_store_expects_anybody_back(timeout: float | None, patience: float) -> None:
    """Else nothing could be stopped after a restart of the store, for somebody who was killed long ago."""
    settings = StoreSettings(url="postgresql://db/x", timeout=timeout) if timeout else None
    assert stopping_patience(settings) == patience
