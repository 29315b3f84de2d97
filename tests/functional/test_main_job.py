"""The product: three environments, one service in each, one proxy in front."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import time

import pytest

from tests.conftest import ProjectFolder, http
from tests.drivers import driver_name, emulator_of, kill_emulator

NAMES = ("test", "staging", "prod")


def test_three_environments_serve_one_digest_with_their_own_config(running_project: ProjectFolder) -> None:
    """One immutable artifact everywhere; what differs is config."""
    configs = [http("GET", running_project.url(name, "config")).json() for name in NAMES]
    assert [config["environment"] for config in configs] == list(NAMES)
    assert len({config["digest"] for config in configs}) == 1
    assert len({config["config_hash"] for config in configs}) == 3


def test_every_answer_names_its_release(running_project: ProjectFolder) -> None:
    """Headers tell where an answer comes from, as the status does."""
    for name, row in running_project.status().items():
        answer = http("GET", f"{row['url']}orders/no-such-order")
        assert answer.status == 404
        assert answer.headers["X-Environment"] == name == answer.headers["X-Multistack-Environment"]
        assert answer.headers["X-Release"] == row["release"] == answer.headers["X-Multistack-Release"]
        assert answer.headers["X-Digest"] == row["digest"]


def test_an_order_lives_in_one_environment(running_project: ProjectFolder) -> None:
    """Environments share nothing."""
    order = {"item": "lamp", "qty": 2, "price": 10}
    made = http("POST", running_project.url("test", "orders"), order)
    assert made.status == 201
    assert made.headers["Location"] == f"/test/orders/{made.json()['id']}"
    assert http("GET", running_project.url("test", f"orders/{made.json()['id']}")).status == 200
    assert http("GET", running_project.url("staging", f"orders/{made.json()['id']}")).status == 404
    assert http("GET", running_project.url("prod", f"orders/{made.json()['id']}")).status == 404


def test_the_queue_worker_processes_an_order(running_project: ProjectFolder) -> None:
    """Queue, event source mapping and worker run inside the environment."""
    await_processed(running_project, "staging")


def await_processed(project: ProjectFolder, name: str) -> None:
    """Post an order and wait until the worker has seen it."""
    made = http("POST", project.url(name, "orders"), {"item": "lamp", "qty": 1, "price": 5}).json()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        order = http("GET", project.url(name, f"orders/{made['id']}")).json()
        if order["status"] == "processed":
            return
    raise AssertionError(f"not processed: {order}")


def test_queues_follow_their_emulator_to_another_port(project: ProjectFolder) -> None:
    """Their URLs hold a port; workers, functions and callers go on after somebody else took it."""
    project.run("up", "test")
    await_processed(project, "test")
    port = int(project.status()["test"]["endpoint"].rpartition(":")[2])
    project.run("down")
    with socket.create_server(("127.0.0.1", port)):
        project.run("up", "test")
        now = project.status()["test"]["endpoint"]
        assert now != f"http://127.0.0.1:{port}"
        await_processed(project, "test")
        queues = json.loads(project.run("exec", "test", "--", "aws", "sqs", "list-queues").stdout)["QueueUrls"]
        assert queues
        assert all(url.startswith(f"{now}/") for url in queues)


def test_status_says_all_that_a_script_needs(running_project: ProjectFolder) -> None:
    """``status --json`` is a list of objects in promotion order."""
    rows = json.loads(running_project.run("status", "--json").stdout)
    assert [row["environment"] for row in rows] == list(NAMES)
    for row in rows:
        assert {"environment", "status", "driver", "release", "digest", "url", "endpoint", "account_id"} <= row.keys()
        assert (row["status"], row["driver"]) == ("ready", driver_name())


def test_status_prints_aligned_columns_without_colour(running_project: ProjectFolder) -> None:
    """Off a terminal there are no escape codes, and every column starts where its heading does."""
    *lines, service = running_project.run("status").stdout.splitlines()
    assert len(lines) == 4
    assert service == "service orders: SAM, template.yaml"
    assert "\x1b" not in "".join(lines)
    for heading in ("STATUS", "DRIVER", "RELEASE", "URL"):
        column = lines[0].index(heading)
        assert all(line[column - 1] == " " and line[column] != " " for line in lines[1:])


def test_up_again_changes_nothing_and_says_so(running_project: ProjectFolder) -> None:
    """Up is idempotent: the same processes, the same releases."""
    before, processes = running_project.status(), sorted(running_project.processes())
    done = running_project.run("up")
    assert "nothing to do" in done.stderr
    assert running_project.status() == before
    assert sorted(running_project.processes()) == processes


def test_up_ends_with_a_curl_line_that_works(running_project: ProjectFolder) -> None:
    """What is printed to try can be tried."""
    url = re.search(r"Try: curl (\S+)", running_project.run("up").stdout)
    assert url is not None
    assert http("GET", url[1]).status == 200


def test_down_leaves_no_process_and_no_port(project: ProjectFolder) -> None:
    """What up starts, down ends; the ports are far from those that other tests' automatic ones move on to."""
    ports = free_ports(2)
    env = {"MULTISTACK_ENVIRONMENT_TEST_PORT": str(ports[0]), "MULTISTACK_PROXY_PORT": str(ports[1])}
    project.run("up", "test", env=env)
    assert http("GET", f"http://127.0.0.1:{ports[1]}/test/health").status == 200
    assert project.processes()
    project.run("down", env=env)
    assert project.processes() == []
    assert {row["status"] for row in project.status().values()} == {"stopped"}
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_down_keeps_data_and_reset_forgets_it(project: ProjectFolder) -> None:
    """A stopped environment comes back with its orders; a reset one as freshly deployed, with the same release."""
    project.run("up", "test")
    http("POST", project.url("test", "orders"), {"id": "kept", "item": "lamp", "qty": 1, "price": 5})
    release = project.status()["test"]["release"]
    project.run("down")
    up = project.run("up", "test")
    assert "deployed" not in up.stderr
    assert http("GET", project.url("test", "orders/kept")).status == 200
    project.run("reset", "test")
    assert http("GET", project.url("test", "orders/kept")).status == 404
    assert project.status()["test"]["release"] == release


