"""Images go through a bundle into an engine that never saw them, on a machine without a network."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.bundle import images as bundle_images
from emulator.bundle.manifest import Manifest
from emulator.bundle.targets import this_machine
from emulator.bundle.writer import replacing
from emulator.events import Event
from tests.conftest import SAMPLE, ProjectFolder
from tests.docker.engines import Images, OwnEngine, own_engine

VERSION = "{}.{}".format(*sys.version_info)
# Inside the second engine's network there is loopback only; HOME is empty.
_LEARNER = """
set -e
tar xf ../workshop.tar
sh multistack-bundle/install.sh
. multistack-bundle/.venv/bin/activate
cd multistack-bundle/sample_service
multistack up
multistack status
for name in test staging prod; do
  url="$(multistack status --json "$name" | python -c 'import json, sys; print(json.load(sys.stdin)[0]["url"])')"
  python -c "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)" "$url"health
done
multistack down
"""


def ignore(_event: Event) -> None:
    """Nobody listens."""


def tiny_image(client: Any, *, size: int = 10) -> str:
    """An image of *size* random bytes and no program, in the engine; its name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("data")
        info.size = size
        archive.addfile(info, io.BytesIO(os.urandom(size)))
    name = f"multistack-test/bundle-{uuid.uuid4().hex[:8]}"
    client.api.import_image_from_data(buffer.getvalue(), repository=name, tag="1")
    return f"{name}:1"


@pytest.fixture
def names(engine: Any) -> Iterator[list[str]]:
    """Two tiny images of the shared engine, removed afterwards."""
    made = [tiny_image(engine), tiny_image(engine)]
    ids = [engine.images.get(name).id for name in made]
    yield made
    for number in ids:
        engine.images.remove(number, force=True)


def save(path: Path, client: Any, *names: str) -> Path:
    """A bundle of images alone."""
    found = [bundle_images.need(client, name) for name in names]
    with replacing(path, mtime=0) as writer:
        for image in found:
            bundle_images.save(client, image, writer, emit=ignore)
        writer.finish(
            Manifest(
                version="0.1.0",
                at=datetime.now(UTC),
                targets=(this_machine(),),
                packages=(),
                images=tuple(found),
                members=writer.members,
            )
        )
    return path


def load(path: Path, host: str, *options: str) -> subprocess.CompletedProcess[str]:
    """``bundle load`` with an engine."""
    (path.parent / "home").mkdir(exist_ok=True)
    folder = ProjectFolder(path.parent, path.parent / "home")
    return folder.run("bundle", "load", *options, str(path), check=False, env={"DOCKER_HOST": host})


def test_images_arrive_in_another_engine(
    engine: Any, names: list[str], second_engine: OwnEngine, tmp_path: Path
) -> None:
    """Under their names and the same to the last bit; loading again sends nothing."""
    path = save(tmp_path / "b.tar", engine, *names)
    done = load(path, second_engine.host)
    assert done.returncode == 0, done.stderr
    for name in names:
        assert second_engine.docker("image", "inspect", "--format", "{{.Id}}", name) == engine.images.get(name).id
    again = load(path, second_engine.host)
    assert [line.split()[0] for line in again.stderr.splitlines()] == ["kept", "kept"]
    second_engine.docker("rmi", names[1])
    only = load(path, second_engine.host)
    assert [line.split()[0] for line in only.stderr.splitlines()] == ["kept", "loaded"]


def test_image_of_the_same_name_is_replaced(
    engine: Any, names: list[str], second_engine: OwnEngine, tmp_path: Path
) -> None:
    """What counts is what the bundle holds."""
    first = save(tmp_path / "first.tar", engine, names[0])
    assert load(first, second_engine.host).returncode == 0
    engine.images.get(names[1]).tag(names[0].rpartition(":")[0], "1")
    second = save(tmp_path / "second.tar", engine, names[0])
    assert load(second, second_engine.host).returncode == 0
    inspected = second_engine.docker("image", "inspect", "--format", "{{.Id}}", names[0])
    assert inspected == engine.images.get(names[1]).id


def test_changed_bundle_loads_nothing(engine: Any, names: list[str], second_engine: OwnEngine, tmp_path: Path) -> None:
    """Not even the image that is whole: all is verified first."""
    path = save(tmp_path / "b.tar", engine, *names)
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        last = [member for member in archive if "/images/" in member.name][-1]
    data[last.offset_data + last.size // 2] ^= 1
    path.write_bytes(data)
    done = load(path, second_engine.host)
    assert done.returncode == 5
    assert "is not as it was saved" in done.stderr.splitlines()[0]
    assert second_engine.docker("images", "--quiet", names[0].rpartition(":")[0]) == ""


def test_full_disk_of_the_engine_is_told(engine: Any, tmp_path: Path) -> None:
    """One line and what to do; nothing half-done is left."""
    name = tiny_image(engine, size=60_000_000)
    try:
        path = save(tmp_path / "b.tar", engine, name)
    finally:
        engine.images.remove(name)
    with own_engine(disk="64m") as small:
        done = load(path, small.host)
        left = small.docker("images", "--all", "--quiet")
    assert done.returncode == 3
    assert "no space left on device" in done.stderr.splitlines()[-2]
    assert done.stderr.splitlines()[-1] == "hint: free some space, then run the same command again"
    assert left == ""


def test_without_an_engine_there_is_a_way_on(engine: Any, names: list[str], tmp_path: Path) -> None:
    """Embedded environments need no image."""
    path = save(tmp_path / "b.tar", engine, names[0])
    done = load(path, f"unix://{tmp_path}/no.sock")
    assert done.returncode == 3
    assert done.stderr.startswith("error: the bundle's images can't be loaded: no Docker engine")
    assert "`--no-images`" in done.stderr
    assert load(path, f"unix://{tmp_path}/no.sock", "--no-images").returncode == 0


@pytest.mark.xdist_group("image of the proxy")
@pytest.mark.usefixtures("proxy_image")
def test_learner_without_a_network_runs_containers(images: Images, second_engine: OwnEngine, tmp_path: Path) -> None:
    """Unpack, install, up: from one file, on a machine with an engine and nothing in it."""
    (tmp_path / "home").mkdir()
    environ = {"MULTISTACK_DRIVER": "localstack", "MULTISTACK_LOCALSTACK_IMAGE": images.standin}
    facilitator = ProjectFolder(SAMPLE, tmp_path / "home", environ)
    facilitator.run("bundle", "save", "--with", ".", str(tmp_path / "workshop.tar"), timeout=280)
    second_engine.docker("rmi", "--force", images.standin)
    learner = tmp_path / "learner"
    learner.mkdir()
    done = subprocess.run(
        [*second_engine.inside, "sh", "-c", _LEARNER],
        cwd=learner,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(learner),
            "LANG": "C.UTF-8",
            "PYTHON": str(Path(sys.base_prefix) / "bin" / f"python{VERSION}"),
            "DOCKER_HOST": second_engine.host,
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"loaded {images.standin}" in done.stderr
    assert done.stdout.count("200\n") == 3
    assert second_engine.docker("ps", "--all", "--quiet") == ""
