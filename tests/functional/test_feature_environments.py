"""Environments for a while: whole ones from the first moment on, and nothing once they are gone."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.created import read_created, write_created
from emulator.history import History
from emulator.model import Outcome
from emulator.routes import load_routes
from tests.conftest import Answer, ProjectFolder, http
from tests.drivers import assert_nothing_left, emulator_of
from tests.functional.cutting import is_cut, until_line
from tests.functional.tiny import PROJECT, TEMPLATE, refused, source, tiny_project, write

STAGES = f'{PROJECT}[environments.prod]\naccount_id = "333333333333"\nprotected = true\n'
WITH_CONFIG = TEMPLATE.replace("Resources:", "Parameters:\n  Word: {Type: String, Default: none}\nResources:").replace(
    "      CodeUri: src/\n", "      CodeUri: src/\n      Environment: {Variables: {WORD: !Ref Word}}\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFolder]:
    """A tiny service with test and prod, nothing of it running."""
    with tiny_project(tmp_path) as project:
        write(project, "multistack.toml", STAGES)
        yield project


def get(project: ProjectFolder, environment: str) -> Answer:
    """What the proxy answers for *environment*."""
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    return http("GET", f"http://127.0.0.1:{record['port']}/{environment}/")


def listed(project: ProjectFolder) -> dict[str, dict[str, Any]]:
    """``list --json`` by name."""
    return {row["environment"]: row for row in json.loads(project.run("list", "--json").stdout)}


def proxy_of(project: ProjectFolder) -> int:
    """The pid of the proxy."""
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    return int(record["process"]["pid"])


def expire(project: ProjectFolder, name: str) -> None:
    """Let its time be over, as if it had passed."""
    state = project.folder / ".multistack"
    created = read_created(state)
    over = replace(created.environments[name], expires=datetime.now(UTC) - timedelta(hours=3))
    write_created(state, created.adding(name, over))


def assert_gone(project: ProjectFolder, name: str) -> None:
    """Nothing of it stays but its rows in the ledger."""
    state = project.folder / ".multistack"
    assert not (state / "environments" / name).exists()
    assert name not in project.status()
    assert name not in load_routes(state / "routes.json")
    assert name not in read_created(state).environments
    ours = [pid for pid in project.processes() if f"environments/{name}" in str(Path(f"/proc/{pid}/cwd").readlink())]
    assert ours == []


def git(project: ProjectFolder, *args: str) -> None:
    """Git in the project's folder, without anybody's settings."""
    subprocess.run(["git", *args], cwd=project.folder, env=project.command_environ(), check=True, capture_output=True)


def test_a_created_environment_is_a_whole_one(project: ProjectFolder) -> None:
    """Its own emulator, account and stack; every command knows it, and the running proxy serves it at once."""
    project.run("up", "test")
    before, proxy = emulator_of(project.folder, "test"), proxy_of(project)
    done = project.run("create", "login", "--like", "test", "--ttl", "2h")
    assert done.stdout == "login\n"
    assert "login  deployed" in done.stderr
    assert (get(project, "login").body, proxy_of(project)) == (b"one", proxy)
    status = project.status()
    assert list(status) == ["test", "prod", "login"]
    assert status["login"]["status"] == "ready"
    assert status["login"]["digest"] == status["test"]["digest"]
    assert len({row["account_id"] for row in status.values()}) == 3
    assert status["login"]["endpoint"] == project.run("endpoint", "login").stdout.strip() != status["test"]["endpoint"]
    assert (
        project.run("exec", "login", "--", "printenv", "AWS_ACCOUNT_ID").stdout.strip() == status["login"]["account_id"]
    )
    assert "emulator" in project.run("logs", "login").stdout
    row = listed(project)["login"]
    assert (row["like"], row["release"], row["status"]) == ("test", status["login"]["release"], "ready")
    assert 7000 < row["expires_in"] <= 7200
    assert emulator_of(project.folder, "test") == before


def test_down_stops_it_up_starts_it_and_deploy_changes_it(project: ProjectFolder) -> None:
    """As every other one; the one it is like goes its own way."""
    project.run("up", "test")
    project.run("create", "login", "--like", "test")
    assert project.run("down").stdout == "stopped test, login, the proxy\n"
    assert project.processes() == []
    assert listed(project)["login"]["status"] == "stopped"
    project.run("up", "test", "login")
    write(project, "src/app.py", source("'two'"))
    project.run("deploy", "login")
    assert (get(project, "login").body, get(project, "test").body) == (b"two", b"one")


def test_destroy_leaves_nothing_but_its_rows_in_the_ledger(project: ProjectFolder) -> None:
    """The proxy knows it no more; one created again under its name has no past."""
    project.run("up", "test")
    project.run("create", "login", "--like", "test")
    write(project, "src/app.py", source("'two'"))
    project.run("deploy", "login")
    assert project.run("destroy", "login").stdout == "removed login\n"
    assert_gone(project, "login")
    assert get(project, "login").status == 404
    assert get(project, "test").body == b"one"
    history = History(project.folder / ".multistack/history.sqlite")
    assert [one.outcome for one in history.deployments("login")] == [Outcome.SUCCEEDED] * 2
    project.run("create", "login", "--like", "test")
    assert get(project, "login").body == b"one"
    project.run("destroy", "login")
    project.run("down")
    assert project.processes() == []
    assert_nothing_left(project.folder)


def test_its_first_release_is_what_the_other_one_serves(project: ProjectFolder) -> None:
    """Not the source as it stands; another one can be asked for, by the id of a release or by a digest."""
    project.run("up", "test")
    first = project.status()["test"]
    write(project, "src/app.py", source("'two'"))
    project.run("deploy", "test")
    second = project.status()["test"]
    write(project, "src/app.py", "this is no Python")
    project.run("create", "a", "--like", "test")
    project.run("create", "b", "--like", "test", "--release", first["release"])
    project.run("create", "c", "--like", "prod", "--release", first["digest"][:12])
    assert [get(project, name).body for name in "abc"] == [b"two", b"one", b"one"]
    assert project.status()["a"]["release"] == second["release"]
    said = refused(project, "create", "d", "--like", "test", "--release", "0123456789ab", code=5)
    assert "no artifact has a digest that begins with '0123456789ab'" in said
    assert "d" not in listed(project)


def test_without_any_release_it_gets_the_current_source(project: ProjectFolder) -> None:
    """It needs no other environment to run, and brings the proxy with it."""
    project.run("create", "login", "--like", "prod")
    assert get(project, "login").body == b"one"
    status = project.status()
    assert (status["login"]["status"], status["prod"]["status"], status["login"]["protected"]) == (
        "ready",
        "stopped",
        False,
    )


def test_a_branch_names_it_and_has_one(project: ProjectFolder) -> None:
    """A second run for the same branch, as after the next push, finds the same one with a new end."""
    git(project, "init", "--quiet", "--initial-branch", "Feature/Login")
    name = project.run("create", "--from-branch", "--like", "test", "--ttl", "1h").stdout.strip()
    assert name == "feature-login"
    emulator = emulator_of(project.folder, name)
    assert project.run("create", "--from-branch", "--like", "test", "--ttl", "3h").stdout == "feature-login\n"
    assert emulator_of(project.folder, name) == emulator
    assert listed(project)[name]["expires_in"] > 3600
    assert listed(project)[name]["branch"] == "Feature/Login"
    others = [
        project.run("create", "--from-branch", one, "--like", "test").stdout.strip()
        for one in ("feature-login", "prod")
    ]
    assert [one[:-6] for one in others] == ["feature-login-", "prod-"]
    assert "is there already, like test" in refused(project, "create", "--from-branch", "--like", "prod", code=2)


def test_a_release_that_is_asked_for_reaches_a_branch_that_has_one(project: ProjectFolder) -> None:
    """``create`` again is how a pipeline puts the next build there."""
    project.run("up", "test")
    project.run("create", "--from-branch", "b", "--like", "test")
    write(project, "src/app.py", source("'two'"))
    project.run("deploy", "test")
    project.run("create", "--from-branch", "b", "--like", "test")
    assert get(project, "b").body == b"one"
    project.run("create", "--from-branch", "b", "--like", "test", "--release", project.status()["test"]["digest"])
    assert get(project, "b").body == b"two"


@pytest.mark.parametrize("lacks", ["repository", "branch"])
def test_a_branch_that_git_does_not_tell_is_asked_for(project: ProjectFolder, lacks: str) -> None:
    """With one line that says how to name it."""
    if lacks == "branch":
        git(project, "init", "--quiet")
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        git(project, *identity, "commit", "--quiet", "--allow-empty", "--message", "first")
        git(project, "checkout", "--quiet", "--detach")
    assert "hint: name the branch: --from-branch BRANCH" in refused(
        project, "create", "--from-branch", "--like", "test", code=2
    )


def test_names_that_can_not_be_are_refused_before_anything_starts(project: ProjectFolder) -> None:
    """Each with what is wrong; nothing is on the list afterwards."""
    for name, reason in (
        ("prod", "is declared in multistack.toml"),
        ("feature/login", "must be 1 to 30"),
        ("a" * 31, "must be 1 to 30"),
        ("all", "is reserved"),
        ("_x", "must not start with"),
    ):
        assert reason in refused(project, "create", name, "--like", "test", code=2)
    assert "did you mean test?" in refused(project, "create", "login", "--like", "tset", code=2)
    for ttl in ("0s", "2", "-1h", "99999d", ""):
        assert "--ttl" in refused(project, "create", "login", "--like", "test", "--ttl", ttl, code=2)
    assert project.run("create", "--like", "test", check=False).returncode == 2
    assert project.run("create", "x", "--from-branch", "y", "--like", "test", check=False).returncode == 2
    assert listed(project) == {}
    assert project.processes() == []


def test_only_created_environments_can_be_destroyed(project: ProjectFolder) -> None:
    """A declared one is the project file's; a created one is no model for others, and is there but once."""
    project.run("create", "login", "--like", "test")
    assert "environment test is declared" in refused(project, "destroy", "login", "test", code=2)
    assert "did you mean login?" in refused(project, "destroy", "lgoin", code=2)
    assert "it was created itself" in refused(project, "create", "other", "--like", "login", code=2)
    assert "is there already" in refused(project, "create", "login", "--like", "test", code=2)
    assert project.status()["login"]["status"] == "ready"


