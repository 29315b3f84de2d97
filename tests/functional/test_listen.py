"""A proxy that other machines reach: what `up --listen` says and keeps, and who needs the password then."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ProjectFolder, http
from tests.functional.tiny import refused, source, tiny_project, write

HERE, THERE = "10.213.77.1", "10.213.77.2"
ECHO = source("repr(sorted((event.get('headers') or {}).items()))")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """A service that answers the headers it gets; nothing runs yet."""
    with tiny_project(tmp_path_factory.mktemp("listen")) as project:
        write(project, "src/app.py", ECHO)
        yield project


@dataclass(frozen=True)
class OtherMachine:
    """A network of its own with one cable to this machine."""

    name: str

    def curl(self, *arguments: str) -> tuple[int, str, str]:
        """Status, headers and body of a request from there."""
        command = ["ip", "netns", "exec", self.name, "curl", "-s", "-i", "--max-time", "20", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        head, _, body = done.stdout.partition("\n\n")
        return int(head.split()[1]), head, body


@pytest.fixture(scope="module")
def other_machine() -> Iterator[OtherMachine]:
    """Needs root, `ip` and `curl`; skipped without."""
    name = f"multistack{os.getpid()}"
    near, far = f"ms{os.getpid() % 10**6}a", f"ms{os.getpid() % 10**6}b"
    steps = [
        ["ip", "netns", "add", name],
        ["ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", name],
        ["ip", "address", "add", f"{HERE}/30", "dev", near],
        ["ip", "link", "set", near, "up"],
        ["ip", "-n", name, "address", "add", f"{THERE}/30", "dev", far],
        ["ip", "-n", name, "link", "set", far, "up"],
    ]
    if not (shutil.which("ip") and shutil.which("curl")):
        pytest.skip("ip or curl is not installed")
    try:
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no network of its own can be made here: {done.stderr.strip()}")
        yield OtherMachine(name)
    finally:
        subprocess.run(["ip", "link", "delete", near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def port_of(project: ProjectFolder) -> int:
    """Where the proxy listens."""
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    return int(record["port"])


def password_file(project: ProjectFolder) -> Path:
    """Where the password is kept."""
    return project.folder / ".multistack/proxy/password"


def test_the_password_is_shown_once_and_kept_for_its_owner(project: ProjectFolder) -> None:
    """This machine needs none, and nobody does while the proxy listens on loopback."""
    project.run("up")
    assert not password_file(project).exists()
    first = project.run("up", "--listen", "0.0.0.0").stderr
    match = re.search(r"password of other machines: (\S+), kept in", first)
    assert match is not None
    assert password_file(project).read_text() == match[1] + "\n"
    assert stat.S_IMODE(password_file(project).stat().st_mode) == 0o600
    assert http("GET", f"http://127.0.0.1:{port_of(project)}/test/").status == 200

    project.run("up", "--listen", "127.0.0.1")
    again = project.run("up", "--listen", "0.0.0.0").stderr
    assert "password of other machines: in " in again
    assert match[1] not in again
    assert match[1] not in json.dumps(project.status())
    for pid in project.processes():
        assert match[1].encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_wrong_address_is_refused(project: ProjectFolder) -> None:
    """One that is none, and one that another machine has."""
    assert "proxy.host must be an IPv4 address" in refused(project, "up", "--listen", "everywhere", code=2)
    assert "this machine does not have that address" in refused(project, "up", "--listen", "192.0.2.1", code=3)


def test_another_machine_needs_the_password(project: ProjectFolder, other_machine: OtherMachine) -> None:
    """In a header that the function never sees; with a cookie after signing in at the home page."""
    given = "correct-horse-7"
    project.run("up", "--listen", "0.0.0.0", env={"MULTISTACK_PROXY_PASSWORD": given})
    base = f"http://{HERE}:{port_of(project)}"
    for path in ("/", "/test/", "/nowhere/"):
        assert other_machine.curl(base + path)[0] == 401
        assert other_machine.curl("-H", "X-Multistack-Password: wrong-horse-77", base + path)[0] == 401
    assert other_machine.curl(f"{base}/_multistack/health")[0] == 200

    status, _, body = other_machine.curl("-H", f"X-Multistack-Password: {given}", "-u", "me:own", f"{base}/test/")
    assert status == 200
    assert given not in body
    assert "Basic bWU6b3du" in body

    status, head, _ = other_machine.curl("-u", f":{given}", f"{base}/")
    cookie = re.search(r"^Set-Cookie: (multistack_session=[^;]+)", head, re.MULTILINE | re.IGNORECASE)
    assert status == 200
    assert cookie is not None
    status, _, body = other_machine.curl("-H", f"Cookie: own=1; {cookie[1]}", f"{base}/test/")
    assert status == 200
    assert "own=1" in body
    assert "multistack_session" not in body
    assert http("GET", f"{base}/").status == 200  # this machine by its other address


def test_another_machine_needs_none_where_it_is_switched_off(
    project: ProjectFolder, other_machine: OtherMachine
) -> None:
    """`up` says so."""
    said = project.run("up", "--listen", "0.0.0.0", env={"MULTISTACK_PROXY_PASSWORD": "none"}).stderr
    assert "the proxy asks for no password" in said
    assert other_machine.curl(f"http://{HERE}:{port_of(project)}/test/")[0] == 200
