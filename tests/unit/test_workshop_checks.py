"""Every check of a lab on its own: it finds what it is for, whatever the checks before it say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from emulator.lab.project import lab_folder
from emulator.lab.results import RESULTS_FILE, Moment, Outcome, Result, keep_results
from emulator.lab.topologies import Topology
from emulator.model import (
    Api,
    Cause,
    Deployment,
    Gate,
    GateResult,
    Kind,
    Phase,
    Release,
)
from emulator.model import Outcome as Ending
from emulator.workshop import predictions
from emulator.workshop.answers import Answers
from emulator.workshop.experiments import hurt, ran, unhurt
from emulator.workshop.labs import config, feature_branch, parity, promote, roll_back, single_stack, three_stacks
from emulator.workshop.scene import NAMES, Reply, Scene, one_digest, ready
from tests.unit.lab_results import make_result

AT = datetime(2026, 11, 26, tzinfo=UTC)


def deployment(environment: str, **changes: Any) -> Deployment:
    """The first one into an environment."""
    digest, size = changes.pop("digest", "a" * 64), changes.pop("size", {"test": "5", "staging": "20"}.get(environment))
    release = Release(
        id="0" * 12,
        digest=digest,
        config_hash=changes.pop("config_hash", environment),
        config={"PageSize": size or "50"},
    )
    fields: dict[str, Any] = {"id": 1, "at": AT, "outcome": Ending.SUCCEEDED, "apis": (api(environment),)}
    return Deployment(environment=environment, release=release, **{**fields, **changes})


def api(name: str) -> Api:
    """An API of its own."""
    return Api(logical_id="Api", path=f"/_aws/execute-api/{name}/live", stage="live")


def gate(name: str, phase: Phase, result: GateResult, detail: str = "") -> Gate:
    """Recorded with its deployment."""
    return Gate(name=name, phase=phase, result=result, detail=detail, at=AT)


@dataclass
class Lab:
    """What a learner made: ledger, answers of environments, and the rest as nothing is wrong with it."""

    past: Mapping[str, Sequence[Deployment]] = field(default_factory=lambda: {one: [deployment(one)] for one in NAMES})
    replies: Mapping[tuple[str, str], Reply] = field(default_factory=dict)
    stopped: Sequence[str] = ()
    held: bool = False
    digest: str = "a" * 64
    page_size: Any = None
    leftovers: Sequence[str] = ()


class FakeScene(Scene):
    """A scene of a :class:`Lab`."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        super().__init__(folder, open_workspace=lambda _folder: cast(Any, self._made()))
        self.lab = lab

    def _made(self) -> SimpleNamespace:
        every = [one for some in self.lab.past.values() for one in some]
        keys = {} if self.lab.page_size == "undeclared" else {"PageSize": SimpleNamespace(default=self.lab.page_size)}
        return SimpleNamespace(
            project=SimpleNamespace(state=self.folder / ".multistack", config_keys=keys),
            build=lambda: SimpleNamespace(digest=self.lab.digest),
            permits=SimpleNamespace(held=lambda _name: self.lab.held),
            drivers=SimpleNamespace(leftovers=lambda: [SimpleNamespace(name=name) for name in self.lab.leftovers]),
            history=SimpleNamespace(deployments=lambda: every, last=lambda name: self.past(name)[-1]),
        )

    def current(self) -> Mapping[str, Deployment]:
        done = {name: [one for one in self.past(name) if one.outcome is Ending.SUCCEEDED] for name in NAMES}
        return {name: some[-1] for name, some in done.items() if some}

    def past(self, environment: str) -> list[Deployment]:
        return list(self.lab.past.get(environment, ()))

    def not_ready(self) -> list[str]:
        return list(self.lab.stopped)

    def get(self, environment: str, path: str) -> Reply:
        return self.lab.replies.get((environment, path), Reply(404))


def ledger(**changed: Sequence[Deployment]) -> dict[str, Sequence[Deployment]]:
    """Every environment as deployed first, but for those that are named."""
    return {**{one: [deployment(one)] for one in NAMES}, **changed}


def orders(*quantities: int, lab: str = "lab-1") -> dict[tuple[str, str], Reply]:
    """An order of the same id everywhere."""
    return {
        (name, f"/orders/{lab}"): Reply(200, {"qty": quantity})
        for name, quantity in zip(NAMES, quantities, strict=False)
    }