def test_up_removes_what_has_expired_and_says_so(project: ProjectFolder) -> None:
    """Also when others are named; one whose time is not over stays."""
    project.run("create", "over", "--like", "test", "--ttl", "1h")
    project.run("create", "stays", "--like", "test", "--ttl", "1h")
    expire(project, "over")
    assert "expired" in project.run("list").stdout
    done = project.run("up", "test")
    assert "over   removed because it expired 3h" in done.stderr
    assert_gone(project, "over")
    assert [get(project, name).status for name in ("over", "stays")] == [404, 200]


def test_prune_removes_what_has_expired_running_or_not(project: ProjectFolder) -> None:
    """A second one finds nothing."""
    project.run("create", "a", "--like", "test", "--ttl", "1h")
    project.run("create", "b", "--like", "test", "--ttl", "1h")
    project.run("down", "b")
    for name in ("a", "b"):
        expire(project, name)
    assert project.run("prune").stdout == "removed a, b\n"
    for name in ("a", "b"):
        assert_gone(project, name)
    assert project.run("prune").stdout == "nothing was removed\n"


@pytest.mark.usefixtures("installed_command")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
@pytest.mark.parametrize("line", ["login  starting", "login  ready", "login  deployed"])
def test_a_cut_creation_is_finished_or_removed(project: ProjectFolder, line: str, number: signal.Signals) -> None:
    """The same command again goes on with it, and destroy leaves nothing of it."""
    project.run("up", "test")
    command = project.start("create", "login", "--like", "test")
    until_line(command, line)
    if is_cut(command, number):
        assert list(listed(project)) == ["login"]
        assert project.run("create", "login", "--like", "test").stdout == "login\n"
    assert get(project, "login").body == b"one"
    project.run("destroy", "login")
    assert_gone(project, "login")


