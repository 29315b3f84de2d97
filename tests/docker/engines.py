"""What the tests need of an engine: images made once, a look at what is left, and engines of their own."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import MULTISTACK, REPOSITORY

STANDIN = Path(__file__).parent / "standin"
BASE = "multistack/base:trixie"
_REPOSITORY = "multistack-test"


@dataclass(frozen=True)
class Images:
    """
    Images for tests; they stay for the next run.

    Attributes:
        standin: MiniStack that keeps its state as multistack's image does.
        plain: MiniStack as anybody's image.
    """

    standin: str
    plain: str


def make_images(client: Any) -> Images:
    """Build what the engine doesn't have, one process at a time; skips where that can't be."""
    version = _hash([*sorted(STANDIN.iterdir()), REPOSITORY / "constraints.txt"])
    images = Images(f"{_REPOSITORY}/standin:{version}", f"{_REPOSITORY}/plain:{version}")
    with (Path(tempfile.gettempdir()) / "multistack-test-images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(client.images.list(name=name) for name in (images.standin, images.plain)):
            _build(client, images)
    return images


def _hash(paths: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()[:12]


def _build(client: Any, images: Images) -> None:
    if not client.images.list(name=BASE):
        pytest.skip(f"no image {BASE}, which `make image` makes")
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        _install(client, site)
        context = _archive({"site": site, **{path.name: path for path in STANDIN.iterdir()}})
    for name, target in ((images.plain, "plain"), (images.standin, "own")):
        build_image(client, name, context, target=target, arguments={"BASE": BASE})


def _install(client: Any, site: Path) -> None:
    """MiniStack and boto3 for the base's Python, with this machine's pip: a build has no network of its own."""
    said = client.containers.run(BASE, ["python3", "-c", "import sys; print(*sys.version_info[:2])"], remove=True)
    major, minor = said.decode().split()
    platforms = [f"--platform={name}" for name in ("manylinux2014_x86_64", "manylinux_2_28_x86_64")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site), "--only-binary=:all:"),
            *("--constraint", str(REPOSITORY / "constraints.txt"), "--python-version", f"{major}.{minor}"),
            *(*platforms, "ministack", "boto3"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"MiniStack can't be had for an image: {done.stderr.strip().splitlines()[-1]}")


def _archive(content: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for name, path in content.items():
            target.add(path, arcname=name)
    return buffer.getvalue()


def dockerfile(text: str) -> bytes:
    """A build context of nothing but a Dockerfile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text.encode())
        target.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def build_image(
    client: Any, name: str, context: bytes, *, target: str | None = None, arguments: dict[str, str] | None = None
) -> None:
    """Build the image *name* from a tar."""
    client.images.build(
        fileobj=io.BytesIO(context), custom_context=True, tag=name, target=target, buildargs=arguments, rm=True
    )


def build_embedded() -> None:
    """The image of the embedded emulator as the source has it; none may replace it while another test uses it."""
    with (Path(tempfile.gettempdir()) / "multistack-test-embedded-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [str(MULTISTACK), "image", "build", "--embedded"]
        subprocess.run(command, check=True, timeout=600, capture_output=True)


class OwnEngine:
    """
    A Docker engine of a test, in a network namespace of its own so that it can't touch the shared one's rules.

    What it publishes on 127.0.0.1 is reached from inside that namespace only: see :attr:`inside`.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder = folder
        self.data = data
        self._namespace = folder.name
        self.process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "docker.sock"
        self.inside = ("nsenter", f"--net=/var/run/netns/{self._namespace}")

    @property
    def host(self) -> str:
        """What DOCKER_HOST is to be."""
        return f"unix://{self.socket}"

    @property
    def listens(self) -> tuple[str, ...]:
        """Where it takes requests."""
        return (self.host,)

    def prepare(self) -> None:
        """Make its network."""
        _run("ip", "netns", "add", self._namespace)
        _run("ip", "-n", self._namespace, "link", "set", "lo", "up")

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {
            "--data-root": self.data,
            "--exec-root": self._folder / "exec",
            "--pidfile": self._folder / "pid",
            "--cgroup-parent": f"/{self._namespace}",
        }
        (self._folder / "pid").unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(*self.inside, "dockerd", *(str(part) for pair in options.items() for part in pair)),
                    *(f"--host={one}" for one in self.listens),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + 60
        while subprocess.run(self.command("version"), capture_output=True, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"no engine of its own: {(self._folder / 'log').read_text().splitlines()[-1]}")
            time.sleep(0.2)

    def command(self, *arguments: str) -> list[str]:
        """The docker command for it."""
        return ["docker", "-H", self.host, *arguments]

    def docker(self, *arguments: str) -> str:
        """What the docker command says."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=True).stdout.strip()

    def load(self, image: str) -> None:
        """Copy *image* from the shared engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as save:
            subprocess.run(self.command("load", "--quiet"), stdin=save.stdout, capture_output=True, check=True)

    def stop(self) -> None:
        """End it in good order, with its containers."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without any order; its containers go on."""
        self._end(signal.SIGKILL)
        # Its containerd ends with it. Where nobody reaps that process, the next engine would wait for it.
        (self._folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def remove(self) -> None:
        """End all it ever started, and unmount and delete all it made."""
        self.stop()
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self._folder) in part for part in process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.Error):
                    _kill_tree(process)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in sorted((one for one in mounts if self._folder in Path(one).parents), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)
        subprocess.run(["ip", "netns", "delete", self._namespace], capture_output=True, check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


def _kill_tree(process: psutil.Process) -> None:
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    process.kill()


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)


@contextlib.contextmanager
def own_engine(*, disk: str = "") -> Iterator[OwnEngine]:
    """
    An engine of its own, running; skips where there can't be one.

    Args:
        disk: The size of the file system that its data is on, e.g. ``64m``; by default that of the machine.
    """
    missing = [name for name in ("dockerd", "docker", "ip", "nsenter", "iptables") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"an engine of its own needs {', '.join(missing) or 'root'}")
    folder = Path(tempfile.mkdtemp(prefix="mse-", dir="/tmp"))
    data = folder / "data"
    data.mkdir()
    if disk:
        _run("mount", "-t", "tmpfs", "-o", f"size={disk}", "tmpfs", str(data))
    engine = OwnEngine(folder, data)
    try:
        engine.prepare()
        engine.start()
        yield engine
    finally:
        engine.remove()
