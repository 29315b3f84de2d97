"""Lab 5: one artifact goes its way, and a bad one stops on it."""

from __future__ import annotations

from emulator.model import Deployment, GateResult, Kind, Outcome, Phase
from emulator.workshop.lab import Check, Lab, Step
from emulator.workshop.scene import Scene, one_digest, ready

_GOOD = "sed -i 's/LONGEST_ITEM = 200/LONGEST_ITEM = 100/' src/orders.py"
_WRONG = "sed -i \"s/shop.discount().factor/Decimal('0.75')/\" src/app.py"
_MENDED = "sed -i \"s/Decimal('0.75')/shop.discount().factor/\" src/app.py"


def _failed_after(deployment: Deployment) -> bool:
    return any(gate.phase is Phase.AFTER and gate.result is GateResult.FAILED for gate in deployment.gates)


def stopped(scene: Scene) -> list[str]:
    """Digests that staging took back, because its smoke tests failed."""
    past = scene.past("staging")
    return [one.release.digest for one in past if one.cause.kind is Kind.PROMOTE and _failed_after(one)]


def stopped_in_staging(scene: Scene) -> str | None:
    """A wrong release came as far as staging."""
    if stopped(scene):
        return None
    return "no release was stopped in staging yet: make the total wrong, `multistack deploy test --verify`, promote it"


def never_in_prod(scene: Scene) -> str | None:
    """Prod never had it."""
    bad = set(stopped(scene))
    if any(one.release.digest in bad for one in scene.past("prod")):
        return "the wrong release was in prod; `multistack workshop reset 5`, and let staging stop it this time"
    return None


def promoted(scene: Scene) -> str | None:
    """What prod serves came through staging."""
    current = scene.current()["prod"]
    if current.cause.kind is Kind.PROMOTE and current.cause.promoted_from == "staging":
        return None
    return "prod still serves what `up` deployed: promote the good release to staging, then to prod"


def approved(scene: Scene) -> str | None:
    """Somebody answers for it."""
    current = scene.current()["prod"]
    for one in current.gates:
        if one.name == "approval" and one.result is GateResult.PASSED and one.detail.startswith("by "):
            return None
    return "nobody approved what prod serves; `multistack approve prod --by YOUR-NAME`, then promote"


def all_succeeded(scene: Scene) -> str | None:
    """The last word in every ledger is a success."""
    last = {name: scene.workspace.history.last(name) for name in scene.current()}
    open_ends = [name for name, one in last.items() if one is None or one.outcome is not Outcome.SUCCEEDED]
    return f"the last deployment into {', '.join(open_ends)} did not succeed" if open_ends else None


LAB = Lab(
    number=5,
    name="promote",
    title="Build once, promote",
    minutes=30,
    goal="one digest in three ledgers, approved by name; the wrong release never reached prod",
    checks=(
        Check("test, staging and prod run", ready),
        Check("staging stopped the release with the wrong total", stopped_in_staging),
        Check("prod never had it", never_in_prod),
        Check("what prod serves was promoted from staging", promoted),
        Check("it was approved by name", approved),
        Check("one digest stands in three ledgers", one_digest),
        Check("the last deployment everywhere succeeded", all_succeeded),
    ),
    hints=(
        "Only `deploy test` builds. Every other environment gets what the one before has verified.",
        "After each change: `multistack deploy test --verify`, then `multistack promote staging`. A wrong total passes "
        "in test, where the discount is 25 percent anyway, and not in staging.",
        f"{_GOOD}; deploy and promote; {_WRONG}; deploy and promote; {_MENDED}; deploy and promote; then "
        "`multistack approve prod --by YOUR-NAME` and `multistack promote prod`.",
    ),
    solution=(
        Step("Start with the first release everywhere.", "multistack up"),
        Step("A harmless change: shorter names of items.", _GOOD),
        Step("Build it once, and try it in test.", "multistack deploy test --verify"),
        Step("The same bytes, with staging's config.", "multistack promote staging"),
        Step("Release 3: somebody writes test's discount into the code.", _WRONG),
        Step("In test nobody notices.", "multistack deploy test --verify"),
        Step("In staging the smoke test does, and staging goes back by itself.", "multistack promote staging", code=6),
        Step("Put it right: the same source has the same digest again.", _MENDED),
        Step("Test gets it back.", "multistack deploy test --verify"),
        Step("Staging serves it already, and verifies it once more.", "multistack promote staging"),
        Step("Prod is protected.", "multistack promote prod", code=6),
        Step("Somebody says yes to this digest, and to no other.", "multistack approve prod --by Ada"),
        Step("Now it goes.", "multistack promote prod"),
        Step("One digest, three environments.", "multistack history"),
    ),
)