@pytest.mark.usefixtures("installed_command")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
@pytest.mark.parametrize("follower", ["up", "prune", "destroy", "create"])
def test_a_cut_removal_is_finished(project: ProjectFolder, follower: str, number: signal.Signals) -> None:
    """By whichever command comes next; meanwhile the proxy serves it no more."""
    project.run("create", "login", "--like", "test")
    command = project.start("destroy", "login")
    state = project.folder / ".multistack"
    while (found := read_created(state).environments.get("login")) and not found.is_ending:
        assert command.poll() is None
    is_cut(command, number)
    args = {"up": ["up", "test"], "destroy": ["destroy", "login"], "create": ["create", "new", "--like", "test"]}
    # The command may have been faster than the signal, as it is allowed to be.
    project.run(*args.get(follower, [follower]), check="login" in read_created(state).environments)
    assert_gone(project, "login")


def test_a_damaged_list_stops_every_command_until_it_is_moved(project: ProjectFolder) -> None:
    """One clear error; without the list down still stops what ran."""
    project.run("create", "login", "--like", "test")
    created = project.folder / ".multistack/created.json"
    created.write_text(created.read_text()[:-20])
    for command in (["status"], ["up"], ["list"], ["down"]):
        assert f"{created}, is damaged" in refused(project, *command, code=1)
    created.rename(created.with_suffix(".bad"))
    assert project.run("down").stdout == "stopped login, the proxy\n"
    assert project.processes() == []
    assert "holds the data of an environment login" in refused(project, "create", "login", "--like", "test", code=2)


