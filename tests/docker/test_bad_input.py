"""What can be wrong with images, engines and names: one clear line, the documented exit code, nothing half-done."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.drivers import containers
from tests.conftest import ProjectFolder
from tests.docker.conftest import MakeProject
from tests.docker.engines import BASE, Images, build_image, dockerfile
from tests.docker.projects import kept, loaded, name_of, put
from tests.drivers import left_of
from tests.functional.tiny import get, refused


@pytest.fixture
def derived(engine: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """An image of the test's own: the base with the lines that the test names."""
    name = f"multistack-test/derived:{abs(hash(request.node.nodeid)):x}"
    build_image(engine, name, dockerfile(f"FROM {BASE}\n{request.param}\n"))
    yield name
    engine.images.remove(name, force=True)


def test_image_that_is_not_there(make_project: MakeProject, engine: Any) -> None:
    """Its name may be misspelt: nothing is made for it."""
    project = make_project("multistack-test/mispelt:1")
    said = refused(project, "up", code=3)
    assert "error: image multistack-test/mispelt:1 is not in the Docker engine" in said
    assert "hint: `multistack up --pull` gets it" in said
    assert left_of(engine, project.folder) == []


def test_image_that_can_not_be_pulled(make_project: MakeProject, engine: Any) -> None:
    """The registry's, or the network's, words."""
    project = make_project("127.0.0.1:1/nobody/nothing:1")
    said = refused(project, "up", "--pull", code=3)
    assert "error: image 127.0.0.1:1/nobody/nothing:1: the Docker engine says: " in said
    assert left_of(engine, project.folder) == []


def test_image_without_its_token(make_project: MakeProject, engine: Any) -> None:
    """Refused before anything is started or pulled, with both ways out."""
    project = make_project("localstack/localstack:2026.3.0")
    for arguments in (["up"], ["up", "--pull"]):
        said = refused(project, *arguments, code=2)
        assert "image localstack/localstack:2026.3.0 ends at once without LOCALSTACK_AUTH_TOKEN" in said
        assert "set LOCALSTACK_AUTH_TOKEN, or use localstack/localstack:4.14.0" in said
    assert left_of(engine, project.folder) == []
    said = refused(project, "up", code=3, env={"LOCALSTACK_AUTH_TOKEN": "ls-token"})
    assert "is not in the Docker engine" in said


@pytest.mark.parametrize("derived", ["CMD echo hello; exit 0"], indirect=True, ids=[""])
def test_image_that_is_no_emulator(make_project: MakeProject, engine: Any, derived: str) -> None:
    """It ends at once; what it said is shown."""
    project = make_project(derived)
    said = refused(project, "up", code=3)
    assert "error: environment test: its emulator ended while starting: its container ended with exit code 0" in said
    assert "\n  hello\n" in said
    assert left_of(engine, project.folder) == []


@pytest.mark.parametrize("derived", ["CMD echo broken >&2; exit 3"], indirect=True, ids=[""])
def test_image_that_fails(make_project: MakeProject, engine: Any, derived: str) -> None:
    """The engine tries it three times more; then its exit code and its last words are told."""
    project = make_project(derived)
    said = refused(project, "up", code=3)
    assert "its container ended with exit code 3" in said
    assert "\n  broken\n" in said
    assert left_of(engine, project.folder) == []


@pytest.mark.parametrize("derived", ["CMD exit 55"], indirect=True, ids=[""])
def test_image_that_ends_for_want_of_a_token(make_project: MakeProject, derived: str) -> None:
    """One named by its digest may be any release; its exit code tells."""
    said = refused(make_project(derived), "up", code=3)
    assert "exit code 55, as LocalStack's images do without LOCALSTACK_AUTH_TOKEN" in said


