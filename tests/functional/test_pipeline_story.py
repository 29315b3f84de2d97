"""The pipelines that multistack writes, run as they are: the way of a release to production, and what stops it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.conftest import ProjectFolder, http

NAMES = ("test", "staging", "prod")


def git(project: ProjectFolder, *arguments: str) -> None:
    """Run git as somebody."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *who, *arguments], cwd=project.folder, check=True, capture_output=True)


def commit(project: ProjectFolder, before: str = "", after: str = "") -> None:
    """A change of the source, or none, as a commit."""
    path = project.folder / "src" / "app.py"
    path.write_text(path.read_text().replace(before, after) if before else path.read_text())
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--allow-empty", "--message", after or "as it was")


@pytest.fixture(params=["bitbucket", "github"])
def repository(request: pytest.FixtureRequest, project: ProjectFolder) -> ProjectFolder:
    """The sample in a repository of its own, with the pipeline of one system."""
    (project.folder / ".gitignore").write_text(".multistack/\n__pycache__/\n.pytest_cache/\n")
    git(project, "init", "--quiet", "--initial-branch", "main")
    project.run("pipeline", "init", request.param)
    commit(project)
    return project


def run(project: ProjectFolder, *arguments: str, code: int = 0) -> str:
    """The pipeline for a branch; what it said."""
    done = project.run("pipeline", "run", *arguments, check=False, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def digests(project: ProjectFolder) -> list[Any]:
    """What each environment says that it serves; None where nothing is."""
    answers = [http("GET", project.url(name, "config")) for name in NAMES]
    return [answer.json()["digest"] if answer.status == 200 else None for answer in answers]


@pytest.mark.timeout(900)
def test_the_pipelines_that_are_written_take_a_release_to_production(repository: ProjectFolder) -> None:
    """v1 waits before prod, then goes there; v3 is stopped in staging; its fix goes through."""
    assert "prod" in run(repository, "--branch", "main")
    v1, *others = digests(repository)
    assert others == [v1, None]
    run(repository, "--branch", "main", "--yes")
    assert digests(repository) == [v1] * 3

    commit(repository, "shop.discount().factor", "Decimal('0.75')")
    said = run(repository, "--branch", "main", "--yes", code=1)
    assert "did not pass in staging" in said
    wrong, *others = digests(repository)
    assert (wrong != v1, others) == (True, [v1, v1])

    commit(repository, "Decimal('0.75')", "shop.discount().factor * 1")
    run(repository, "--branch", "main", "--yes")
    fixed = digests(repository)
    assert len(set(fixed)) == 1
    assert fixed[0] not in (v1, wrong)
    ledger = json.loads(repository.run("history", "prod", "--json").stdout)
    assert [one["cause"]["kind"] for one in ledger] == ["promote", "promote"]


@pytest.mark.timeout(600)
def test_a_branch_is_tested_on_an_environment_of_its_own(repository: ProjectFolder) -> None:
    """Which is gone afterwards, also when its tests fail; nothing else is touched."""
    git(repository, "checkout", "--quiet", "-b", "feature/Login")
    run(repository)
    commit(repository, '200, {"status": "ok"}', '200, {"status": "well"}')
    assert "not verified" in run(repository, code=1)
    assert json.loads(repository.run("list", "--json").stdout) == []
    assert {row["status"] for row in repository.status().values()} == {"stopped"}
