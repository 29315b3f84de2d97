"""A release's way to production and back: what the ledger, the gates and the environments say at each point."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import ProjectFolder, http
from tests.functional.tiny import refused

NAMES = ("test", "staging", "prod")
ORDER = {"item": "tea", "qty": 2, "price": 10}


def edit(project: ProjectFolder, name: str, before: str, after: str) -> None:
    """Change a file of the project."""
    path = project.folder / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def served(project: ProjectFolder, environment: str) -> Any:
    """What an environment says of itself; digest, config and all."""
    return http("GET", project.url(environment, "config")).json()


def total(project: ProjectFolder, environment: str) -> Any:
    """What an order of 20 costs there."""
    return http("POST", project.url(environment, "orders"), ORDER).json()["total"]


def ledger(project: ProjectFolder, environment: str) -> list[dict[str, Any]]:
    """Its deployments, oldest first."""
    found: list[dict[str, Any]] = json.loads(project.run("history", environment, "--json").stdout)
    return found


def kinds(project: ProjectFolder, environment: str) -> list[tuple[str, str]]:
    """What happened there, and how it ended."""
    return [(one["cause"]["kind"], one["outcome"]) for one in ledger(project, environment)]


def gates(deployment: dict[str, Any]) -> dict[str, str]:
    """Of one deployment, by name."""
    return {gate["name"]: gate["result"] for gate in deployment["gates"]}


def assert_as_deployed(project: ProjectFolder) -> None:
    """Nothing drifted anywhere."""
    assert project.run("drift").returncode == 0


@pytest.mark.timeout(600)
def test_a_release_goes_to_production_and_back(project: ProjectFolder) -> None:
    """v1 through to prod; v3 stopped in staging; a fix through; v4 breaks prod and is rolled back with its config."""
    first = bring_v1_everywhere(project)
    wrong = see_v3_stopped_in_staging(project, first["staging"])
    good = bring_the_fix_to_prod(project, wrong)
    see_v4_break_prod(project)
    roll_back_prod(project, good)
    shown = project.run("history", "--last", "0").stdout
    assert shown.count("\n") == sum(len(ledger(project, name)) for name in NAMES) + 1


def bring_v1_everywhere(project: ProjectFolder) -> dict[str, Any]:
    """The same digest in each, with its own config."""
    project.run("up")
    first = {name: served(project, name) for name in NAMES}
    assert len({one["digest"] for one in first.values()}) == 1
    assert len({one["config_hash"] for one in first.values()}) == 3
    assert "serves" in project.run("promote", "staging").stdout
    assert kinds(project, "staging") == [("deploy", "succeeded")]
    assert_as_deployed(project)
    project.run("parity")
    return first


def see_v3_stopped_in_staging(project: ProjectFolder, before: Any) -> str:
    """It takes test's discount everywhere: good in test, wrong in staging, where the smoke tests see it."""
    edit(project, "src/app.py", "shop.discount().factor", "Decimal('0.75')")
    project.run("deploy", "test", "--verify")
    said = refused(project, "promote", "staging", code=6)
    assert "did not pass in staging: smoke tests ended with 1" in said
    assert f"{before['release']} is served again" in said
    assert served(project, "staging") == before
    assert total(project, "staging") == 18
    assert kinds(project, "staging")[1:] == [("promote", "succeeded"), ("rollback", "succeeded")]
    assert gates(ledger(project, "staging")[1])["smoke tests"] == "failed"
    wrong = str(served(project, "test")["digest"])
    assert "src/app.py" not in project.run("diff", "staging", "prod", check=False).stdout
    different = project.run("diff", "test", "staging", check=False)
    assert (different.returncode, "app.py" in different.stdout) == (7, True)
    assert project.run("parity", check=False).returncode == 7
    assert_as_deployed(project)
    assert wrong not in [one["release"]["digest"] for one in ledger(project, "prod")]
    return wrong


def bring_the_fix_to_prod(project: ProjectFolder, wrong: str) -> Any:
    """Prod wants an approval, of this very digest; then one digest stands in three ledgers."""
    edit(project, "src/app.py", "Decimal('0.75')", "shop.discount().factor * 1")
    project.run("deploy", "test", "--verify")
    project.run("promote", "staging")
    fixed = served(project, "staging")["digest"]
    assert "nobody approved" in refused(project, "promote", "prod", code=6)
    project.run("approve", "prod", "--by", "Ada", "--digest", wrong)
    assert f"what was approved is {wrong[:12]}" in refused(project, "promote", "prod", code=6)
    project.run("approve", "prod", "--by", "Ada")
    project.run("promote", "prod")
    assert [served(project, name)["digest"] for name in NAMES] == [fixed] * 3
    assert [ledger(project, name)[-1]["release"]["digest"] for name in NAMES] == [fixed] * 3
    project.run("parity")
    assert_as_deployed(project)
    assert "by Ada" in [gate["detail"] for gate in ledger(project, "prod")[-1]["gates"]][5]
    return served(project, "prod")


def see_v4_break_prod(project: ProjectFolder) -> None:
    """It breaks, where the flag is off, what no smoke test looks at; a new config goes with it."""
    edit(project, "src/app.py", "    start = (event", "    1 / shop.discount().enabled\n    start = (event")
    project.run("config", "set", "prod", "PageSize", "60")
    project.run("deploy", "test", "--verify")
    project.run("promote", "staging")
    project.run("approve", "prod", "--by", "Ada")
    project.run("promote", "prod")
    assert http("GET", project.url("staging", "orders")).status == 200
    assert http("GET", project.url("prod", "orders")).status == 502
    assert served(project, "prod")["config"]["PageSize"] == 60


def roll_back_prod(project: ProjectFolder, good: Any) -> None:
    """Release and config are back, data is kept, and no promotion goes there until somebody lifts the hold."""
    order = http("POST", project.url("prod", "orders"), ORDER).json()["id"]
    project.run("rollback", "prod", "--reason", "orders can't be listed")
    assert served(project, "prod") == good
    assert http("GET", project.url("prod", "orders")).status == 200
    assert http("GET", project.url("prod", f"orders/{order}")).status == 200
    assert kinds(project, "prod")[-1] == ("rollback", "succeeded")
    assert ledger(project, "prod")[-1]["cause"]["reason"] == "orders can't be listed"
    assert "app.py" in project.run("diff", "staging", "prod", check=False).stdout
    assert_as_deployed(project)
    assert "prod is held since" in refused(project, "promote", "prod", code=6)
    project.run("hold", "prod", "--lift", "--reason", "fixed")
    project.run("promote", "prod")
    assert served(project, "prod")["config"]["PageSize"] == 60
