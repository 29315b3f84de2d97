"""What somebody, or something, took away behind our back: ``up`` brings it back and says so."""

from __future__ import annotations

import io
import shutil
import socket
import tarfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from emulator.drivers import containers
from emulator.drivers.images import need_image
from emulator.drivers.kept_state import KeptState
from emulator.model import Environment
from tests.conftest import ProjectFolder, http
from tests.docker.conftest import MakeProject
from tests.docker.engines import BASE, Images, build_image, dockerfile
from tests.docker.projects import kept, loaded, name_of, put
from tests.drivers import left_of
from tests.functional.tiny import get, refused


@pytest.fixture
def up(tiny: ProjectFolder) -> ProjectFolder:
    """The small service, up, with some data."""
    tiny.run("up")
    put(tiny, "1")
    return tiny


def test_container_removed_after_a_stop(up: ProjectFolder, engine: Any) -> None:
    """Its volume has all its data."""
    engine.containers.get(name_of(up)).stop()
    engine.containers.get(name_of(up)).remove()
    assert up.status()["test"]["reason"] == "its container is gone"
    said = up.run("up").stderr
    assert "starting because its container is gone" in said
    assert "redeploying" not in said
    assert (kept(up), get(up).status) == ("1", 200)


def test_container_removed_while_it_ran(up: ProjectFolder, engine: Any) -> None:
    """What its last checkpoint has comes back; the release is there in any case."""
    engine.containers.get(name_of(up)).exec_run(["multistack-localstack", "checkpoint"])
    put(up, "2")
    engine.containers.get(name_of(up)).remove(force=True)
    assert http("GET", up.url("test")).status == 503
    up.run("up")
    assert (kept(up), get(up).status) == ("1", 200)


def test_down_after_the_container_was_removed_keeps_its_data(up: ProjectFolder, engine: Any) -> None:
    """Its volume is brought home without a container to run, and without an image."""
    container = engine.containers.get(name_of(up))
    container.stop()
    container.remove()
    env = {"MULTISTACK_LOCALSTACK_IMAGE": "multistack-test/no-such-image"}
    assert "nothing was running" not in up.run("down", env=env).stdout
    assert left_of(engine, up.folder) == []
    assert not engine.images.list(name=name_of(up))
    up.run("up")
    assert kept(up) == "1"


def test_all_of_them_pruned(up: ProjectFolder, engine: Any) -> None:
    """With the volume its data is gone, which it says; what was kept at its last stop comes back."""
    up.run("down")
    up.run("up")
    put(up, "2")
    engine.containers.get(name_of(up)).stop()
    ours = {"label": f"{containers.PROJECT}={up.folder}"}
    engine.containers.prune(filters=ours)
    engine.networks.prune(filters=ours)
    engine.volumes.get(name_of(up)).remove()
    assert "its container and volume are gone, what comes back is its state of" in up.run("status").stdout
    assert "container and volume are gone" in up.run("up").stderr
    assert (kept(up), get(up).status) == ("1", 200)


def test_all_of_them_pruned_before_any_was_kept(up: ProjectFolder, engine: Any) -> None:
    """The release on record is deployed again."""
    engine.containers.get(name_of(up)).remove(force=True)
    engine.volumes.get(name_of(up)).remove()
    engine.networks.get(name_of(up)).remove()
    said = up.run("up").stderr
    assert "because its container and volume are gone, and its data with them" in said
    assert "redeploying" in said
    assert (kept(up), get(up).status) == (None, 200)


def test_network_removed_under_a_running_container(up: ProjectFolder, engine: Any) -> None:
    """It runs on and can't be reached, so it is made anew, with its data."""
    network = engine.networks.get(name_of(up))
    network.disconnect(name_of(up), force=True)
    network.remove()
    row = up.status()["test"]
    assert (row["status"], row["reason"]) == ("unhealthy", "its network is gone")
    assert "restarting because its network is gone" in up.run("up").stderr
    assert (kept(up), get(up).status) == ("1", 200)


def test_network_removed_beside_a_stopped_container(up: ProjectFolder, engine: Any) -> None:
    """A container can't be started without the network it was made with."""
    engine.containers.get(name_of(up)).stop()
    engine.networks.get(name_of(up)).remove()
    assert "starting because its container ended with exit code 0" in up.run("up").stderr
    assert (kept(up), get(up).status) == ("1", 200)


def test_stopped_container_starts_again_without_its_image(up: ProjectFolder, engine: Any) -> None:
    """It has all of the image that it needs."""
    before = engine.containers.get(name_of(up))
    image, (tag, *_) = before.image, before.image.tags
    before.stop()
    other = "multistack-test/other:1"
    env = {"MULTISTACK_LOCALSTACK_IMAGE": tag}
    image.tag(other)
    try:
        refusal = refused(up, "up", code=3, env={"MULTISTACK_LOCALSTACK_IMAGE": "multistack-test/none:1"})
        assert "image multistack-test/none:1 is not in the Docker engine" in refusal
        up.run("up", env=env)
        assert kept(up) == "1"
    finally:
        engine.images.remove(other)