FAILED = gate("verification", Phase.AFTER, GateResult.FAILED)
PROMOTED = Cause(kind=Kind.PROMOTE, promoted_from="staging")
BY_ADA = gate("approval", Phase.BEFORE, GateResult.PASSED, "by Ada")
BAD = "b" * 64
STOPPED = [
    deployment("staging"),
    deployment("staging", digest=BAD, cause=PROMOTED, gates=(FAILED,), outcome=Ending.FAILED),
]
IN_PROD = [deployment("prod"), deployment("prod", digest=BAD, cause=PROMOTED, size="60")]
BACK = [*IN_PROD, deployment("prod", cause=Cause(kind=Kind.ROLLBACK))]
SERVES_50 = {("prod", "/config"): Reply(200, {"config": {"PageSize": 50}})}
BRANCH = {
    **ledger(),
    "b": [deployment("b"), deployment("b", gates=(gate("verification", Phase.AFTER, GateResult.PASSED),))],
}


@pytest.mark.parametrize(
    ("look", "right", "wrong", "told"),
    [
        pytest.param(ready, Lab(), Lab(stopped=["prod"]), "prod: not running", id="ready: stopped"),
        pytest.param(ready, Lab(), Lab(past=ledger(prod=[])), "prod: nothing is deployed", id="ready: empty"),
        pytest.param(
            one_digest,
            Lab(),
            Lab(past=ledger(prod=[deployment("prod", digest=BAD)])),
            "not one digest but several",
            id="one digest",
        ),
        pytest.param(
            three_stacks.three_apis,
            Lab(),
            Lab(past=ledger(prod=[deployment("prod", apis=(api("test"),))])),
            "don't have an API each",
            id="1: APIs",
        ),
        pytest.param(
            three_stacks.own_orders,
            Lab(replies=orders(1, 2, 3)),
            Lab(replies=orders(1, 2)),
            "prod has no order lab-1",
            id="1: no order",
        ),
        pytest.param(
            three_stacks.own_orders,
            Lab(replies=orders(1, 2, 3)),
            Lab(replies=orders(1, 2, 2)),
            "can't be told apart",
            id="1: one order",
        ),
        pytest.param(config.no_default, Lab(), Lab(page_size=50), "has a default", id="2: default"),
        pytest.param(config.no_default, Lab(), Lab(page_size="undeclared"), "no longer declares", id="2: undeclared"),
        pytest.param(config.deployed, Lab(), Lab(digest=BAD), "serves older source", id="2: old source"),
        pytest.param(
            config.three_configs,
            Lab(),
            Lab(past=ledger(prod=[deployment("prod", config_hash="test")])),
            "the same config",
            id="2: one config for two",
        ),
        pytest.param(
            config.orders_answer,
            Lab(replies={(name, "/orders"): Reply(200) for name in NAMES}),
            Lab(replies={("test", "/orders"): Reply(200), ("staging", "/orders"): Reply(502)}),
            "staging answers GET /orders with 502",
            id="2: no orders",
        ),
        pytest.param(
            promote.stopped_in_staging,
            Lab(past=ledger(staging=STOPPED)),
            Lab(),
            "no release was stopped",
            id="5: stopped",
        ),
        pytest.param(
            promote.never_in_prod,
            Lab(past=ledger(staging=STOPPED)),
            Lab(past=ledger(staging=STOPPED, prod=IN_PROD)),
            "the wrong release was in prod",
            id="5: never in prod",
        ),
        pytest.param(
            promote.promoted,
            Lab(past=ledger(prod=IN_PROD)),
            Lab(past=ledger(prod=[deployment("prod"), deployment("prod", id=2)])),
            "prod still serves what `up` deployed",
            id="5: deployed, not promoted",
        ),
        pytest.param(
            promote.approved,
            Lab(past=ledger(prod=[deployment("prod", gates=(BY_ADA,))])),
            Lab(past=ledger(prod=[deployment("prod", gates=(gate("approval", Phase.BEFORE, GateResult.OVERRIDDEN),))])),
            "nobody approved",
            id="5: overridden",
        ),
        pytest.param(
            promote.all_succeeded,
            Lab(),
            Lab(past=ledger(staging=STOPPED)),
            "the last deployment into staging did not succeed",
            id="5: failed last",
        ),
        pytest.param(
            roll_back.was_promoted, Lab(past=ledger(prod=IN_PROD)), Lab(), "no release but the first", id="6: promoted"
        ),
        pytest.param(
            roll_back.rolled_back,
            Lab(past=ledger(prod=BACK)),
            Lab(past=ledger(prod=IN_PROD)),
            "prod still serves what was promoted",
            id="6: not back",
        ),
        pytest.param(
            roll_back.came_with_config,
            Lab(past=ledger(prod=BACK), replies=SERVES_50),
            Lab(past=ledger(prod=BACK), replies={("prod", "/config"): Reply(200, {"config": {"PageSize": 60}})}),
            "prod serves PageSize 60, its release has 50",
            id="6: config stayed",
        ),
        pytest.param(
            roll_back.came_with_config,
            Lab(past=ledger(prod=BACK), replies=SERVES_50),
            Lab(past=ledger(prod=[*BACK[:1], deployment("prod", cause=PROMOTED), *BACK[2:]]), replies=SERVES_50),
            "both releases have the same config",
            id="6: no other config",
        ),
        pytest.param(
            roll_back.answers_again,
            Lab(replies={("prod", "/orders"): Reply(200)}),
            Lab(replies={("prod", "/orders"): Reply(502)}),
            "prod answers GET /orders with 502",
            id="6: still broken",
        ),
        pytest.param(roll_back.held, Lab(held=True), Lab(), "prod is not held", id="6: not held"),
        pytest.param(
            parity.was_repaired,
            Lab(past=ledger(staging=[deployment("staging"), deployment("staging", id=2)])),
            Lab(),
            "staging was not brought back yet",
            id="7: not repaired",
        ),
        pytest.param(feature_branch.was_made, Lab(past=BRANCH), Lab(), "no environment was created", id="8: not made"),
        pytest.param(
            feature_branch.was_tested,
            Lab(past=BRANCH),
            Lab(past={**ledger(), "b": [deployment("b")]}),
            "nothing was tested in b",
            id="8: not tested",
        ),
        pytest.param(
            feature_branch.nothing_left,
            Lab(past=BRANCH),
            Lab(past=BRANCH, leftovers=["b"]),
            "b: something of it is left",
            id="8: runs",
        ),
        pytest.param(
            feature_branch.nothing_left,
            Lab(past=BRANCH),
            Lab(past=BRANCH, replies={("b", "/config"): Reply(503)}),
            "b: its URL still leads somewhere",
            id="8: URL",
        ),
        pytest.param(
            feature_branch.others_untouched,
            Lab(past=BRANCH),
            Lab(past={**BRANCH, "test": [deployment("test"), deployment("test", id=2)]}),
            "test: deployed into meanwhile",
            id="8: touched",
        ),
    ],
)
def test_a_check_finds_what_it_is_for(look: Any, right: Lab, wrong: Lab, told: str, tmp_path: Path) -> None:
    """It holds where all is right, and else says what is wrong: no check passes whatever it looks at."""
    assert look(FakeScene(tmp_path, right)) is None
    missing = look(FakeScene(tmp_path, wrong))
    assert missing is not None
    assert told in missing