@pytest.mark.parametrize("derived", ["CMD echo last words; exec sleep 600"], indirect=True, ids=[""])
def test_image_that_never_gets_healthy(make_project: MakeProject, engine: Any, derived: str) -> None:
    """Its last log lines are shown."""
    project = make_project(derived)
    said = refused(project, "up", "--wait", "2", code=3)
    assert "environment test is not healthy after 2 s" in said
    assert "\n  last words\n" in said
    assert left_of(engine, project.folder) == []


def test_fixed_port_that_is_taken(tiny: ProjectFolder, engine: Any) -> None:
    """By a program, whose name is told, or by another container; then the neighbours are up nevertheless."""
    with (tiny.folder / "multistack.toml").open("a") as file:
        file.write('[environments.prod]\naccount_id = "222222222222"\n')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tiny, "up", code=3, env={"MULTISTACK_ENVIRONMENT_PROD_PORT": str(port)})
        assert f"port {port} for environment prod is taken by python" in said
    assert get(tiny).status == 200
    assert {row["status"] for row in tiny.status().values()} == {"ready", "stopped"}
    assert left_of(engine, tiny.folder) == [
        f"container /{name_of(tiny)}",
        f"network {name_of(tiny)}",
        f"volume {name_of(tiny)}",
    ]


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("unix://{folder}/nowhere.sock", "no Docker engine: there is no socket {folder}/nowhere.sock"),
        ("unix://{folder}/service/template.yaml", "no Docker engine: {folder}/service/template.yaml is no socket"),
        ("tcp://127.0.0.1:1", "no Docker engine answers at tcp://127.0.0.1:1"),
        ("tcp://192.0.2.1:2375", "the Docker engine at tcp://192.0.2.1:2375 is on another machine"),
        ("ssh://root@192.0.2.1", "the Docker engine at ssh://root@192.0.2.1 is on another machine"),
        ("nonsense", "DOCKER_HOST: 'nonsense' is no address of an engine"),
    ],
    ids=["nowhere", "no socket", "nobody listens", "remote", "ssh", "nonsense"],
)
def test_engine_that_can_not_be_used(tiny: ProjectFolder, host: str, message: str) -> None:
    """One line for all environments; what only looks goes on."""
    folder = tiny.folder.parent
    with (tiny.folder / "multistack.toml").open("a") as file:
        file.write('[environments.prod]\naccount_id = "222222222222"\n')
    env = {"DOCKER_HOST": host.format(folder=folder)}
    said = refused(tiny, "up", code=3, env=env)
    assert message.format(folder=folder) in said
    assert "hint: " in said
    assert tiny.run("status", env=env).returncode == 0
    assert "stopped the proxy" in tiny.run("down", env=env).stdout


def test_engine_that_went_away(tiny: ProjectFolder) -> None:
    """What may run in it is not taken for stopped: `down` fails, and a later one does all of it."""
    tiny.run("up")
    env = {"DOCKER_HOST": "unix:///nowhere.sock"}
    assert "no Docker engine: there is no socket /nowhere.sock" in tiny.run("status", env=env).stdout
    for command in ("up", "down", "reset"):
        assert "no Docker engine: there is no socket /nowhere.sock" in refused(tiny, command, code=3, env=env)
    tiny.run("up")
    assert get(tiny).status == 200


def test_remote_engine_when_allowed(tiny: ProjectFolder) -> None:
    """It is asked, and does not answer."""
    env = {"DOCKER_HOST": "tcp://does-not-exist.invalid:2375", "MULTISTACK_ALLOW_REMOTE": "true"}
    assert "no Docker engine answers at tcp://does-not-exist.invalid:2375" in refused(tiny, "up", code=3, env=env)


def test_two_projects_of_one_name(make_project: MakeProject, images: Images, engine: Any) -> None:
    """Their folders tell them apart: each has its own, and takes only that down."""
    first, second = (make_project(images.standin, name=name) for name in ("first", "second"))
    for project in (first, second):
        project.run("up")
        put(project, project.folder.parent.name)
    first.run("down")
    assert left_of(engine, first.folder) == []
    assert len(left_of(engine, second.folder)) == 3
    assert kept(second) == "second"
    first.run("up")
    assert (kept(first), kept(second)) == ("first", "second")