def test_paused_container_goes_on(up: ProjectFolder, engine: Any) -> None:
    """With all it had in memory."""
    engine.containers.get(name_of(up)).pause()
    row = up.status()["test"]
    assert (row["status"], row["reason"]) == ("stopped", "its container is paused")
    assert "starting because its container is paused" in up.run("up").stderr
    assert (kept(up), get(up).status) == ("1", 200)


def test_paused_container_can_be_taken_down(up: ProjectFolder, engine: Any) -> None:
    """Its data is kept all the same."""
    engine.containers.get(name_of(up)).pause()
    assert "stopped test" in up.run("down").stdout
    assert left_of(engine, up.folder) == []
    up.run("up")
    assert kept(up) == "1"


def test_killed_container_comes_back_and_its_neighbour_never_went(
    make_project: MakeProject, images: Images, engine: Any
) -> None:
    """One environment's end is nobody else's."""
    project = make_project(images.standin)
    with (project.folder / "multistack.toml").open("a") as file:
        file.write('[environments.prod]\naccount_id = "222222222222"\n')
    project.run("up")
    before = project.status()
    engine.containers.get(name_of(project)).kill()
    row = project.status()["test"]
    assert (row["status"], row["reason"]) == ("stopped", "its container was killed")
    assert http("GET", before["prod"]["url"]).status == 200
    down = http("GET", before["test"]["url"])
    assert (down.status, down.json()["next"]) == (503, "multistack up test")
    said = project.run("up").stderr
    assert "test  starting because its container was killed" in said
    assert "prod  starting" not in said
    after = project.status()
    before["test"]["endpoint"] = after["test"]["endpoint"]  # somebody else may have its port by now
    assert after == before
    assert http("GET", before["test"]["url"]).status == 200


def test_failed_process_is_started_again_by_the_engine(up: ProjectFolder, engine: Any) -> None:
    """It serves again without anybody's help, and says that something was wrong."""
    inside = psutil.Process(engine.containers.get(name_of(up)).attrs["State"]["Pid"])
    inside.children()[0].kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        row = up.status()["test"]
        if (row["status"], "Docker started its container again" in row["reason"]) == ("ready", True):
            break
    assert "(1 of 3 times)" in row["reason"]
    up.run("up")
    assert get(up).status == 200


def test_too_little_memory_is_told(make_project: MakeProject, engine: Any) -> None:
    """An emulator that can't even start says why, and leaves nothing."""
    image = "multistack-test/hungry:1"
    build_image(engine, image, dockerfile(f"FROM {BASE}\nCMD python3 -c 'bytearray(2**30)'\n"))
    try:
        project = make_project(image)
        said = refused(project, "up", code=3, env={"MULTISTACK_LOCALSTACK_MEMORY": "64m"})
        assert "its emulator ended while starting: its container ran out of memory (64 MiB)" in said
        assert left_of(engine, project.folder) == []
    finally:
        engine.images.remove(image)


def make_only(project: ProjectFolder, engine: Any, environment: Environment) -> None:
    """Make the container as ``up`` does, and don't start it."""
    image = need_image(engine, environment.container.image)
    engine.containers.create(**containers.arguments(loaded(project), environment, image, port=4999, token=None))


def test_container_that_was_made_but_not_started(up: ProjectFolder, engine: Any) -> None:
    """Whoever was killed between the two had the volume ready."""
    (environment,) = loaded(up).environments
    container = engine.containers.get(name_of(up))
    container.stop()
    container.remove()
    make_only(up, engine, environment)
    assert up.status()["test"]["reason"] == "its container was made but not started"
    up.run("up")
    assert (kept(up), get(up).status) == ("1", 200)


def test_volume_that_was_half_filled_is_not_used(up: ProjectFolder, engine: Any) -> None:
    """Whoever was killed while filling it left what was kept as it was: that comes back, not the half."""
    up.run("down")
    (environment,) = loaded(up).environments
    kept_state = KeptState(up.folder / ".multistack/environments/test")
    kept_state.begin()
    kept_state.filling()
    labels = {**containers.labels_of(loaded(up), environment), containers.IMAGE: "true"}
    engine.networks.create(name_of(up), labels=labels)
    engine.volumes.create(name_of(up), labels=labels)
    make_only(up, engine, environment)
    engine.containers.get(name_of(up)).put_archive(containers.DATA, tar_of("state/ssm.json", b"half"))
    up.run("up")
    assert (kept(up), get(up).status) == ("1", 200)
    assert not kept_state.is_filling


