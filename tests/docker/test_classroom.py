"""A class on two hosts: each seat does lab 1 of the workshop by its own token, and a lost host's seats come back."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from emulator.images.recipe import embedded_image
from tests.conftest import ProjectFolder
from tests.docker.engines import build_embedded
from tests.docker.swarms import SwarmHost, left_in, left_of, swarm

pytestmark = [pytest.mark.xdist_group("swarm"), pytest.mark.timeout(900)]

SEATS = ("seat-01", "seat-02", "seat-03")
ENVIRONMENTS = ("test", "staging", "prod")
# What lab 1 says that an order costs there: its discount is config.
TOTALS = {"test": 1.88, "staging": 4.5, "prod": 7.5}
# Seconds for a host's environments to be back; the swarm itself takes about 20 of them, on an idle machine.
PATIENCE = 240.0


@dataclass(frozen=True)
class Reply:
    """What curl was answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Room:
    """
    A class and the machines that it runs on.

    Attributes:
        tokens: Of each seat.
        proxy: Its address for the learners' machines.
    """

    hosts: list[SwarmHost]
    folder: ProjectFolder
    tokens: Mapping[str, str]
    proxy: str

    def ask(self, path: str, token: str, *, body: str | None = None, method: str = "") -> Reply:
        """As a learner types it on a machine of their own: for the proxy, that of a host is as foreign as any."""
        return curl(self.hosts[0], f"{self.proxy}{path}", token=token, body=body, method=method)

    def aws(self, seat: str, environment: str, token: str, service: str) -> Any:
        """A client of AWS with nothing but what the page of joining tells."""
        return boto3.client(
            service,
            endpoint_url=f"{self.proxy}/{seat}/{environment}/_aws",
            region_name="eu-west-1",
            aws_access_key_id=token,
            aws_secret_access_key="multistack",
        )

    def where(self, seat: str) -> dict[str, str]:
        """The address of the host that each environment of a seat runs on."""
        rows = json.loads(self.folder.run("--space", seat, "status", "--json").stdout)
        return {row["environment"]: row["endpoint"].split("/")[2].partition(":")[0] for row in rows}


def curl(
    host: SwarmHost | None, url: str, *, token: str = "", body: str | None = None, method: str = "", patience: int = 60
) -> Reply:
    """The answer as seen from the network of *host*, or from this machine; status 0 without any."""
    options = ["-H", "Accept: application/json", *(["-H", f"X-Multistack-Token: {token}"] if token else [])]
    options += ["-d", body] if body is not None else []
    options += ["-X", method] if method else []
    command = [
        *(host.inside if host else ()),
        "curl",
        "-s",
        "-i",
        "--path-as-is",
        "--max-time",
        str(patience),
        *options,
        url,
    ]
    said = subprocess.run(command, capture_output=True, check=False).stdout
    head, _, content = said.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return Reply(int(first.split()[1]) if first else 0, headers, content)


