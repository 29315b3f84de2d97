"""Docker engines as hosts of a swarm, each in a network namespace of its own, on a bridge of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.docker.engines import OwnEngine


@dataclass(frozen=True)
class Bridge:
    """
    A bridge of this machine.

    Attributes:
        network: The third number of the addresses on it.
    """

    name: str
    network: int


class SwarmHost(OwnEngine):
    """
    An engine that other hosts of the same :class:`Bridge` reach.

    Attributes:
        bridge: What it is connected to.
        address: Its own.
        cable: What connects it to the bridge, as this machine calls it.
    """

    def __init__(self, folder: Path, bridge: Bridge, number: int) -> None:
        super().__init__(folder, folder / "data")
        self.data.mkdir()
        self.bridge = bridge
        self.address = f"10.77.{bridge.network}.{number}"
        self.cable = f"{bridge.name}h{number}"

    @property
    def remote(self) -> str:
        """What DOCKER_HOST is to be elsewhere: where its host is lost, nothing answers there, not even with a no."""
        return f"tcp://{self.address}:2375"

    @property
    def listens(self) -> tuple[str, ...]:
        """See :class:`OwnEngine`; whoever is on the bridge may do everything."""
        return (self.host, self.remote)

    def prepare(self) -> None:
        """Make its network, connect it, and keep what it unpacks in memory: thousands of files that go soon."""
        run("mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", str(self.data))
        super().prepare()
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self._namespace)
        run("ip", "link", "set", self.cable, "master", self.bridge.name, "up")
        run("ip", "-n", self._namespace, "addr", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self._namespace, "link", "set", "eth0", "up")

    def remove(self) -> None:
        """Without a wait for containers to end in good order; nothing of their cable or their cgroups stays either."""
        self.kill()
        super().remove()
        # A namespace, and so its cable, may live on for some moments.
        subprocess.run(["ip", "link", "delete", self.cable], capture_output=True, check=False)
        for folder in Path("/sys/fs/cgroup").glob(f"**/{self._namespace}"):
            for one in sorted((path for path in folder.glob("**/") if path.is_dir()), reverse=True):
                with contextlib.suppress(OSError):
                    one.rmdir()

    def lose(self) -> None:
        """Cut it off and kill it: what it ran may go on, and nobody hears of it."""
        run("ip", "link", "set", self.cable, "down")
        self.kill()

    def find(self) -> None:
        """After :meth:`lose`, connect it and start it again."""
        run("ip", "link", "set", self.cable, "up")
        self.start()


@contextlib.contextmanager
def swarm(*, hosts: int, images: Sequence[str]) -> Iterator[list[SwarmHost]]:
    """A swarm whose manager is the first host; skips where there can't be one."""
    missing = [name for name in ("dockerd", "docker", "ip", "nsenter", "iptables") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"engines of its own need {', '.join(missing) or 'root'}")
    with contextlib.ExitStack() as stack:
        bridge = _make_bridge()
        stack.callback(run, "ip", "link", "delete", bridge.name)
        rule = ("FORWARD", "-i", bridge.name, "-o", bridge.name, "-j", "ACCEPT")
        run("iptables", "-I", *rule)
        stack.callback(run, "iptables", "-D", *rule)
        made = [stack.enter_context(host_on(bridge, number)) for number in range(2, 2 + hosts)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: [host.load(image) for image in images], made))
        manager, *workers = made
        manager.docker("swarm", "init", "--advertise-addr", manager.address)
        token = manager.docker("swarm", "join-token", "--quiet", "worker")
        for worker in workers:
            worker.docker("swarm", "join", "--token", token, f"{manager.address}:2377")
        yield made


@contextlib.contextmanager
def host_on(bridge: Bridge, number: int) -> Iterator[SwarmHost]:
    """A further host there, the last part of whose address is *number*, with nothing in it."""
    host = SwarmHost(Path(tempfile.mkdtemp(prefix="msw-", dir="/tmp")), bridge, number)
    try:
        host.prepare()
        host.start()
        yield host
    finally:
        host.remove()


def left_in(manager: SwarmHost) -> list[str]:
    """Services, networks, configs and secrets of ours in the swarm."""
    kinds = ("service", "network", "config", "secret")
    return [
        name
        for kind in kinds
        for name in manager.docker(kind, "ls", "--filter", "label=dev.multistack.project", "-q").split()
    ]


def left_of(hosts: Sequence[SwarmHost]) -> list[str]:
    """Namespaces, cables, mounts, folders and processes of hosts that were removed."""
    names = [Path(host.host).parent.name for host in hosts]
    told = [
        *(line for one in ("netns", "link") for line in _said("ip", one, "show").splitlines()),
        *Path("/proc/self/mounts").read_text().splitlines(),
        *(str(folder) for folder in Path("/tmp").iterdir()),
        *(" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])),
    ]
    marks = [*names, *(host.cable for host in hosts)]
    return [line for line in told if any(mark in line for mark in marks)]


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _make_bridge() -> Bridge:
    """A bridge that no other test of this machine has."""
    for network in range(16, 250):
        bridge = f"msw{network}"
        if subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], capture_output=True, check=False).returncode:
            continue
        run("ip", "addr", "add", f"10.77.{network}.1/24", "dev", bridge)
        run("ip", "link", "set", bridge, "up")
        return Bridge(bridge, network)
    pytest.skip("no bridge for a swarm can be made here")


def run(*command: str) -> None:
    """Run it, or fail."""
    subprocess.run(command, capture_output=True, check=True)
