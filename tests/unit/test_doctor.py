"""Each finding is judged by what it means for running environments."""

from __future__ import annotations

import importlib.metadata
import os
import socket
from pathlib import Path

import pytest

from emulator.doctor import Check, Verdict, examine, machine
from emulator.doctor import project as projects
from emulator.errors import ConfigError
from emulator.model import DriverName, Environment, Project, ProxySettings

VERSIONS = {"multistack-emulator": "0.1.0", "ministack": "1.5.33", "boto3": "1.43.106", "botocore": "1.43.106"}
REQUIRES = {
    "multistack-emulator": ["ministack==1.5.33", "boto3>=1.43", 'pytest==8; extra == "dev"'],
    "ministack": ["botocore==1.43.106", "hypercorn>=0.18.0", 'docker>=7; extra == "full"'],
}


def environment(name: str, *, port: int | None = None) -> Environment:
    return Environment(name=name, driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1", port=port)


def project(folder: Path, *, port: int | None = None, proxy_port: int | None = None) -> Project:
    return Project(
        file=folder / "multistack.toml",
        service="orders",
        template=folder / "template.yaml",
        environments=(environment("test", port=port), environment("prod")),
        proxy=ProxySettings(port=proxy_port),
    )


def version(name: str, versions: dict[str, str]) -> str:
    if name not in versions:
        raise importlib.metadata.PackageNotFoundError(name)
    return versions[name]


def versions_check(**changed: str | None) -> Check:
    given = {name: changed.get(name.partition("-")[0], number) for name, number in VERSIONS.items()}
    return machine.check_versions(lambda name: version(name, {k: v for k, v in given.items() if v}), REQUIRES.get)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((3, 11, 0), Verdict.OK), ((3, 14, 1), Verdict.OK), ((4, 0, 0), Verdict.OK), ((3, 10, 14), Verdict.PROBLEM)],
    ids=["least", "newer", "four", "older"],
)
def test_python_must_be_new_enough(found: tuple[int, int, int], verdict: Verdict) -> None:
    """3.11 is the oldest that works."""
    assert machine.check_python(found).verdict is verdict


def test_matching_packages_are_fine() -> None:
    """What the pins ask for is installed."""
    check = versions_check()
    assert check.verdict is Verdict.OK
    assert check.found == "multistack-emulator 0.1.0, ministack 1.5.33, boto3 1.43.106, botocore 1.43.106"


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({"botocore": "1.43.11"}, "ministack needs botocore 1.43.106"),
        ({"ministack": "1.5.34"}, "multistack-emulator needs ministack 1.5.33"),
        ({"ministack": None}, "ministack not installed"),
    ],
    ids=["botocore", "ministack", "missing"],
)
def test_packages_off_their_pins_are_a_problem(changed: dict[str, str | None], advice: str) -> None:
    """Another package that replaced botocore is the likeliest reason for a broken emulator."""
    check = versions_check(**changed)
    assert check.verdict is Verdict.PROBLEM
    assert check.advice.startswith(advice)


def test_no_project_is_no_fault(tmp_path: Path) -> None:
    """Doctor also answers before there is a project."""
    check = projects.check_project(None, None, searched=tmp_path)
    assert (check.verdict, check.advice) == (Verdict.INFO, "`multistack init` writes one")


def test_broken_project_file_is_told_with_its_lines(tmp_path: Path) -> None:
    """All that is wrong with it, as any other command would say."""
    error = ConfigError("multistack.toml:3: unknown key x", details=["multistack.toml:4: unknown key y"])
    check = projects.check_project(None, error, searched=tmp_path)
    assert check.verdict is Verdict.PROBLEM
    assert check.found == "multistack.toml:3: unknown key x; multistack.toml:4: unknown key y"


def test_valid_project_names_its_environments(tmp_path: Path) -> None:
    """One sees which file counts, and what is in it."""
    check = projects.check_project(project(tmp_path), None, searched=tmp_path)
    assert (check.verdict, check.found) == (Verdict.OK, f"{tmp_path / 'multistack.toml'} (test, prod)")


def test_state_folder_is_tried_without_being_made(tmp_path: Path) -> None:
    """Looking leaves nothing behind."""
    assert projects.check_writable(tmp_path / ".multistack").verdict is Verdict.OK
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_state_folder_without_permission_is_a_problem(tmp_path: Path) -> None:
    """Nothing can start there."""
    tmp_path.chmod(0o500)
    assert projects.check_writable(tmp_path / ".multistack").verdict is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("free", "verdict"), [(10, Verdict.PROBLEM), (200, Verdict.WARNING), (5000, Verdict.OK)], ids=str
)
def test_disk_is_judged_by_what_is_free(free: int, verdict: Verdict) -> None:
    """A full disk loses data."""
    assert projects.check_disk(Path("/x"), free).verdict is verdict