KINDS = ("container", "network", "volume")


@contextlib.contextmanager
def stranger(engine: Any, kind: str, name: str, labels: dict[str, str]) -> Iterator[Any]:
    """Something of somebody else, which must be there, as it was, in the end."""
    make = {
        "container": lambda: engine.containers.create(BASE, ["sleep", "600"], name=name, labels=labels),
        "network": lambda: engine.networks.create(name, labels=labels),
        "volume": lambda: engine.volumes.create(name, labels=labels),
    }
    find = {"container": engine.containers, "network": engine.networks, "volume": engine.volumes}[kind]
    made = make[kind]()
    try:
        yield made
        assert find.get(made.id).attrs == {**made.attrs, **find.get(made.id).attrs}
    finally:
        made.remove()


@pytest.mark.parametrize("kind", KINDS)
def test_stranger_with_our_name(tiny: ProjectFolder, engine: Any, kind: str) -> None:
    """Neither used nor removed."""
    name = name_of(tiny)
    with stranger(engine, kind, name, {}):
        said = refused(tiny, "up", code=3)
        assert f"environment test: {kind} {name} is in the Docker engine and not of this project" in said
        assert f"docker {kind} inspect {name}" in said
        tiny.run("down")
    assert left_of(engine, tiny.folder) == []
    tiny.run("up")
    assert get(tiny).status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_stranger_with_our_labels(tiny: ProjectFolder, engine: Any, kind: str) -> None:
    """Whoever copied them is left alone."""
    labels = containers.labels_of(loaded(tiny), loaded(tiny).environments[0])
    with stranger(engine, kind, f"{tiny.folder.parent.parent.name.replace('_', '-')}-mine", labels) as made:
        tiny.run("up")
        assert get(tiny).status == 200
        tiny.run("down")
        assert [one.partition(" ")[0] for one in left_of(engine, tiny.folder)] == [kind]
        assert made.name in left_of(engine, tiny.folder)[0]


def test_broken_kept_state_is_told(tiny: ProjectFolder, engine: Any) -> None:
    """Nothing starts from half of it; the ways out are named, and one of them works."""
    tiny.run("up")
    tiny.run("down")
    kept_file = tiny.folder / ".multistack/environments/test/container.tar"
    kept_file.write_bytes(kept_file.read_bytes()[:1000])
    said = refused(tiny, "up", code=3)
    assert "environment test: its kept state is broken" in said
    assert "`multistack reset` starts it without" in said
    assert left_of(engine, tiny.folder) == []
    assert kept_file.exists()
    tiny.run("reset")
    assert get(tiny).status == 200


def test_folder_that_can_not_be_written(tiny: ProjectFolder, engine: Any) -> None:
    """State that can't be brought home stays in its volume until it can."""
    tiny.run("up")
    put(tiny, "1")
    folder = tiny.folder / ".multistack/environments/test"
    aside = folder / ".container.tar"
    aside.mkdir()
    said = refused(tiny, "down", code=3)
    assert f"environment test: its state can't be kept in {folder}" in said
    assert f"until then it stays in the Docker volume {name_of(tiny)}" in said
    assert "volume " + name_of(tiny) in left_of(engine, tiny.folder)
    aside.rmdir()
    tiny.run("down")
    assert left_of(engine, tiny.folder) == []
    tiny.run("up")
    assert kept(tiny) == "1"


def test_project_folder_with_odd_characters(make_project: MakeProject, images: Images, tmp_path: Path) -> None:
    """Labels and names hold any folder."""
    project = make_project(images.standin, name='it\'s a "földer" = 100%,x')
    project.run("up")
    assert get(project).status == 200
