"""Spaces: further sets of a project's environments that have nothing in common."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emulator.model import Space
from emulator.space_list import changed, read_spaces, write_spaces
from tests.conftest import ProjectFolder, http
from tests.functional.cutting import until_line
from tests.functional.tiny import PROJECT, refused, source, tiny_project, write

STAGES = f'{PROJECT}[environments.prod]\naccount_id = "333333333333"\n'
CHECKED = f'{STAGES}[verify]\ncommand = "curl -sf $MULTISTACK_URL"\nchecks = [{{path = "/", contains = "one"}}]\n'

SPACES = (["--space", "seat-01"], ["--space", "seat-02"])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFolder]:
    """A tiny service with test and prod, nothing of it running."""
    with tiny_project(tmp_path) as project:
        write(project, "multistack.toml", STAGES)
        yield project


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The same for tests that start nothing."""
    with tiny_project(tmp_path_factory.mktemp("idle")) as project:
        write(project, "multistack.toml", STAGES)
        yield project


def rows(project: ProjectFolder) -> dict[str, dict[str, Any]]:
    """``space list --json`` by name."""
    return {row["space"]: row for row in json.loads(project.run("space", "list", "--json").stdout)}


def called(project: ProjectFolder, space: str, environment: str) -> str:
    """What the function answers there."""
    done = project.run("--space", space, "invoke", environment, "Web", "--json")
    return str(json.loads(done.stdout)["result"]["body"])


def test_spaces_are_whole_and_apart(project: ProjectFolder) -> None:
    """Each has all environments of the project, in accounts of its own; what is deployed into one is in no other."""
    project.run("space", "create", "--count", "2", "--prefix", "seat")
    found = rows(project)
    assert [(one["status"], one["ready"]) for one in found.values()] == [("ready", 2)] * 2
    assert len({account for one in found.values() for account in one["account_ids"]}) == 4
    write(project, "src/app.py", source("'two'"))
    project.run("--space", "seat-02", "deploy", "test")
    answers = [called(project, *place) for place in (("seat-01", "test"), ("seat-02", "test"), ("seat-02", "prod"))]
    assert answers == ["one", "two", "one"]
    counts = [len(json.loads(project.run(*space, "history", "--json").stdout)) for space in ([], *SPACES)]
    assert counts == [0, 2, 3]
    assert set(project.status()) == {"test", "prod"}
    project.run("space", "destroy", "seat-01")
    assert set(rows(project)) == {"seat-02"}
    assert called(project, "seat-02", "test") == "two"
    assert not (project.folder / ".multistack/spaces/seat-01").exists()
    project.run("down")
    assert project.processes() == []


def test_a_space_sleeps_with_its_state_and_wakes_with_it(project: ProjectFolder) -> None:
    """Asleep, nothing of it runs; `down` puts all of them to sleep."""
    project.run("space", "create", "alice")
    write(project, "src/app.py", source("'two'"))
    project.run("--space", "alice", "deploy", "test")
    project.run("space", "sleep", "alice")
    assert rows(project)["alice"]["status"] == "asleep"
    project.run("--space", "alice", "up")
    assert rows(project)["alice"]["status"] == "ready"
    assert called(project, "alice", "test") == "two"
    project.run("down")
    assert rows(project)["alice"]["status"] == "asleep"
    assert project.processes() == []


def test_whoever_looks_after_seats_is_told_what_works(project: ProjectFolder) -> None:
    """A command that needs no token, the code beside the link, and what is wrong where nobody reaches anything."""
    project.run("space", "create", "--count", "2", "--prefix", "seat")
    for command in (["up"], ["reset", "test"]):
        (tried,) = re.findall("^Try: (.*)$", project.run("--space", "seat-02", *command).stdout, re.MULTILINE)
        assert tried == "multistack --space seat-02 invoke test"
    assert "Web" in project.run(*tried.split()[1:]).stdout
    for options in ([], ["--new"]):
        said = project.run("space", "url", "seat-01", *options)
        assert re.fullmatch(r"http://\S+/seat-01/_join\?token=\S+\n", said.stdout)
        assert re.search(r"^code: [A-Z0-9]{4}-[A-Z0-9]{4}$", said.stderr, re.MULTILINE)
    assert "proxy" not in project.run("space", "list").stderr
    assert project.run("space", "sleep", "--all").stdout == "put to sleep: seat-01, seat-02\n"
    assert {one["status"] for one in rows(project).values()} == {"asleep"}
    project.run("down")
    assert "the proxy doesn't run" in project.run("space", "list").stderr
    project.run("space", "wake", "--all")
    assert "proxy" not in project.run("space", "list").stderr


def test_one_that_is_destroyed_while_it_is_created_is_gone(project: ProjectFolder) -> None:
    """Whichever of the two commands comes to its end first."""
    creating = project.start("space", "create", "alice")
    state = project.folder / ".multistack"
    until_line(creating, "building")
    while "alice" not in read_spaces(state):  # it is listed before anything is built
        assert creating.poll() is None
    project.run("space", "destroy", "alice")
    _, said = creating.communicate(timeout=120)
    assert "Traceback" not in said
    assert read_spaces(state) == {}
    assert not (state / "spaces").exists()
    project.run("down")
    assert project.processes() == []