def test_reset_of_a_protected_environment_needs_yes(project: ProjectFolder) -> None:
    """Nobody loses prod's data by a reset of everything."""
    done = project.run("reset", check=False)
    assert done.returncode == 2
    assert "prod is protected" in done.stderr


def test_a_killed_emulator_gets_its_recorded_release_back(project: ProjectFolder) -> None:
    """Up repairs what was killed, says so, and leaves the neighbours alone."""
    project.run("up")
    before = project.status()
    kill_emulator(project.folder, "staging")
    assert project.status()["staging"]["status"] == "stopped"
    down = http("GET", before["staging"]["url"])
    assert down.status == 503
    assert down.json()["next"] == "multistack up staging"
    assert http("GET", f"{before['test']['url']}health").status == 200
    up = project.run("up")
    assert re.search("staging +starting because .*(is gone|was killed)", up.stderr)
    assert "deploying" not in up.stderr, "the last checkpoint has what was deployed"
    after = project.status()
    assert after["staging"]["release"] == before["staging"]["release"]
    assert http("GET", after["staging"]["url"] + "health").status == 200
    assert after["test"] == before["test"]


def test_a_killed_proxy_comes_back(project: ProjectFolder) -> None:
    """The proxy is part of what up keeps running; its port is one that no other test takes meanwhile."""
    env = {"MULTISTACK_PROXY_PORT": str(free_ports(1)[0])}
    project.run("up", "test", env=env)
    url = project.status()["test"]["url"]
    record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
    os.kill(record["process"]["pid"], signal.SIGKILL)
    project.run("up", "test", env=env)
    assert project.status()["test"]["url"] == url
    assert http("GET", url + "health").status == 200


@pytest.mark.embedded("a process that is stopped; tests/docker/test_repair.py pauses containers")
def test_a_hanging_emulator_is_restarted(project: ProjectFolder) -> None:
    """An emulator that no longer answers is unhealthy, and up replaces it."""
    project.run("up", "test")
    os.kill(emulator_pid(project, "test"), signal.SIGSTOP)
    record = project.folder / ".multistack/environments/test/server.json"
    os.utime(record, (0, 0))  # it did not start a moment ago
    assert project.status()["test"]["status"] == "unhealthy"
    up = project.run("up", "test")
    assert "restarting" in up.stderr
    assert http("GET", project.url("test", "health")).status == 200


@pytest.mark.embedded("a reset route")
def test_state_lost_behind_our_back_is_noticed(project: ProjectFolder) -> None:
    """An emulator that somebody reset is ready but serves nothing; up deploys the recorded release again."""
    project.run("up", "test")
    row = project.status()["test"]
    token = (project.folder / ".multistack/environments/test/token").read_text()
    assert http("POST", row["endpoint"] + "/_ministack/reset").status == 403
    assert http("POST", row["endpoint"] + "/_ministack/reset", headers={"X-Multistack-Token": token}).status == 200
    up = project.run("up", "test")
    assert f"redeploying {row['release']}" in up.stderr
    assert http("GET", project.url("test", "health")).status == 200


def test_a_changed_region_restarts_only_that_environment(project: ProjectFolder) -> None:
    """Up brings an environment to what the project file says, with the cause."""
    project.run("up", "test", "staging")
    staging = emulator_of(project.folder, "staging")
    changed = project.run("up", "test", "staging", env={"MULTISTACK_ENVIRONMENT_TEST_REGION": "us-east-1"})
    assert "region changed from eu-west-1 to us-east-1" in changed.stderr
    assert emulator_of(project.folder, "staging") == staging
    assert http("GET", project.url("test", "health")).status == 200


def emulator_pid(project: ProjectFolder, environment: str) -> int:
    """The process of one environment's emulator."""
    record = project.folder / f".multistack/environments/{environment}/server.json"
    return int(json.loads(record.read_text())["process"]["pid"])


def free_ports(count: int) -> list[int]:
    """Ports that the system would hand out next; nothing else here asks for them."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
