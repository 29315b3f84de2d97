"""What environments in containers need is judged by what the engine says, and is no fault where nothing needs it."""

from __future__ import annotations

import http.server
import json
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from emulator.doctor import containers, examine
from emulator.doctor import project as projects
from emulator.doctor.check import Verdict
from emulator.doctor.engine import Engine
from emulator.drivers.choice import Choice
from emulator.drivers.containers import Container, Image
from emulator.errors import NotReady
from emulator.images.recipe import read_recipe
from emulator.model import OWN_IMAGE, ContainerSettings, DriverName, Environment, Project, Status

ENGINE = Engine(
    address="unix:///var/run/docker.sock",
    name="Docker",
    version="20.10.24",
    api="1.41",
    architecture="arm64",
    memory=8000,
)
NONE = NotReady("no Docker engine: there is no socket /run/docker.sock", hint="install Docker")
PUBLISHED = {4600: "web"}
OFFICIAL = "localstack/localstack:2026.3"


def image(architecture: str) -> Image:
    return Image(
        name=OWN_IMAGE,
        id="sha256:349cd342b38cd691",
        is_own=True,
        architecture=architecture,
        recipe=read_recipe().digest,
    )


def environment(name: str = "test", *, driver: DriverName = DriverName.LOCALSTACK, **given: Any) -> Environment:
    return Environment(name=name, driver=driver, account_id="111111111111", region="eu-west-1", **given)


def project(folder: Path, *environments: Environment) -> Project:
    return Project(
        file=folder / "multistack.toml", service="orders", template=folder / "t.yaml", environments=environments
    )


def container(address: str | None) -> Container:
    return Container(
        id="1",
        environment="test",
        image_id="sha256:1",
        config="c",
        condition=Status.STARTING,
        reason="",
        account_id="111111111111",
        region="eu-west-1",
        settings={},
        address=address,
    )


@pytest.mark.parametrize(
    ("found", "needed_by", "verdict", "says", "advises"),
    [
        (ENGINE, (), Verdict.OK, "Docker 20.10.24 (API 1.41, arm64) at unix:///var/run/docker.sock", ""),
        (replace(ENGINE, name="Podman"), ("test",), Verdict.OK, "Podman 20.10.24 behind Docker's API", ""),
        (NONE, (), Verdict.INFO, "no socket", "the embedded driver does not need it"),
        (NONE, ("test", "prod"), Verdict.PROBLEM, "no socket", "test, prod can't start: install Docker"),
        (NotReady("it hangs"), ("test",), Verdict.PROBLEM, "it hangs", "test can't start"),
        (replace(ENGINE, is_remote=True), ("test",), Verdict.WARNING, "on another machine", "forward them"),
        (replace(ENGINE, is_remote=True), (), Verdict.INFO, "on another machine", "forward them"),
    ],
    ids=["docker", "podman", "not needed", "needed", "no hint", "remote", "remote and not needed"],
)
def test_engine_is_a_problem_only_where_it_is_needed(
    found: Engine | NotReady, needed_by: tuple[str, ...], verdict: Verdict, says: str, advises: str
) -> None:
    """Whoever runs everything embedded needs none; whoever needs one learns why it can't be used."""
    check = containers.check_engine(found, needed_by=needed_by)
    assert check.verdict is verdict
    assert says in check.found
    assert check.advice.startswith(advises) if advises != "forward them" else advises in check.advice


