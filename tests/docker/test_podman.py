"""Podman's Docker-compatible socket instead of Docker."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.drivers.engine import connect
from tests.conftest import ProjectFolder
from tests.docker.conftest import MakeProject
from tests.docker.engines import Images
from tests.docker.projects import kept, name_of, put
from tests.drivers import left_of
from tests.functional.tiny import get

_LIMIT = 16384
pytestmark = pytest.mark.xdist_group("podman")


@contextlib.contextmanager
def podman_service(folder: Path) -> Iterator[str]:
    """A service with storage of its own; its address."""
    socket = folder / "podman.sock"
    options = [f"--root={folder / 'root'}", f"--runroot={folder / 'run'}", f"--tmpdir={folder / 'tmp'}"]
    command = ["podman", *options, "--cgroup-manager=cgroupfs", "system", "service", "--time=0", f"unix://{socket}"]
    # By default it raises limits, which a machine that is itself confined does not allow.
    limits = [f"{name}={_LIMIT}:{_LIMIT}" for name in ("nofile", "nproc")]
    (folder / "containers.conf").write_text(f"[containers]\ndefault_ulimits = {json.dumps(limits)}\n")
    environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
    with (folder / "log").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environ)
    try:
        deadline = time.monotonic() + 60
        while not socket.exists():
            if service.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"no Podman service: {(folder / 'log').read_text().strip()[-200:]}")
            time.sleep(0.1)
        yield f"unix://{socket}"
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(30)
        subprocess.run(["podman", *options, "system", "reset", "--force"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def podman(images: Images) -> Iterator[str]:
    """Its address; it has the stand-in."""
    missing = [name for name in ("podman", "catatonit") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs {', '.join(missing) or 'root'}")
    folder = Path(tempfile.mkdtemp(prefix="msp-", dir="/tmp"))  # sockets have short names only
    with podman_service(folder) as host:
        with subprocess.Popen(["docker", "save", images.standin], stdout=subprocess.PIPE) as save:
            load = ["docker", "-H", host, "load", "--quiet"]
            done = subprocess.run(load, stdin=save.stdout, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield host
    shutil.rmtree(folder, ignore_errors=True)


def docker(host: str, *args: str) -> str:
    """What the docker command says of it."""
    return subprocess.run(["docker", "-H", host, *args], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def project(podman: str, make_project: MakeProject, images: Images) -> Iterator[ProjectFolder]:
    """The small service in containers of Podman; nothing of it is left there."""
    made = make_project(images.standin, DOCKER_HOST=podman)
    yield made
    made.run("down")
    assert left_of(connect({"DOCKER_HOST": podman}, allow_remote=False), made.folder) == []
    assert docker(podman, "images", "-q").count("\n") == 0, "only the stand-in"


def test_sample_on_podman(project: ProjectFolder, podman: str) -> None:
    """Up, again, down and up with all data; removed, paused and killed by hand."""
    project.run("up")
    assert get(project).status == 200
    put(project, "1")
    assert "nothing to do" in project.run("up").stderr
    project.run("down")
    project.run("up")
    assert kept(project) == "1"
    docker(podman, "pause", name_of(project))
    assert "its container is paused" in project.run("up").stderr
    docker(podman, "kill", name_of(project))
    assert "its container was killed" in project.run("up").stderr
    docker(podman, "rm", "-f", name_of(project))
    assert "its container is gone" in project.run("up").stderr
    assert get(project).status == 200
    assert project.run("logs", "--since", "10m").stdout
