"""What the proxy is told, as far as it need not run for that."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from emulator import ports
from emulator.events import Event
from emulator.faults.fault import Effects, Fault
from emulator.faults.file import add_fault, load_faults
from emulator.front import Front, pages_act
from emulator.known import Known
from emulator.model import (
    Api,
    DriverName,
    Endpoint,
    Environment,
    Instance,
    ProcessId,
    Project,
    ProxySettings,
    Release,
    Status,
)
from emulator.process import own_process, remember_port, write_record
from emulator.replay.recording import RECORDING_FILE, Recording, read_recording, write_recording
from emulator.routes import load_routes

TEST = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
PROD = replace(TEST, name="prod", account_id="333333333333")
RELEASE = Release(id="aaaaaaaaaaaa", digest="ab" * 32, config_hash="c" * 12, config={})
READY = Instance(
    environment="test",
    status=Status.READY,
    endpoint=Endpoint(environment="test", url="http://127.0.0.1:4600", account_id="111111111111", region="eu-west-1"),
    process=ProcessId(pid=7, started=1.0),
)
STOPPED = Instance(environment="prod", status=Status.STOPPED)
PUBLIC, ADMIN = (Api(logical_id=name, path=f"/_aws/execute-api/{name}/live", stage="live") for name in ("Api", "Admin"))


def serving(apis: Mapping[str, tuple[Api, ...]]) -> Mapping[str, Known]:
    """Environments that serve the release with these APIs."""
    return {name: Known(release=RELEASE.id, digest=RELEASE.digest, apis=found) for name, found in apis.items()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two environments."""
    (tmp_path / ".multistack").mkdir()
    return Project(
        file=tmp_path / "multistack.toml", service="s", template=tmp_path / "template.yaml", environments=(TEST, PROD)
    )


def front_of(project: Project) -> Front:
    """The proxy as commands see it."""
    return Front(project, environ={}, emit=lambda _event: None)


def test_a_proxy_that_does_not_run_has_no_address(project: Project) -> None:
    """And stopping it is no error."""
    assert (front_of(project).url(), front_of(project).environment_url("test")) == (None, None)
    assert front_of(project).stop() is False


def test_a_recording_ends_with_its_proxy(project: Project) -> None:
    """The next one begins with none, as with faults."""
    front = front_of(project)
    file = front.folder / RECORDING_FILE
    write_recording(file, Recording(name="a", path=project.root / "a.jsonl", environment="test"))
    front.stop()
    assert read_recording(file) is None


def test_every_environment_is_published_in_promotion_order(project: Project) -> None:
    """What runs is reached at its emulator, what is stopped is known to be so."""
    front_of(project).publish({"prod": STOPPED, "test": READY}, serving({"test": (PUBLIC,)}))
    test, prod = load_routes(project.state / "routes.json").values()
    assert (test.environment, test.url, test.process) == ("test", "http://127.0.0.1:4600", READY.process)
    assert (test.release, test.digest, test.apis, test.default_api) == (RELEASE.id, RELEASE.digest, (PUBLIC,), "Api")
    assert (prod.environment, prod.url, prod.process, prod.release) == ("prod", None, None, None)


def test_an_external_emulator_is_routed_to_while_nothing_answers(project: Project) -> None:
    """It comes back without a command of ours; one that may not be used is never asked."""
    test = replace(TEST, driver=DriverName.EXTERNAL, url="http://box:4566")
    front = front_of(replace(project, environments=(test,)))
    front.publish({"test": replace(STOPPED, environment="test")}, {})
    assert load_routes(project.state / "routes.json")["test"].url == "http://box:4566"
    front.publish({"test": Instance(environment="test", status=Status.UNHEALTHY)}, {})
    assert load_routes(project.state / "routes.json")["test"].url is None