@pytest.mark.parametrize(
    ("found", "emulates", "is_needed", "verdict", "advises"),
    [
        (image("arm64"), (), True, Verdict.OK, ""),
        (image(""), (), True, Verdict.OK, ""),
        (None, (), True, Verdict.PROBLEM, "`multistack image build` makes it, or load one"),
        (None, (), False, Verdict.INFO, "`multistack image build` makes it, or load one"),
        (image("amd64"), (), True, Verdict.PROBLEM, "its programs don't run there: get it for arm64"),
        (image("amd64"), ("amd64",), True, Verdict.WARNING, "it runs emulated, and slowly"),
        (image("amd64"), ("amd64",), False, Verdict.INFO, "it runs emulated, and slowly"),
    ],
    ids=["fits", "unknown", "missing", "missing for auto", "other processor", "emulated", "emulated for auto"],
)
def test_image_must_be_there_for_the_engines_processor(
    found: Image | None, emulates: tuple[str, ...], is_needed: bool, verdict: Verdict, advises: str
) -> None:
    """One learns how to get it before an environment fails to start."""
    engine = replace(ENGINE, emulates=emulates)
    check = containers.check_image(OWN_IMAGE, found, engine, is_needed=is_needed, token=None)
    assert check.verdict is verdict
    assert check.advice.startswith(advises)
    assert bool(check.advice) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(("is_needed", "verdict"), [(True, Verdict.WARNING), (False, Verdict.INFO)], ids=str)
def test_image_of_another_version_is_a_warning(is_needed: bool, verdict: Verdict) -> None:
    """An update of multistack brings another recipe; nothing else would tell."""
    old = replace(image("arm64"), recipe="of another version")
    check = containers.check_image(OWN_IMAGE, old, ENGINE, is_needed=is_needed, token=None)
    assert (check.verdict, check.found) == (verdict, "349cd342b38c, arm64, made by another version of multistack")
    assert "multistack image build" in check.advice


def test_image_of_another_processor_is_told_with_both() -> None:
    """An amd64 image on an arm64 engine fails with a message that explains nothing."""
    check = containers.check_image(OWN_IMAGE, image("amd64"), ENGINE, is_needed=True, token=None)
    assert check.found == "349cd342b38c, amd64, but the engine runs arm64"


@pytest.mark.parametrize(
    ("token", "verdict"), [(None, Verdict.PROBLEM), ("ls-1", Verdict.OK)], ids=["no token", "token"]
)
def test_newer_image_needs_a_token(token: str | None, verdict: Verdict) -> None:
    """It would end at once with exit code 55."""
    check = containers.check_image(OFFICIAL, image("arm64"), ENGINE, is_needed=True, token=token)
    assert check.verdict is verdict
    assert ("LOCALSTACK_AUTH_TOKEN" in check.found) is (verdict is Verdict.PROBLEM)


@pytest.mark.parametrize(
    ("room", "stopped", "verdict", "found"),
    [
        (100, {}, Verdict.OK, "100 MB available, every environment runs"),
        (700, {"a": None, "b": None}, Verdict.OK, "700 MB available, 2 stopped environments need about 600 MB"),
        (
            500,
            {"a": None, "b": None},
            Verdict.PROBLEM,
            "500 MB available, 2 stopped environments need about 600 MB",
        ),
        (
            1500,
            {"a": 1024, "b": 1024},
            Verdict.WARNING,
            "1500 MB available, 2 stopped environments need about 600 MB and may take 2048 MB",
        ),
        (
            3000,
            {"a": 1024, "b": 1024},
            Verdict.OK,
            "3000 MB available, 2 stopped environments need about 600 MB and may take 2048 MB",
        ),
        (3000, {"a": 128}, Verdict.WARNING, "3000 MB available, 1 stopped environments need about 300 MB"),
    ],
    ids=["all run", "enough", "too little", "limits over it", "limits within", "limit too low"],
)
def test_memory_is_held_against_need_and_limits(
    room: int, stopped: dict[str, int | None], verdict: Verdict, found: str
) -> None:
    """What containers may take can be more than there is, and less than they need."""
    check = containers.check_container_memory(room, stopped)
    assert (check.verdict, check.found) == (verdict, found)
    assert bool(check.advice) is (verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("available", "memory", "is_remote", "expected"),
    [(4000, 8000, False, 3880), (4000, 2000, False, 2000), (100, 8000, False, 0), (100, 8000, True, 8000)],
    ids=["this machine", "virtual machine", "none left", "another machine"],
)
def test_room_is_what_both_machine_and_engine_have(available: int, memory: int, is_remote: bool, expected: int) -> None:
    """Docker in a virtual machine has less than the machine, and embedded environments take their part."""
    engine = replace(ENGINE, memory=memory, is_remote=is_remote)
    assert containers.room_for_containers(available, engine, embedded=120) == expected


