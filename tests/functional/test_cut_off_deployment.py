"""A deployment that fails while its operator is cut off from the store, where another one may have begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from emulator import artifact_bucket
from emulator.artifact import ArtifactStore
from emulator.building import build
from emulator.config import load_project
from emulator.deploy import Deployer
from emulator.deployed_code import WrongCode
from emulator.errors import DeployError, NotReady
from emulator.events import Event
from emulator.history import History
from emulator.ledger import LEDGER_FILE, LedgerFile
from emulator.model import Artifact, Endpoint
from emulator.release import make_release
from emulator.stack import describe
from emulator.vault import Vault
from tests.conftest import ProjectFolder
from tests.functional.test_bad_input import TWO_MORE
from tests.functional.tiny import TEMPLATE, source, tiny_project, write

NAME = "tiny-test"


class Ledger(LedgerFile):
    """As of a store where another operator begins."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.has_begun: Callable[[], bool] = lambda: False

    def check_turn(self) -> None:
        """Whether one did."""
        if self.has_begun():
            raise NotReady("another command began")


@dataclass
class Operator:
    """Deploys what the folder holds."""

    folder: ProjectFolder
    ledger: Ledger
    endpoint: Endpoint
    events: list[Event] = field(default_factory=list)

    def deploy(self, verify: Callable[..., None] | None = None) -> None:
        """It fails."""
        project = load_project(file=None, environ={}, cwd=self.folder.folder)
        artifact = build(project, ArtifactStore(project.state / "artifacts"), emit=lambda _event: None)
        deployer = Deployer(
            project,
            History(self.ledger),
            Vault(project.state),
            emit=self.events.append,
            cancelled=lambda: None,
            verify=verify,
        )
        deployer.deploy(project.environments[0], self.endpoint, artifact, make_release(artifact, {}))


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """Of a project that is up."""
    with tiny_project(tmp_path) as folder:
        folder.run("up", "test")
        url = folder.run("endpoint", "test").stdout.strip()
        endpoint = Endpoint(environment="test", url=url, account_id="111111111111", region="us-east-1")
        yield Operator(folder, Ledger(folder.folder / ".multistack" / LEDGER_FILE), endpoint)


def test_what_another_operator_deployed_stays_marked(operator: Operator) -> None:
    """The release of before is no longer there, and would else be taken for deployed."""
    endpoint = operator.endpoint

    def has_begun() -> bool:
        found = describe(endpoint, NAME)
        if found is None or found.status != "UPDATE_ROLLBACK_COMPLETE":
            return False
        artifact_bucket.write_mark(endpoint, NAME, "another's")
        return True

    operator.ledger.has_begun = has_begun
    write(operator.folder, "template.yaml", TEMPLATE + TWO_MORE)
    with pytest.raises(NotReady, match="another command began"):
        operator.deploy()
    assert artifact_bucket.read_mark(endpoint, NAME) == "another's"


def test_secrets_of_another_operators_release_stay(operator: Operator) -> None:
    """What was on record before has others."""

    def verify(*_deployed: Endpoint | Artifact | object) -> None:
        operator.ledger.has_begun = lambda: True
        raise WrongCode("function Web runs other code")

    write(operator.folder, "src/app.py", source("'two'"))
    with pytest.raises(DeployError, match="function Web runs other code"):
        operator.deploy(verify)
    assert "its secrets were not put back: another command began" in [event.detail for event in operator.events]
