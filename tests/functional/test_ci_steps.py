"""What CI runs without credentials: the steps of the action and of the templates, as far as a shell can."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY, ProjectFolder
from tests.functional.tiny import tiny_project, write

ACTION = yaml.safe_load((REPOSITORY / "action.yml").read_text())
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
VERIFY = "\n[verify]\nchecks = [{path = '/', contains = 'one'}]\n"
TEST = """
import os, urllib.request


def test_answer():
    assert urllib.request.urlopen(os.environ["MULTISTACK_URL"]).read() == b"two"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A service that can be verified, whose own test fails."""
    with tiny_project(tmp_path_factory.mktemp("ci")) as project:
        write(project, "multistack.toml", (project.folder / "multistack.toml").read_text() + VERIFY)
        write(project, "test_tiny.py", TEST)
        yield project


def run(project: ProjectFolder, script: str, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A script, as GitHub and others run it."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script],
        cwd=project.folder,
        env={**project.command_environ(), **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_action(project: ProjectFolder, inputs: Mapping[str, str], summary: Path) -> Iterator[tuple[str, Any]]:
    """The steps of action.yml that run, with what became of each; conditions are those that the file uses."""
    values = {name: inputs.get(name, one["default"]) for name, one in ACTION["inputs"].items()}
    has_failed = False
    for step in ACTION["runs"]["steps"]:
        condition = step.get("if", "true")
        always, failure = "always()" in condition, "failure()" in condition
        wanted = all(
            (values[name] == text) is (sign == "==")
            for name, sign, text in re.findall(r"inputs\.(\w+) (==|!=) '(\w*)'", condition)
        )
        if wanted and (always or failure is has_failed):
            given = {
                name: re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda one: values[one[1]], text)
                for name, text in step.get("env", {}).items()
            }
            done = run(project, step["run"], {**given, "GITHUB_STEP_SUMMARY": str(summary)})
            has_failed = has_failed or done.returncode != 0
            yield step["name"], done


def test_the_action_tests_and_tells_what_failed(service: ProjectFolder, tmp_path: Path) -> None:
    """It verifies and tests; one test that fails is annotated at its line and in the summary, and nothing stays."""
    command = f"{sys.executable} -m pytest -q -p no:cacheprovider --junitxml multistack-tests.xml test_tiny.py"
    done = dict(run_action(service, {"test": command}, tmp_path / "summary.md"))
    failed = {name for name, one in done.items() if one.returncode}
    assert failed == {"Test"}, done
    assert "::error file=test_tiny.py,line=6,title=test_tiny%3A test_answer::" in done["Summary"].stderr
    told = (tmp_path / "summary.md").read_text()
    assert "| ✅ multistack verify test | 1 | 0 | 0 |" in told
    assert "| ❌ pytest | 0 | 1 | 0 |" in told
    assert "Tell what failed" in done
    assert service.status()["test"]["status"] == "stopped"


@pytest.mark.parametrize("where", ["gitlab", "bitbucket"])
def test_the_templates_run(service: ProjectFolder, where: str) -> None:
    """Each script line is the user's to copy; together they verify, report and leave nothing running."""
    told = yaml.safe_load((REPOSITORY / "ci" / f"{where}.yml").read_text())
    if where == "gitlab":
        job, variables = told[".multistack"], {"CI_JOB_STATUS": "success"}
        before, after = job["script"], job["after_script"]
        variables |= {name: value for name, value in job["variables"].items() if "$" not in value}
        report = "multistack-verify.xml"
    else:
        (entry,) = told["pipelines"]["default"]
        before, after, variables = entry["step"]["script"], entry["step"]["after-script"], {"BITBUCKET_EXIT_CODE": "0"}
        report = "test-results/multistack-verify.xml"
    for script in (before, after):
        done = run(service, "\n".join(script), variables)
        assert done.returncode == 0, done.stdout + done.stderr
    assert 'name="multistack verify test"' in (service.folder / report).read_text()
    assert service.status()["test"]["status"] == "stopped"


@pytest.mark.parametrize("file", [*WORKFLOWS, REPOSITORY / "action.yml"], ids=lambda file: file.name)
def test_nothing_in_ci_reads_a_secret(file: Path) -> None:
    """A pull request of a fork gets none, and must pass all the same; inputs reach a shell as variables only."""
    text = file.read_text()
    told = yaml.safe_load(text)
    assert "secrets." not in text
    assert "pull_request_target" not in text
    assert told.get("permissions", {"contents": "read"}) == {"contents": "read"}
    steps = [*told.get("runs", {}).get("steps", ()), *(s for j in told.get("jobs", {}).values() for s in j["steps"])]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