def test_only_containers_that_do_not_run_need_memory() -> None:
    """Environments of other drivers, and those that run, are not counted."""
    limited = environment("prod", container=ContainerSettings(memory=512 * 1024 * 1024))
    others = [environment("embedded", driver=DriverName.EMBEDDED), environment("running")]
    assert containers.limits_of([environment("test"), limited, *others], {"running"}) == {"test": None, "prod": 512}


def test_images_are_those_of_containers_and_of_what_may_become_one() -> None:
    """With ``auto`` one learns what is missing for containers."""
    found = containers.images_of(
        [
            environment("test", driver=DriverName.EMBEDDED),
            environment("staging", driver=DriverName.AUTO),
            environment("prod", container=ContainerSettings(image="own:1")),
        ]
    )
    assert found == {OWN_IMAGE: ["staging"], "own:1": ["prod"]}


def test_choice_for_auto_is_told_with_its_reason() -> None:
    """One line says which and why."""
    choice = Choice(driver=DriverName.EMBEDDED, reason="no Docker engine answers")
    check = containers.check_choice(choice, ["test", "prod"])
    assert (check.verdict, check.found) == (Verdict.OK, "embedded for test, prod: no Docker engine answers")


@pytest.mark.parametrize(
    ("address", "wanted", "verdict", "found"),
    [
        ("127.0.0.1:4600", None, Verdict.OK, "4600, in use by the container of environment test"),
        ("127.0.0.1:4600", 4600, Verdict.OK, "4600, in use by the container of environment test"),
        ("127.0.0.1:4601", 4600, Verdict.WARNING, "4601, in use by the container of environment test"),
        ("172.18.0.2:4566", 4600, Verdict.OK, "none published, its container answers at 172.18.0.2:4566"),
    ],
    ids=["automatic", "as wanted", "changed", "internal network"],
)
def test_port_of_our_container_is_not_taken(
    tmp_path: Path, address: str, wanted: int | None, verdict: Verdict, found: str
) -> None:
    """What holds it is ours, although the system names the engine's process."""
    one = environment(port=wanted)
    check = projects.check_emulator_port(
        project(tmp_path, one), one, container=container(address), published={4600: "multistack-test-1"}
    )
    assert (check.verdict, check.found) == (verdict, found)


def test_port_of_another_container_is_taken_by_its_name(tmp_path: Path) -> None:
    """One learns which container to stop, not that some docker-proxy listens."""
    one = environment(port=4600)
    check = projects.check_emulator_port(project(tmp_path, one), one, published=PUBLISHED)
    assert check.verdict is Verdict.PROBLEM
    assert check.found == "port 4600 for environment test is taken by the container web"
    assert check.advice == '`docker stop web`, or set `port = "auto"` under [environments.test]'


def test_container_without_an_address_holds_no_port(tmp_path: Path) -> None:
    """One that just starts is looked at as if it weren't there."""
    one = environment()
    check = projects.check_emulator_port(project(tmp_path, one), one, container=container(None))
    assert check.found == "a free one when it starts"


def environ_for(address: str, folder: Path) -> dict[str, str]:
    return {"PATH": str(folder), "HOME": str(folder), "DOCKER_HOST": address}


def test_machine_without_an_engine_is_examined(tmp_path: Path) -> None:
    """Every environment that can't start is named, ``auto`` says what it became, and nothing fails."""
    environ = environ_for(f"unix://{tmp_path}/docker.sock", tmp_path)
    several = project(tmp_path, environment("test"), environment("prod", driver=DriverName.AUTO))
    checks = {check.name: check for check in examine(several, None, environ=environ, searched=tmp_path)}
    assert checks["docker"].verdict is Verdict.PROBLEM
    assert checks["docker"].advice.startswith("test can't start: ")
    assert (
        checks["driver auto"].found == f"embedded for prod: no Docker engine: there is no socket {tmp_path}/docker.sock"
    )
    assert checks["memory"].found.endswith("1 stopped environments need about 60 MB")
    assert {"port of test", "port of prod"} <= set(checks)


