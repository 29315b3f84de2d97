"""What doctor says of emulators that somebody else runs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from emulator.doctor import Check, Verdict
from emulator.doctor.project import check_external
from emulator.errors import MultistackError, NotReady
from emulator.model import DriverName, Endpoint, Environment, Instance, Status

TEST = Environment(name="test", driver=DriverName.EXTERNAL, account_id="111111111111", region="eu-west-1")


@dataclass
class FakeExternal:
    """The external driver: what its start raises, and what it remarks."""

    error: MultistackError | None = None
    remark: str = ""

    def start(self, environment: Environment) -> Endpoint:
        """There, unless an error says why not."""
        if self.error:
            raise self.error
        return Endpoint(environment=environment.name, url="http://box:4566", account_id="1", region="eu-west-1")

    def observe(self, environment: Environment) -> Instance:
        """Ready."""
        return Instance(environment=environment.name, status=Status.READY, reason=self.remark)


@pytest.mark.parametrize(
    ("driver", "verdict", "found", "advice"),
    [
        pytest.param(FakeExternal(), Verdict.OK, "answers at http://box:4566", "", id="there"),
        pytest.param(FakeExternal(remark="x"), Verdict.WARNING, "answers at http://box:4566", "x", id="with a flaw"),
        pytest.param(
            FakeExternal(error=NotReady("nothing answers", hint="start it")),
            Verdict.PROBLEM,
            "nothing answers",
            "start it",
            id="away",
        ),
    ],
)
def test_it_is_asked(driver: FakeExternal, verdict: Verdict, found: str, advice: str) -> None:
    """What `up` would say about it."""
    assert check_external(TEST, driver) == Check(name="emulator of test", verdict=verdict, found=found, advice=advice)
