"""The Compose file for real: three environments and their proxy, with whatever Compose is there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MULTISTACK, copy_sample, http

# It builds the proxy's image, which a bundle must not see replaced while it is saved.
pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("image of the proxy")]
PROGRAMS = {"1": ["docker-compose"], "2": ["docker", "compose"]}
NAMES = ("test", "staging", "prod")


@dataclass(frozen=True)
class Stack:
    """A project of Compose with a name and ports of its own."""

    program: list[str]
    folder: Path
    name: str
    ports: dict[str, int]
    engine: Any

    def run(self, *args: str, check: bool = True) -> str:
        """What Compose prints."""
        variables = {f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        done = subprocess.run(
            [*self.program, "--project-name", self.name, "--file", str(self.folder / "compose.yaml"), *args],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def await_healthy(self) -> None:
        """Until the proxy's container says that all is deployed."""
        container = self.run("ps", "--quiet", "proxy").strip()
        deadline = time.monotonic() + 240
        while (state := self._state(container)) != ("running", "healthy"):
            if time.monotonic() > deadline or state[0] not in ("running", "restarting"):
                pytest.fail(f"the proxy is {state}:\n{self.run('logs', 'proxy')}")
            time.sleep(0.5)

    def _state(self, container: str) -> tuple[str, str]:
        state = self.engine.containers.get(container).attrs["State"]
        return state["Status"], state["Health"]["Status"]

    def ask(self, method: str, environment: str, path: str, body: Any = None) -> Any:
        """An answer of an environment through the proxy, as JSON."""
        url = f"http://127.0.0.1:{self.ports['proxy']}/{environment}/{path}"
        answer = http(method, url, body, headers={"Content-Type": "application/json"})
        assert answer.status in (200, 201), answer.body
        return answer.json()


def program_of(version: str) -> list[str]:
    """The command of that Compose; skips where there is none."""
    program = PROGRAMS[version]
    if shutil.which(program[0]) is None:
        pytest.skip(f"{program[0]} is not installed")
    done = subprocess.run([*program, "version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"`{' '.join(program)}` is not installed")
    return program


@pytest.fixture(params=PROGRAMS)
def stack(request: pytest.FixtureRequest, tmp_path: Path, engine: Any, proxy_image: None) -> Iterator[Stack]:
    """The sample service in containers; everything of it is removed afterwards."""
    program = program_of(request.param)
    folder = copy_sample(tmp_path / "project")
    subprocess.run([str(MULTISTACK), "compose", "--output", "compose.yaml"], cwd=folder, check=True)
    stack = Stack(program, folder, f"multistack-{uuid.uuid4().hex[:8]}", free_ports("proxy", *NAMES), engine)
    yield stack
    stack.run("down", "--volumes", "--remove-orphans", check=False)
    label = {"label": f"com.docker.compose.project={stack.name}"}
    assert engine.containers.list(all=True, filters=label) == []
    assert engine.networks.list(filters=label) == []
    assert engine.volumes.list(filters=label) == []


def free_ports(*names: str) -> dict[str, int]:
    """A port of loopback for each, held until all are known."""
    held = {name: socket.socket() for name in names}
    for one in held.values():
        one.bind(("127.0.0.1", 0))
    ports = {name: one.getsockname()[1] for name, one in held.items()}
    for one in held.values():
        one.close()
    return ports


def test_three_environments_are_deployed_served_and_kept(stack: Stack) -> None:
    """Up, three GETs, a restart that loses nothing, new source deployed by a restart of the proxy, down."""
    stack.run("up", "--detach", "--no-build")
    stack.await_healthy()
    found = [stack.ask("GET", name, "config") for name in NAMES]
    assert [one["environment"] for one in found] == list(NAMES)
    assert len({one["digest"] for one in found}) == 1
    order = stack.ask("POST", "test", "orders", {"item": "book", "qty": 1, "price": 10})
    assert http("GET", f"http://127.0.0.1:{stack.ports['test']}/_localstack/health").status == 200

    stack.run("restart")
    stack.await_healthy()
    assert [one["id"] for one in stack.ask("GET", "test", "orders")["orders"]] == [order["id"]]
    assert stack.ask("GET", "prod", "orders")["orders"] == []

    app = stack.folder / "src" / "app.py"
    app.write_text(app.read_text() + "\n# changed\n")
    stack.run("restart", "proxy")
    stack.await_healthy()
    (digest,) = {stack.ask("GET", name, "config")["digest"] for name in NAMES}
    assert digest != found[0]["digest"]

    said = stack.run("logs", "proxy")
    assert "GET" in said
    assert "Traceback" not in said
    stack.run("stop", "proxy")
    container = stack.engine.containers.get(proxy_of(stack))
    assert container.attrs["State"]["ExitCode"] == 0


def proxy_of(stack: Stack) -> str:
    """The id of the proxy's container, for a Compose that lists only those that run."""
    label = [f"com.docker.compose.project={stack.name}", "com.docker.compose.service=proxy"]
    (found,) = stack.engine.containers.list(all=True, filters={"label": label})
    return str(found.id)


def test_a_service_that_can_not_be_deployed_ends_the_proxy_with_the_reason(stack: Stack) -> None:
    """Whoever looks at the log finds one line."""
    template = stack.folder / "template.yaml"
    template.write_text(template.read_text().replace("AWS::SQS::Queue", "AWS::SQS::Nonsense"))
    stack.run("up", "--detach", "--no-build", "test", "staging", "prod")
    stack.run("up", "--detach", "--no-build", "proxy")
    container, deadline = proxy_of(stack), time.monotonic() + 240
    while stack.engine.containers.get(container).attrs["State"]["Status"] != "exited":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert "error: " in stack.run("logs", "proxy")