def test_without_the_one_it_is_like_it_can_be_destroyed(project: ProjectFolder) -> None:
    """No other command minds that its model left the project file."""
    project.run("create", "login", "--like", "test")
    write(project, "multistack.toml", STAGES.replace("environments.test", "environments.dev"))
    assert list(project.status()) == ["dev", "prod"]
    assert listed(project)["login"]["status"] == "ready"
    project.run("destroy", "login")
    assert_gone(project, "login")


def test_two_are_created_at_once(project: ProjectFolder) -> None:
    """The second waits for the first; the proxy serves both, also after commands that began before."""
    project.run("up", "test")
    commands = [project.start("create", name, "--like", "test") for name in ("a", "b")]
    commands.append(project.start("up", "test"))
    for command in commands:
        _, said = command.communicate(timeout=60)
        assert command.returncode == 0, said
    assert [get(project, name).body for name in ("a", "b", "test")] == [b"one"] * 3


def test_variables_and_flags_are_its_own(project: ProjectFolder) -> None:
    """Config of the one it is like, and its own over that."""
    write(project, "template.yaml", WITH_CONFIG)
    write(project, "src/app.py", "import os\n" + source("os.environ['WORD']"))
    write(project, "multistack.toml", f'{PROJECT}config = {{Word = "file"}}\n[environments.prod]\n')
    project.run("create", "login", "--like", "test", env={"MULTISTACK_CONFIG_LOGIN_WORD": "own"})
    assert get(project, "login").body == b"own"
    project.run("deploy", "login")
    assert get(project, "login").body == b"file"


def test_its_config_is_set_in_a_file_of_its_own(project: ProjectFolder) -> None:
    """The project file doesn't know it; where that declares no keys, a variable is the way."""
    project.run("create", "login", "--like", "test")
    before = (project.folder / "multistack.toml").read_text()
    assert "MULTISTACK_CONFIG_LOGIN_Word" in refused(project, "config", "set", "login", "Word", "own", code=2)
    write(project, "multistack.toml", f'{STAGES}[config]\nWord = {{default = "none"}}\n')
    project.run("config", "set", "login", "Word", "own")
    assert project.run("config", "get", "login", "Word").stdout == "own\n"
    assert (project.folder / ".env.login").read_text().startswith("Word=")
    project.run("config", "unset", "login", "Word")
    write(project, "multistack.toml", before)
    assert ".env.login stays" in project.run("destroy", "login").stderr


def test_it_is_in_no_compose_file(project: ProjectFolder) -> None:
    """Which is of the declared environments, whoever renders it."""
    before = project.run("compose").stdout
    project.run("create", "login", "--like", "test")
    assert project.run("compose").stdout == before