def test_two_operators_make_and_remove_spaces_at_once(project: ProjectFolder) -> None:
    """Both find all there afterwards, each once, and neither is told of an error; both may remove them as well."""
    making = [project.start("space", "create", "--count", "2", "--prefix", "seat") for _ in range(2)]
    for command in making:
        said = command.communicate(timeout=300)
        assert command.returncode == 0, said
    found = rows(project)
    assert [(one["status"], one["ready"]) for one in found.values()] == [("ready", 2)] * 2
    assert len({account for one in found.values() for account in one["account_ids"]}) == 4
    links = [project.run("space", "url", "--all", "--csv").stdout for _ in range(2)]
    assert links[0] == links[1]
    removing = [project.start("space", "destroy", *which) for which in (["seat-01"], ["--all"])]
    for command in removing:
        _, said = command.communicate(timeout=300)
        assert "Traceback" not in said
    assert read_spaces(project.folder / ".multistack") == {}
    assert not (project.folder / ".multistack/spaces").exists()


def test_time_is_added_for_all_or_none(project: ProjectFolder) -> None:
    """A token that was given out before stays good; a space without an end has none to move."""
    project.run("space", "create", "alice", "--ttl", "1h")
    link = project.run("space", "url", "alice").stdout.strip()
    token = json.loads(http("POST", link, headers={"Accept": "application/json"}).body)["token"]
    project.run("space", "extend", "alice", "--by", "2h")
    state = project.folder / ".multistack"
    spaces = read_spaces(state)
    ends = spaces["alice"].expires
    assert ends is not None
    assert ends - spaces["alice"].at == timedelta(hours=3)
    write_spaces(state, {**spaces, "bob": replace(spaces["alice"], name="bob", number=2, expires=None)})
    assert "space bob has no end" in refused(project, "space", "extend", "--all", "--by", "1h", code=2)
    assert read_spaces(state)["alice"].expires == ends
    write_spaces(state, spaces)
    url = link.partition("/_join")[0]
    assert http("GET", f"{url}/test/", headers={"X-Multistack-Token": token}).status == 200


@pytest.mark.embedded("a reboot ends containers in ways of their own")
def test_what_a_reboot_ended_is_started_by_one_command(project: ProjectFolder) -> None:
    """Nothing of it was put to sleep; the proxy comes with it, and what runs stays as it is."""
    project.run("space", "create", "--count", "2", "--prefix", "seat")
    while pids := project.processes():  # a function may be started while others are killed
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert {one["status"] for one in rows(project).values()} == {"stopped"}
    assert "awake: seat-01, seat-02" in project.run("space", "wake", "--all").stdout
    assert [(one["status"], one["ready"], bool(one["url"])) for one in rows(project).values()] == [
        ("ready", 2, True)
    ] * 2
    assert called(project, "seat-02", "prod") == "one"
    assert "nothing was to do" in project.run("space", "wake", "--all").stdout


def test_a_release_is_promoted_within_a_space(project: ProjectFolder) -> None:
    """Its checks ask its own environments, although they don't have the token that the proxy asks for."""
    write(project, "multistack.toml", CHECKED)
    project.run("space", "create", "alice")
    write(project, "src/app.py", source("'one more'"))
    project.run("--space", "alice", "deploy", "test", "--verify")
    project.run("--space", "alice", "promote", "prod")
    assert called(project, "alice", "prod") == "one more"


def test_what_sleeps_stays_asleep_until_all_of_it_runs(project: ProjectFolder) -> None:
    """Else no request would wake the rest; a reset wakes as well."""
    project.run("space", "create", "alice")
    project.run("space", "sleep", "alice")
    project.run("--space", "alice", "up", "test")
    assert rows(project)["alice"]["status"] == "asleep"
    project.run("space", "reset", "alice")
    assert rows(project)["alice"]["status"] == "ready"


def test_tokens_of_a_space_that_is_gone_open_no_later_one(project: ProjectFolder) -> None:
    """Whoever sits on the seat tomorrow is somebody else."""
    links = []
    for _ in range(2):
        project.run("space", "create", "alice")
        links.append(project.run("space", "url", "alice").stdout.strip())
        if len(links) == 1:
            project.run("space", "destroy", "alice")
    statuses = [http("POST", link, headers={"Accept": "application/json"}).status for link in links]
    assert statuses == [401, 200]