def tar_of(name: str, content: bytes) -> bytes:
    """A tar of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        target.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_another_port_when_somebody_took_it_meanwhile(up: ProjectFolder, engine: Any) -> None:
    """A stopped container's port is free for everybody; an automatic one moves on."""
    port = int(up.status()["test"]["endpoint"].rpartition(":")[2])
    engine.containers.get(name_of(up)).stop()
    with socket.create_server(("127.0.0.1", port)):
        up.run("up")
        assert not up.status()["test"]["endpoint"].endswith(f":{port}")
        assert (kept(up), get(up).status) == ("1", 200)


def test_changed_port_moves_a_stopped_container(up: ProjectFolder, engine: Any) -> None:
    """It was made with the other one."""
    engine.containers.get(name_of(up)).stop()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = {"MULTISTACK_ENVIRONMENT_TEST_PORT": str(port)}
    up.run("up", env=env)
    assert up.run("endpoint", "test", env=env).stdout.strip() == f"http://127.0.0.1:{port}"
    assert kept(up) == "1"


def test_changed_limit_restarts_with_its_data(up: ProjectFolder, engine: Any) -> None:
    """A container can't be told other settings."""
    said = up.run("up", env={"MULTISTACK_LOCALSTACK_MEMORY": "512m"}).stderr
    assert "restarting because memory changed from 1024 MiB to 512 MiB" in said
    assert engine.containers.get(name_of(up)).attrs["HostConfig"]["Memory"] == 512 * 2**20
    assert kept(up) == "1"


@pytest.fixture
def removed(make_project: MakeProject, images: Images) -> Iterator[ProjectFolder]:
    """A project whose environment ``old`` left the project file while it ran."""
    project = make_project(images.standin)
    file = project.folder / "multistack.toml"
    before = file.read_text()
    file.write_text(before + '[environments.old]\naccount_id = "222222222222"\n')
    project.run("up")
    file.write_text(before)
    return project


def test_environment_that_left_the_file_is_told_and_stopped(removed: ProjectFolder, engine: Any) -> None:
    """Its data is kept, in case it comes back."""
    assert "old   still runs" in removed.run("up").stderr
    assert "stopped test, old" in removed.run("down").stdout
    assert left_of(engine, removed.folder) == []
    assert KeptState(removed.folder / ".multistack/environments/old").at


def test_rest_of_an_environment_that_left_the_file_is_removed(removed: ProjectFolder, engine: Any) -> None:
    """Also what no longer runs, and where only a volume is left."""
    container = engine.containers.get(name_of(removed, "old"))
    container.stop()
    removed.run("down")
    assert left_of(engine, removed.folder) == []


def test_state_folder_deleted_while_it_runs(up: ProjectFolder, engine: Any, tmp_path: Path) -> None:
    """The engine knows what is ours without it."""

    up.run("down")
    up.run("up")
    proxy = list(up.processes())
    shutil.rmtree(up.folder / ".multistack")
    for pid in proxy:
        psutil.Process(pid).kill()
    assert up.status()["test"]["status"] == "ready"
    assert "stopped test" in up.run("down").stdout
    assert left_of(engine, up.folder) == []


def test_image_that_was_made_anew(make_project: MakeProject, images: Images, engine: Any) -> None:
    """What runs on the older one is restarted with all its data; what runs on the newer one is left alone."""
    name = f"multistack-test/moved:{uuid.uuid4().hex[:8]}"
    engine.images.get(images.standin).tag(name)
    try:
        project = make_project(name)
        project.run("up")
        put(project, "1")
        assert "restarting" not in project.run("up").stderr
        context = dockerfile(f"FROM {images.standin}\nENV NEWER=yes\n")
        build_image(engine, name, context)
        newer = str(engine.images.get(name).id)
        said = project.run("up").stderr
        assert f"restarting because image {name} was " in said
        assert engine.containers.get(name_of(project)).attrs["Image"] == newer
        assert (kept(project), get(project).status) == ("1", 200)
        assert "redeploying" not in said
        assert "restarting" not in project.run("up").stderr
        project.run("down")
    finally:
        engine.images.remove(name, force=True)


def test_containers_of_functions_go_with_their_environment(up: ProjectFolder, images: Images, engine: Any) -> None:
    """LocalStack with the engine's socket makes them; one that was killed leaves them."""
    name = name_of(up)
    labels = {"dev.multistack.functions-of": name, containers.PROJECT: str(up.folder)}
    for number, network in ((1, name), (2, "bridge")):
        engine.containers.run(
            images.plain, name=f"{name}-lambda-orders-{number}", labels=labels, network=network, detach=True
        )
    stranger = engine.containers.run(
        images.plain, name=f"stranger-{name}", labels={"dev.multistack.functions-of": name}, detach=True
    )
    try:
        up.run("down")
        assert left_of(engine, up.folder) == []
        stranger.reload()
        assert stranger.status == "running"
    finally:
        stranger.remove(force=True, v=True)
