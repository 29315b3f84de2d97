"""Lab 6: a release passes every gate and breaks prod; the one before comes back, with its config."""

from __future__ import annotations

from emulator.model import Deployment, Kind, Outcome
from emulator.workshop.lab import PROXY, Check, Lab, Step
from emulator.workshop.scene import Scene, ready

_TABLE = """echo 'BANNERS = {"test": "25 % off", "staging": "10 % off"}' >> src/app.py"""
_USE = (
    """sed -i 's/Answer(200, {"orders"/"""
    """Answer(200, {"banner": BANNERS[shop.settings.identity.environment], "orders"/' src/app.py"""
)


def _promoted(scene: Scene) -> Deployment | None:
    """The last release that was promoted into prod."""
    done = [one for one in scene.past("prod") if one.cause.kind is Kind.PROMOTE and one.outcome is Outcome.SUCCEEDED]
    return done[-1] if done else None


def was_promoted(scene: Scene) -> str | None:
    """The bad release came as far as prod, through every gate."""
    if _promoted(scene) is not None:
        return None
    return "prod has had no release but the first one: promote release 4 to staging and to prod"


def rolled_back(scene: Scene) -> str | None:
    """Prod serves an earlier release."""
    current = scene.current()["prod"]
    if current.cause.kind is Kind.ROLLBACK:
        return None
    return "prod still serves what was promoted: `multistack rollback prod --reason …`"


def came_with_config(scene: Scene) -> str | None:
    """Not only the code went back: the config that it ran with did, too."""
    bad, current = _promoted(scene), scene.current()["prod"]
    if bad is not None and bad.release.config == current.release.config:
        return (
            "both releases have the same config, so nothing shows that it comes back: `multistack workshop reset 6`, "
            "and set PageSize of prod to 60 before you promote"
        )
    served = scene.get("prod", "/config").value("config", "PageSize")
    wanted = current.release.config.get("PageSize")
    return (
        None if str(served) == wanted else f"prod serves PageSize {served}, its release has {wanted}; `multistack up`"
    )


def answers_again(scene: Scene) -> str | None:
    """Customers can list orders."""
    status = scene.get("prod", "/orders").status
    return None if status == 200 else f"prod answers GET /orders with {status or 'nothing'}"


def held(scene: Scene) -> str | None:
    """The next promotion would bring the bad release again."""
    if scene.workspace.permits.held("prod"):
        return None
    return "prod is not held: the next promotion would bring it again; `multistack hold prod --reason …`"


LAB = Lab(
    number=6,
    name="roll-back",
    title="Roll back",
    minutes=20,
    goal="the release before serves in prod again, with its config; nothing is erased from the ledger, prod is held",
    checks=(
        Check("test, staging and prod run", ready),
        Check("a release was promoted to prod", was_promoted),
        Check("prod was rolled back, and both are in the ledger", rolled_back),
        Check("its config came back with it", came_with_config),
        Check("prod answers GET /orders again", answers_again),
        Check("prod is held", held),
    ),
    hints=(
        "The gates ask what the smoke tests ask, and those never list orders. Ask prod for its orders.",
        "Promote release 4 with `multistack config set prod PageSize 60` before; then `multistack rollback prod`.",
        "multistack deploy test --verify && multistack promote staging && multistack approve prod --by Ada && "
        'multistack promote prod; then multistack rollback prod --reason "GET /orders answers 502"',
    ),
    solution=(
        Step("Start with the first release everywhere.", "multistack up"),
        Step("Release 4: a banner for every list of orders, kept by environment, and none for prod.", _TABLE),
        Step("The list shows it.", _USE),
        Step("Prod shall have longer pages from this release on.", "multistack config set prod PageSize 60"),
        Step("It passes in test.", "multistack deploy test --verify"),
        Step("It passes in staging.", "multistack promote staging"),
        Step("Ada has no reason to say no.", "multistack approve prod --by Ada"),
        Step("It passes in prod.", "multistack promote prod"),
        Step("And yet no customer can list orders.", f"curl -s {PROXY}/prod/orders"),
        Step("Back to the release before.", 'multistack rollback prod --reason "GET /orders answers 502"'),
        Step("Code and config are those of before.", f"curl -s {PROXY}/prod/config"),
        Step("The ledger only grows.", "multistack history prod"),
        Step("What would have caught it: a name of an environment in the code.", "multistack lint", code=7),
    ),
)