def test_expired_ones_go_when_they_are_asked_to(project: ProjectFolder) -> None:
    """Others stay."""
    project.run("space", "create", "alice", "--ttl", "1h")
    project.run("space", "create", "bob")
    project.run("down")  # the proxy would see to it by itself
    state = project.folder / ".multistack"
    write_spaces(state, changed(read_spaces(state), "alice", expires=datetime.now(UTC) - timedelta(hours=1)))
    assert "because it expired 1h" in project.run("space", "destroy", "--expired").stderr
    assert set(rows(project)) == {"bob"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["space", "create", "x" * 200], "space name", id="long"),
        pytest.param(["space", "create", "bär"], "space name", id="unicode"),
        pytest.param(["space", "create", "test"], "leads elsewhere already", id="environment"),
        pytest.param(["space", "create", "--count", "0"], "--count must be", id="none"),
        pytest.param(["space", "create", "--count", "3", "--prefix", "Ä"], "--prefix", id="prefix"),
        pytest.param(["space", "create", "--count", "1000"], "1,000 spaces are too many: a machine of", id="many"),
        pytest.param(["space", "create", "alice", "--ttl", "soon"], "--ttl must be", id="ttl"),
        pytest.param(["space", "create", "alice", "--memory", "lots"], "--memory must be", id="memory"),
        pytest.param(["space", "create", "alice", "--memory", "0g"], "less than 64 MiB", id="no memory"),
        pytest.param(["space", "create", "alice", "--memory", "1g"], "whose memory nothing limits", id="embedded"),
        pytest.param(["space", "create", "alice", "--max-environments", "1"], "declares 2", id="quota"),
        pytest.param(["space", "destroy", "alice"], "there is no space alice", id="unknown"),
        pytest.param(["--space", "alice", "status"], "there is no space alice", id="status"),
        pytest.param(["--space", "x" * 200, "status"], "there is no space xxx", id="status, long"),
        pytest.param(["--space", "../../bär", "status"], "there is no space ../../bär", id="status, unicode"),
        pytest.param(["space", "url", "bär"], "there is no space bär", id="url, unicode"),
        pytest.param(["space", "extend", "x" * 200, "--by", "1h"], "there is no space xxx", id="extend, long"),
        pytest.param(["space", "extend", "--all", "--by", "-1h"], "--by must be above 0", id="extend by less"),
        pytest.param(["space", "extend", "--all", "--by", "soon"], "--by must be a span", id="extend, no span"),
        pytest.param(["space", "wake", "alice"], "there is no space alice", id="wake"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(idle: ProjectFolder, arguments: list[str], said: str) -> None:
    """Before anything is listed or started."""
    assert said in refused(idle, *arguments, code=2)
    assert read_spaces(idle.folder / ".multistack") == {}


def test_a_space_keeps_to_its_number_of_environments(project: ProjectFolder) -> None:
    """Created ones count."""
    project.run("space", "create", "alice", "--max-environments", "2")
    said = refused(project, "--space", "alice", "create", "feature", "--like", "test", code=2)
    assert "space alice has 2 environments, and may have 2" in said


def test_one_that_cannot_be_read_hides_no_other(project: ProjectFolder) -> None:
    """Whoever looks after thirty sees the others, and which one it is."""
    state, now = project.folder / ".multistack", datetime.now(UTC)
    state.mkdir()
    names = ("alice", "bob")
    write_spaces(state, {name: Space(name=name, number=at, at=now) for at, name in enumerate(names, 1)})
    write(project, ".multistack/spaces/alice/.multistack/history.sqlite", "no ledger " * 100)
    done = project.run("space", "list", "--json", check=False)
    assert [one["space"] for one in json.loads(done.stdout)] == ["bob"]
    assert done.returncode != 0
    assert "spaces/alice" in done.stderr
    assert "Traceback" not in done.stderr
    write_spaces(state, {})


def test_one_whose_cluster_cannot_be_asked_is_not_called_stopped(project: ProjectFolder) -> None:
    """Its environments may serve; why nobody knows is told once for all spaces."""
    state, now, names = project.folder / ".multistack", datetime.now(UTC), ("alice", "bob")
    state.mkdir()
    spaces = {name: Space(name=name, number=at, at=now, is_complete=True) for at, name in enumerate(names, 1)}
    write_spaces(state, spaces)
    for name in names:
        write(project, f".multistack/spaces/{name}/.multistack/environments/test/swarm.json", '{"may_run": true}')
    environ = {"MULTISTACK_DRIVER": "swarm", "DOCKER_HOST": f"unix://{project.folder}/gone.sock"}
    done = project.run("space", "list", "--json", env=environ)
    assert [one["status"] for one in json.loads(done.stdout)] == ["unknown", "unknown"]
    assert done.stderr.count(f"there is no socket {project.folder}/gone.sock") == 1
    write_spaces(state, {})


def test_hints_keep_to_the_space(project: ProjectFolder) -> None:
    """Without its name the command that they tell would be about other environments."""
    project.run("space", "create", "alice")
    project.run("space", "sleep", "alice")
    said = refused(project, "--space", "alice", "invoke", "test", "Web", code=3)
    assert "multistack --space alice up test" in said


def test_commands_on_the_whole_project_are_none_for_a_space(idle: ProjectFolder) -> None:
    """They would be about other environments than the ones that are meant."""
    done = idle.run("--space", "alice", "compare", "/", check=False)
    assert done.returncode == 2
    assert "compare is about the whole project" in done.stderr