def test_a_folder_that_is_left_is_found(tmp_path: Path) -> None:
    """An environment that was removed has no files any more."""
    (tmp_path / ".multistack/environments/b").mkdir(parents=True)
    assert "something of it is left" in (feature_branch.nothing_left(FakeScene(tmp_path, Lab(past=BRANCH))) or "")


def keep(folder: Path, **changes: Any) -> Result:
    """A result of an experiment that a learner ran in *folder*."""
    made = make_result(**changes)
    path = lab_folder(folder) / RESULTS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    keep_results(path, [made])
    return made


def answer(folder: Path, **answers: object) -> None:
    """What the learner writes down."""
    lines = [f"{key} = {value!r}" for key, value in answers.items()]
    (folder / "answers.toml").write_text("\n".join(lines), encoding="utf-8")


def predicted(folder: Path) -> str | None:
    """What the check of X03's prediction misses."""
    return single_stack.predicted(FakeScene(folder, Lab()), experiment="X03")


def run(folder: Path) -> None:
    """As `lab run X03` does in a learner's folder."""
    before = predictions.read_predictions(folder, ["X03"])
    keep(folder)
    predictions.note(folder, "X03", before)


def test_a_prediction_counts_that_came_before_the_run(tmp_path: Path) -> None:
    """A wrong one is no fault; what was seen may be written beside it, and the run be repeated."""
    answer(tmp_path, x03_predicted=500)
    assert predicted(tmp_path) is None
    run(tmp_path)
    answer(tmp_path, x03_predicted=500, x03_seen=200)
    run(tmp_path)
    assert predicted(tmp_path) is None


@pytest.mark.parametrize("before", [{}, {"x03_predicted": ""}, {"other": 1}], ids=["empty", "blank", "another"])
def test_a_prediction_that_came_after_the_run_is_none(before: Mapping[str, object], tmp_path: Path) -> None:
    """Who runs first and predicts then, is told how to begin again; running once more changes nothing."""
    answer(tmp_path, **before)
    run(tmp_path)
    answer(tmp_path, x03_predicted=200)
    assert "X03 was run before you predicted; `multistack workshop reset 3`" in (predicted(tmp_path) or "")
    run(tmp_path)
    assert "X03 was run before you predicted" in (predicted(tmp_path) or "")