def test_faults_go_with_their_environments(project: Project) -> None:
    """Of one that is stopped or gone nothing stays; without a proxy there are none to clear."""
    front = front_of(project)
    front.clear_faults(lambda _name: True)
    front.folder.mkdir()
    proxy = own_process()
    with (front.folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_record(front.folder, port=8080, settings={})
        for name in ("test", "prod", "gone"):
            fault = Fault(id=0, environment=name, effects=Effects(drop=True))
            add_fault(front.faults_file, proxy, fault)
        front.publish({"prod": STOPPED, "test": READY}, {})
        assert [fault.environment for fault in load_faults(front.faults_file, proxy)] == ["test"]
        front.clear_faults(lambda name: name == "test")
        assert load_faults(front.faults_file, proxy) == ()


@pytest.mark.parametrize(
    ("apis", "named", "expected"),
    [
        pytest.param((), None, None, id="none"),
        pytest.param((PUBLIC,), None, "Api", id="one"),
        pytest.param((PUBLIC, ADMIN), None, None, id="several"),
        pytest.param((PUBLIC, ADMIN), "Admin", "Admin", id="several, one named"),
    ],
)
def test_the_default_api_is_the_named_or_the_only_one(
    project: Project, apis: tuple[Api, ...], named: str | None, expected: str | None
) -> None:
    """Which one ``/<environment>/`` means is never guessed."""
    front_of(replace(project, api=named)).publish({"test": READY, "prod": STOPPED}, serving({"test": apis}))
    assert load_routes(project.state / "routes.json")["test"].default_api == expected


@pytest.mark.parametrize(
    ("host", "asks_password", "acts"),
    [("127.0.0.1", False, True), ("0.0.0.0", True, True), ("0.0.0.0", False, False), ("192.0.2.1", False, False)],
)
def test_pages_act_only_for_whoever_may_use_this_machine_or_has_the_password(host, asks_password, acts):
    """In Compose the proxy listens on all addresses of its container, without one: its pages are for reading."""
    assert pages_act(ProxySettings(host=host, asks_password=asks_password)) is acts


def test_environments_of_the_lab_stay_published(project: Project) -> None:
    """A command on the lab's own project knows nothing of those that are laid out otherwise."""
    front = front_of(project)
    front.publish({"test": READY}, {})
    (route,) = load_routes(project.state / "routes.json").values()
    single = replace(route, environment="single/prod", topology="single")
    front.publish_laid_out([replace(single, environment="single/gone")])
    front.publish_laid_out([single])
    front.publish({"test": READY, "prod": STOPPED}, {})
    assert list(load_routes(project.state / "routes.json")) == ["test", "prod", "single/prod"]


@pytest.mark.parametrize("content", ["", "{}", '[{"environment": "test"}]', "[[]]"])
def test_broken_routes_are_published_anew(project: Project, content: str) -> None:
    """Whoever damaged the file, the next command mends it."""
    (project.state / "routes.json").write_text(content)
    front_of(project).publish({"test": READY}, {})
    assert list(load_routes(project.state / "routes.json")) == ["test"]


def test_proxy_that_has_to_move_says_who_has_its_port(project: Project) -> None:
    """Whoever has the usual address in a bookmark or a script finds somebody else there."""
    events: list[Event] = []
    front = Front(project, environ={}, emit=events.append)
    with ports.listen(port=None, candidates=range(8080, 8180), purpose="a test") as other:
        taken = other.getsockname()[1]
        front.folder.mkdir()
        remember_port(front.folder, taken)
        assert front.ensure_running(cancelled=lambda: None)
        own = str(front.url()).rpartition(":")[2]
    front.stop()
    (told,) = (event.detail for event in events if event.step == "note:")
    name = psutil.Process().name()
    assert told == f"port {taken} is taken by {name} (pid {os.getpid()}): the proxy listens on {own}"
    assert front.ensure_running(cancelled=lambda: None)
    assert str(front.url()).rpartition(":")[2] == own
    assert ports.holder(int(own)).startswith(f" by multistack of {project.root} (pid ")
    front.stop()
    assert len([event for event in events if event.step == "note:"]) == 1