def test_socket_that_is_a_file_is_told(tmp_path: Path) -> None:
    """A wrong DOCKER_HOST is the likeliest mistake."""
    (tmp_path / "file").touch()
    environ = environ_for(f"unix://{tmp_path}/file", tmp_path)
    checks = examine(project(tmp_path, environment()), None, environ=environ, searched=tmp_path)
    assert next(check.found for check in checks if check.name == "docker").endswith("file is no socket")


def test_engine_elsewhere_is_refused_unless_allowed(tmp_path: Path) -> None:
    """Nothing is sent to another machine only because a variable names it."""
    environ = environ_for("tcp://192.0.2.1:2375", tmp_path)
    checks = examine(project(tmp_path, environment()), None, environ=environ, searched=tmp_path)
    found = next(check for check in checks if check.name == "docker")
    assert found.verdict is Verdict.PROBLEM
    assert "on another machine" in found.found


class FakeEngine(http.server.BaseHTTPRequestHandler):
    """Answers as an engine does, from a table of paths without their version."""

    answers: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        """One request."""
        path = re.sub(r"^/v[\d.]+", "", self.path).partition("?")[0]
        found = self.answers.get(path)
        body = json.dumps(found if found is not None else {"message": f"no such image: {path}"}).encode()
        self.send_response(200 if found is not None else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """The peer of a Unix socket has no address."""
        return "unix"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A thread per connection, as the SDK keeps some open."""

    daemon_threads = True


@pytest.fixture
def fake_engine(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], dict[str, str]]]:
    """Starts a fake engine; gives the variables that lead to it."""
    servers = []

    def start(answers: dict[str, Any]) -> dict[str, str]:
        handler = type("Handler", (FakeEngine,), {"answers": answers})
        path = tmp_path / "engine.sock"
        server = UnixServer(str(path), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return environ_for(f"unix://{path}", tmp_path)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


VERSION = {"Version": "4.3.1", "ApiVersion": "1.41", "Arch": "arm64", "Components": [{"Name": "Podman Engine"}]}


def test_engine_is_asked_for_all_that_counts(
    fake_engine: Callable[[dict[str, Any]], dict[str, str]], tmp_path: Path
) -> None:
    """Podman is named, a stranger's container too, and the image's processor is held against the engine's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        environ = fake_engine(
            {
                "/version": VERSION,
                "/info": {"MemTotal": 400 * 1024 * 1024},
                "/containers/json": [{"Id": "1" * 64, "Names": ["/web"], "Ports": [{"PublicPort": port}, {}]}],
                "/containers/" + "1" * 64 + "/json": {"Id": "1", "Name": "/web", "Config": {"Labels": {}}},
                f"/images/{OWN_IMAGE}/json": {"Id": "sha256:12", "Config": {}, "Architecture": "s390x"},
            }
        )
        one = environment(port=port)
        checks = {
            check.name: check for check in examine(project(tmp_path, one), None, environ=environ, searched=tmp_path)
        }
    assert checks["docker"].found.startswith("Podman 4.3.1 behind Docker's API (API 1.41, arm64)")
    assert checks[f"image {OWN_IMAGE}"].found == "12, s390x, but the engine runs arm64"
    assert checks["container memory"].found.startswith("400 MB available, 1 stopped environments")
    assert checks["port of test"].found.endswith("is taken by the container web")


def test_old_engine_is_a_problem(fake_engine: Callable[[dict[str, Any]], dict[str, str]], tmp_path: Path) -> None:
    """One from before 20.10 lacks what containers need."""
    environ = fake_engine({"/version": {**VERSION, "ApiVersion": "1.40"}})
    checks = examine(project(tmp_path, environment()), None, environ=environ, searched=tmp_path)
    found = next(check for check in checks if check.name == "docker")
    assert found.verdict is Verdict.PROBLEM
    assert "speaks API 1.40, multistack needs 1.41" in found.found
    assert "update Docker to 20.10" in found.advice