@pytest.fixture(scope="module")
def room(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Three seats of the workshop's first lab on a swarm of two hosts; of all that nothing is left in the end."""
    build_embedded()
    with swarm(hosts=2, images=[embedded_image()]) as hosts:
        root = tmp_path_factory.mktemp("class")
        gateway = f"{hosts[0].address.rpartition('.')[0]}.1"
        environ = {"DOCKER_HOST": hosts[0].host, "MULTISTACK_PROXY_HOST": gateway}
        for name in ("home", "lessons"):
            (root / name).mkdir()
        ProjectFolder(root / "lessons", root / "home").run("workshop", "start", "1")
        folder = ProjectFolder(root / "lessons/workshop/lab-1", root / "home", environ)
        try:
            yield _open(folder, hosts, gateway)
        finally:
            _close(folder, hosts)
    assert left_of(hosts) == []


def _open(folder: ProjectFolder, hosts: list[SwarmHost], gateway: str) -> Room:
    asked = ("space", "create", "--count", "3", "--prefix", "seat", "--driver", "swarm")
    folder.run(*asked, timeout=600)
    links = {row["space"]: row["url"] for row in json.loads(folder.run(*asked, "--json", timeout=120).stdout)}
    tokens, proxy = {}, ""
    for seat, link in links.items():
        proxy = f"http://{gateway}:{link.split('/')[2].rpartition(':')[2]}"
        joined = curl(hosts[0], f"{proxy}/{link.split('/', 3)[3]}", method="POST")
        assert joined.status == 200, joined
        tokens[seat] = str(joined.json()["token"])
    return Room(hosts, folder, tokens, proxy)


def _close(folder: ProjectFolder, hosts: list[SwarmHost]) -> None:
    folder.run("space", "destroy", "--all", check=False, timeout=300)  # what stays is told below
    folder.run("down")
    assert left_in(hosts[0]) == []
    assert folder.processes() == []


def test_a_class_on_two_hosts(room: Room) -> None:
    """Lab 1 in each seat; walls between them; a host is lost, and what ran there is back by itself."""
    ids = {seat: do_lab_one(room, seat) for seat in SEATS}
    assert len({one for seat in ids.values() for one in seat.values()}) == len(SEATS) * len(ENVIRONMENTS)
    for seat, other in itertools.permutations(SEATS, 2):
        knock(room, seat, other)
    refuse_what_is_the_operators(room)
    lose_a_host(room)


def do_lab_one(room: Room, seat: str) -> Mapping[str, str]:
    """With the seat's own token only; returns the id of each environment's API."""
    token, ids = room.tokens[seat], {}
    for quantity, name in enumerate(ENVIRONMENTS, 1):
        apis = room.aws(seat, name, token, "apigateway").get_rest_apis()["items"]
        (ids[name],) = [one["id"] for one in apis]
        order = json.dumps({"id": "lab-1", "item": "tea", "qty": quantity, "price": 2.5})
        placed = room.ask(f"/{seat}/{name}/orders", token, body=order)
        assert (placed.status, placed.json()["total"]) == (201, TOTALS[name]), placed
    shown = {name: room.ask(f"/{seat}/{name}/config", token).json() for name in ENVIRONMENTS}
    assert len({one["digest"] for one in shown.values()}) == 1
    assert len({one["config_hash"] for one in shown.values()}) == len(ENVIRONMENTS)
    assert room.ask(f"/{seat}/prod/orders/lab-1", token).json()["qty"] == len(ENVIRONMENTS)
    return ids


def knock(room: Room, seat: str, other: str) -> None:
    """A token opens nothing of another's seat, by any way. From outside once: ten wrong tokens shut a machine out."""
    token, proxy = room.tokens[seat], room.proxy
    ways = {
        "from outside": room.ask(f"/{other}/test/orders/lab-1", token),
        "an order": curl(None, f"{proxy}/{other}/test/orders/lab-1", token=token),
        "another order": curl(None, f"{proxy}/{other}/test/orders", token=token, body="{}"),
        "removing it": curl(None, f"{proxy}/{other}/prod/orders/lab-1", token=token, method="DELETE"),
        "its page": curl(None, f"{proxy}/{other}/", token=token),
    }
    assert {way: reply.status for way, reply in ways.items() if reply.status != 403} == {}
    by_own_path = curl(None, f"{proxy}/{seat}/../{other}/test/orders/lab-1", token=token)
    assert by_own_path.status == 404
    with pytest.raises(ClientError) as refused:
        room.aws(other, "prod", token, "dynamodb").list_tables()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def refuse_what_is_the_operators(room: Room) -> None:
    """Ledger, requests, logs and spaces are behind the proxy's password, which no token is."""
    token = room.tokens[SEATS[0]]
    pages = ("/_multistack/", "/_multistack/spaces", "/_multistack/api/requests", "/_multistack/api/environments")
    assert {page: room.ask(page, token).status for page in pages} == dict.fromkeys(pages, 401)


def lose_a_host(room: Room) -> None:
    """Its environments are on the other one with their releases, and nobody asked for that; the others never went."""
    ran = {(seat, name): host for seat in SEATS for name, host in room.where(seat).items()}
    lost_host = room.hosts[1]
    lost = [one for one, host in ran.items() if host == lost_host.address]
    assert lost, ran
    before = {one: config(room, *one) for one in ran}
    assert all(before.values())
    lost_host.lose()
    seen: set[tuple[int, str, bool]] = set()
    deadline = time.monotonic() + PATIENCE
    left = list(lost)
    while left and time.monotonic() < deadline:
        for one in list(left):
            reply = curl(None, f"{room.proxy}/{one[0]}/{one[1]}/config", token=room.tokens[one[0]], patience=4)
            if reply.status == 200:
                assert reply.json() == before[one]
                left.remove(one)
            else:
                seen.add(
                    (reply.status, reply.json().get("type", "") if reply.body else "", "retry-after" in reply.headers)
                )
        time.sleep(0.5)
    assert left == [], (seen, proxy_log(room))
    assert (503, "urn:multistack:problem:away", True) in seen
    now = {(seat, name): host for seat in SEATS for name, host in room.where(seat).items()}
    assert set(now.values()) == {room.hosts[0].address}
    orders = {one: room.ask(f"/{one[0]}/{one[1]}/orders/lab-1", room.tokens[one[0]]).status for one in ran}
    assert orders == {one: 404 if one in lost else 200 for one in ran}


def config(room: Room, seat: str, name: str) -> Any:
    """What the service there says of its release and its config."""
    reply = room.ask(f"/{seat}/{name}/config", room.tokens[seat])
    return reply.json() if reply.status == 200 else None


def proxy_log(room: Room) -> str:
    """What the proxy said."""
    return (room.folder.folder / ".multistack/proxy/server.log").read_text()