@pytest.mark.parametrize(
    ("available", "stopped", "verdict"),
    [
        (100, 3, Verdict.PROBLEM),
        (200, 3, Verdict.WARNING),
        (400, 3, Verdict.OK),
        (10, 0, Verdict.OK),
    ],
    ids=["too little", "scarce", "enough", "all run"],
)
def test_memory_is_judged_by_what_still_has_to_start(available: int, stopped: int, verdict: Verdict) -> None:
    """Running environments have their memory already."""
    assert projects.check_memory(available, stopped).verdict is verdict


def test_free_port_is_fine(tmp_path: Path) -> None:
    """What nobody holds can be had."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    check = projects.check_proxy_port(project(tmp_path, proxy_port=port))
    assert (check.verdict, check.found) == (Verdict.OK, f"{port}, free")


def test_taken_port_is_a_problem_with_its_holder(tmp_path: Path) -> None:
    """One learns whom to stop, and how to move."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check = projects.check_emulator_port(project(tmp_path, port=port), environment("test", port=port))
    assert check.verdict is Verdict.PROBLEM
    assert f"(pid {os.getpid()})" in check.found
    assert "[environments.test]" in check.advice


def test_automatic_port_is_always_fine(tmp_path: Path) -> None:
    """A free one is looked for when it is needed."""
    check = projects.check_emulator_port(project(tmp_path), environment("test"))
    assert (check.verdict, check.found) == (Verdict.OK, "a free one when it starts")


@pytest.mark.parametrize(
    ("addresses", "verdict"),
    [
        (["127.0.0.1", "::1"], Verdict.OK),
        ([], Verdict.WARNING),
        (["10.0.0.7"], Verdict.PROBLEM),
        (["fe80::1%lo0"], Verdict.PROBLEM),
    ],
    ids=["loopback", "unknown", "elsewhere", "scoped"],
)
def test_localhost_must_be_this_machine(addresses: list[str], verdict: Verdict) -> None:
    """A name that leads elsewhere would send requests there."""
    assert machine.check_localhost(addresses).verdict is verdict


@pytest.mark.parametrize(
    ("environ", "verdict"),
    [
        ({}, Verdict.OK),
        ({"HTTP_PROXY": "http://p"}, Verdict.WARNING),
        ({"http_proxy": "http://p", "NO_PROXY": "corp, 127.0.0.1"}, Verdict.OK),
        ({"ALL_PROXY": "http://p", "no_proxy": "*"}, Verdict.OK),
    ],
    ids=["none", "all through it", "excepted", "bypassed"],
)
def test_http_proxy_must_not_serve_this_machine(environ: dict[str, str], verdict: Verdict) -> None:
    """A company's proxy cannot reach the laptop's loopback."""
    assert machine.check_http_proxy(environ).verdict is verdict


def test_what_only_some_need_is_never_a_problem() -> None:
    """Pip and Node are needed for some functions only."""
    checks = [machine.check_pip(False), machine.check_node(None)]
    assert [check.verdict for check in checks] == [Verdict.WARNING, Verdict.INFO]
    assert all(check.advice for check in checks)


def test_this_machine_can_be_examined_without_programs_on_the_path(tmp_path: Path) -> None:
    """Missing programs are findings, not failures; every warning and problem says what to do."""
    environ = {"PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    checks = examine(project(tmp_path), None, environ=environ, searched=tmp_path)
    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    assert {"python", "packages", "project file", "memory", "disk", "proxy port", "port of test", "node"} <= set(names)
    assert next(check for check in checks if check.name == "node").found == "not found"
    assert all(check.advice for check in checks if check.verdict in (Verdict.WARNING, Verdict.PROBLEM))


def test_programs_that_are_asked_see_no_real_account(tmp_path: Path) -> None:
    """They come from the user's ``PATH``, and need no credentials to tell their version."""
    node = tmp_path / "node"
    node.write_text('#!/bin/sh\necho "v1 ${AWS_SECRET_ACCESS_KEY-unset} ${MINE-unset}"\n')
    node.chmod(0o755)
    environ = {"PATH": str(tmp_path), "AWS_SECRET_ACCESS_KEY": "real-secret", "MINE": "kept"}
    environ["DOCKER_HOST"] = f"unix://{tmp_path}/no.sock"
    checks = examine(None, None, environ=environ, searched=tmp_path)
    assert [check.found for check in checks if check.name == "node"] == ["v1 unset kept"]