def test_a_prediction_stays_what_it_was(tmp_path: Path) -> None:
    """Nobody has known it all along."""
    answer(tmp_path, x03_predicted=500)
    run(tmp_path)
    answer(tmp_path, x03_predicted=200)
    assert predicted(tmp_path) == "answers.toml: x03_predicted was 500 when X03 was run; let it stand"


def test_predictions_are_noted_in_labs_that_ask_for_them_only(tmp_path: Path) -> None:
    """Whoever runs experiments elsewhere leaves no file behind; a broken one is as none."""
    run(tmp_path)
    assert not (tmp_path / ".multistack" / predictions.FILE).exists()
    (tmp_path / ".multistack" / predictions.FILE).write_text("[")
    assert predictions.noted(tmp_path) == {}


@pytest.mark.parametrize("value", ["no idea", 50, 1000, "200 or so"])
def test_a_prediction_is_a_status(value: object, tmp_path: Path) -> None:
    """A guess that can be right or wrong."""
    answer(tmp_path, x03_predicted=value)
    assert predicted(tmp_path) == "answers.toml: x03_predicted must be a status, such as 502"


@pytest.mark.parametrize(
    ("experiment", "right", "wrong"),
    [
        (
            "X03",
            ["stage variable", "the stage's variable", "StageVariables", "table"],
            ["environment variable", "alias"],
        ),
        ("X05", ["environment variables", "a version freezes them"], ["stage variables", "alias", "the table"]),
        ("X06", ["AutoPublishAlias", "auto publish alias: test"], ["alias", "stage variable"]),
    ],
)
def test_a_setting_is_known_from_the_others(
    experiment: str, right: Sequence[str], wrong: Sequence[str], tmp_path: Path
) -> None:
    """Whoever names that of another experiment has not seen what this one is about."""
    found = {}
    for text in (*right, *wrong):
        answer(tmp_path, **{f"{experiment.lower()}_setting": text})
        found[text] = single_stack.named(FakeScene(tmp_path, Lab()), experiment=experiment) is None
    assert found == {**dict.fromkeys(right, True), **dict.fromkeys(wrong, False)}


def test_what_was_seen_is_what_prod_answered(tmp_path: Path) -> None:
    """Most of the time, while it was hurt."""
    keep(tmp_path, timeline=[Moment(at=0.1, status=500, verdict="failed"), Moment(at=-1, status=200, verdict="good")])
    for status, is_right in ((500, True), (200, False)):
        answer(tmp_path, x03_seen=status)
        assert (single_stack.seen(FakeScene(tmp_path, Lab()), experiment="X03") is None) is is_right


@pytest.mark.parametrize(
    ("changes", "ran_holds", "hurt_holds", "unhurt_holds"),
    [
        pytest.param({}, True, True, False, id="hurt"),
        pytest.param({"seen": "unhurt"}, True, False, True, id="unhurt"),
        pytest.param({"outcome": Outcome.DIFFERS, "reason": "saw 500"}, False, False, False, id="differs"),
        pytest.param({"outcome": Outcome.NOT_ON_DRIVER, "seen": ""}, True, True, True, id="not on this driver"),
        pytest.param({"experiment": "X05"}, False, False, False, id="another one"),
        pytest.param({"topology": "multi"}, False, False, False, id="another topology"),
    ],
)
def test_checks_of_experiments_look_at_their_results(
    changes: Mapping[str, Any], ran_holds: bool, hurt_holds: bool, unhurt_holds: bool, tmp_path: Path
) -> None:
    """Run or not, hurt or not, as expected or not; what a driver can't do is held against nobody."""
    keep(tmp_path, **changes)
    scene = FakeScene(tmp_path, Lab())
    holds = [check("X03", Topology.SINGLE).look(scene) is None for check in (ran, hurt, unhurt)]
    assert holds == [ran_holds, hurt_holds, unhurt_holds]


def test_lab_7_wants_the_names_that_drift_shows(tmp_path: Path) -> None:
    """The resource and the property, each of its own."""
    answer(tmp_path, resource="DiscountPercentParameter", property="PageSize")
    scene = FakeScene(tmp_path, Lab())
    assert isinstance(scene.answers, Answers)
    assert parity.named_resource(scene) is None
    assert "property is another one" in (parity.named_property(scene) or "")
