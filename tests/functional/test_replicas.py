"""Several proxies of one project on one PostgreSQL: each knows what was published, and a link works once in all."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from emulator.model import STATE_FOLDER, Api, Route, Space, StoreSettings
from emulator.process import read_record
from emulator.proxy.replicas import Listener
from emulator.space_list import read_spaces, write_spaces
from emulator.space_tokens import Purpose, make_token, write_key
from emulator.store.origin import Origin, here
from emulator.store.published import Published
from emulator.store.store import Store
from tests.conftest import http
from tests.functional.cutting import line_within
from tests.functional.raw_proxy import Upstream, echo, start_proxy, wait_until
from tests.functional.tiny import source, tiny_project, write
from tests.postgres import Postgres, lasting_port

KEY = bytes(range(32))
ALICE = Space(name="alice", number=1, at=datetime(2026, 11, 27, 9, 30, tzinfo=UTC))
BOB = replace(ALICE, name="bob", number=2)
PATIENCE = 90.0


@dataclass
class Replica:
    """A process of ``multistack proxy``."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def ask(
        self, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON of the answer."""
        address = self.url.removeprefix("http://")
        with contextlib.closing(HTTPConnection(address, timeout=60)) as connection:
            connection.request(method, target, headers={"Accept": "application/json", **(headers or {})})
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content[:1] == b"{" else {}

    def status(self, target: str, *, token: str = "") -> int:
        """Of a GET."""
        return self.ask(target, headers={"X-Multistack-Token": token} if token else {})[0]


@dataclass
class Lab:
    """A project that has a store, and what its own machine would publish there."""

    folder: Path
    store_url: str
    upstream: Upstream
    store: Store
    published: Published
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        """``multistack`` in the project's folder."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("MULTISTACK_")}
        log = (self.folder.parent / f"log{len(self.processes)}").open("w")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "emulator", *arguments],
                cwd=self.folder,
                env={**environ, "MULTISTACK_STORE": self.store_url},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.processes.append(process)
        return process

    def start(self, *arguments: str) -> Replica:
        """A replica that listens."""
        return self._listening(self.command("proxy", *arguments))

    def start_two(self) -> list[Replica]:
        """At once."""
        return [self._listening(process) for process in [self.command("proxy"), self.command("proxy")]]

    def _listening(self, process: subprocess.Popen[str]) -> Replica:
        log = self.folder.parent / f"log{self.processes.index(process)}"
        url = line_within(process, PATIENCE)
        assert url.startswith("http://127.0.0.1:"), log.read_text()
        return Replica(process, url, log)

    def route(self, name: str = "test", **changes: Any) -> Route:
        """To the upstream."""
        return replace(
            Route(
                environment=name,
                account_id="000000000001",
                region="eu-west-1",
                driver="external",
                url=self.upstream.url,
                process=None,
                release="ce9d3706731f",
                digest="ab" * 32,
                apis=(Api(logical_id="Api", path="", stage="live"),),
                default_api="Api",
            ),
            **changes,
        )

    def link(self, space: Space) -> str:
        """Path and query by which it is joined."""
        return f"/{space.name}/_join?token={make_token(KEY, Purpose.JOIN, space, expires=None)}"

    def token(self, space: Space) -> str:
        """An access token."""
        return make_token(KEY, Purpose.ACCESS, space, expires=None)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """What all environments are here."""
    with contextlib.closing(Upstream(echo)) as started:
        yield started


@pytest.fixture
def lab(tmp_path: Path, postgres: Postgres, upstream: Upstream) -> Iterator[Lab]:
    """With spaces alice and bob; the project's own environment isn't published yet."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "multistack.toml").write_text('service = "shop"\n[environments.test]\n')
    (folder / "template.yaml").write_text("Resources: {}\n")
    with laboratory(folder, postgres.database(), upstream) as lab:
        lab.published.write_spaces({"alice": ALICE, "bob": BOB}, key=KEY)
        for space in ("alice", "bob"):
            lab.published.write_routes(space, [lab.route()])
        yield lab


@contextlib.contextmanager
def laboratory(folder: Path, url: str, upstream: Upstream) -> Iterator[Lab]:
    """A project whose replicas end with it; what they say is beside its *folder*."""
    store = Store(StoreSettings(url=url), patience=0)
    lab = Lab(folder, url, upstream, store, Published(store, "shop", origin=here(folder.parent)))
    try:
        yield lab
    finally:
        for process in lab.processes:
            process.terminate()
        for process in lab.processes:
            with contextlib.suppress(ValueError):  # it was asked to its end before
                process.communicate(timeout=60)
        store.close()


def test_what_is_published_arrives_everywhere(lab: Lab) -> None:
    """Nobody asks the store for it: the same connections, told by it, serve from then on."""
    replicas = lab.start_two()
    for replica in replicas:
        assert replica.status("/test/x") == 503  # nothing was published of it
        assert replica.status("/alice/test/x", token=lab.token(ALICE)) == 200
        assert replica.status("/alice/test/x", token=lab.token(BOB)) == 403
    lab.published.write_routes("", [lab.route()])
    lab.published.write_spaces({"alice": replace(ALICE, generation=2)}, key=KEY)
    for replica in replicas:
        wait_until(lambda one=replica: one.status("/test/x") == 200, timeout=PATIENCE)
        wait_until(lambda one=replica: one.status("/alice/test/x", token=lab.token(ALICE)) == 401, timeout=PATIENCE)
        wait_until(lambda one=replica: one.status("/bob/test/x", token=lab.token(BOB)) == 401, timeout=PATIENCE)
    # Removed after the list that requests go by was replaced.
    wait_until(lambda: not list((lab.folder / STATE_FOLDER / "replicas").glob("*/spaces/bob")), timeout=PATIENCE)
    lab.published.write_routes("", [lab.route(url=None)])
    for replica in replicas:
        wait_until(lambda one=replica: one.status("/test/x") == 503, timeout=PATIENCE)


def test_a_replica_can_be_ended_as_soon_as_it_listens(lab: Lab) -> None:
    """Its workers are about to start then; none of them may keep it."""
    moments = random.Random(8)
    for _ in range(8):
        replica = lab.start()
        time.sleep(moments.uniform(0, 0.15))  # the moment is what is tested
        replica.process.terminate()
        replica.process.communicate(timeout=60)
        assert "Traceback" not in replica.log.read_text()


def test_a_deployment_arrives_everywhere(tmp_path: Path, postgres: Postgres, upstream: Upstream) -> None:
    """What commands deploy, proxies serve that know of it from the store alone."""
    url = postgres.database()
    with tiny_project(tmp_path) as bare, laboratory(bare.folder, url, upstream) as lab:
        project = replace(bare, environ={"MULTISTACK_STORE": url})
        project.run("up")
        replicas = lab.start_two()
        for answer in ("one", "two"):
            write(project, "src/app.py", source(repr(answer)))
            project.run("deploy")
            release = project.status()["test"]["release"]
            for replica in replicas:
                wait_until(
                    functools.partial(_serves, f"{replica.url}/test/", answer.encode(), release), timeout=PATIENCE
                )


def _serves(url: str, answer: bytes, release: str) -> bool:
    found = http("GET", url)
    return (found.body, found.headers.get("X-Multistack-Release")) == (answer, release)


def test_a_link_is_used_once_in_total(lab: Lab) -> None:
    """Whichever proxy is asked, and also when both are at the same moment."""
    replicas = lab.start_two()
    for space in (ALICE, BOB):
        with ThreadPoolExecutor() as pool:
            asked = [pool.submit(one.ask, lab.link(space), method="POST") for one in replicas * 3]
            answers = [one.result() for one in asked]
        assert sorted(status for status, _ in answers) == [200] + [403] * 5
        (joined,) = [content for status, content in answers if status == 200]
        assert all(one.status(f"/{space.name}/test/", token=joined["token"]) == 200 for one in replicas)
        assert all("token-used" in content["type"] for status, content in answers if status == 403)


def test_one_that_is_killed_is_missed_by_nobody_else(lab: Lab) -> None:
    """They know nothing of each other."""
    one, other = lab.start_two()
    one.process.kill()
    one.process.wait(60)
    assert other.status("/alice/test/", token=lab.token(ALICE)) == 200
    lab.published.write_routes("", [lab.route()])
    wait_until(lambda: other.status("/test/x") == 200, timeout=PATIENCE)


def test_requests_go_on_without_the_store(lab: Lab, stoppable_postgres: Postgres) -> None:
    """Also after a new start. Only a link waits, and what happens meanwhile arrives when the store is back."""
    port = str(lasting_port())
    one = lab.start("--port", port)
    stoppable_postgres.stop()
    wait_until(lambda: "requests go on with what is known" in one.log.read_text(), timeout=PATIENCE)
    assert one.status("/alice/test/", token=lab.token(ALICE)) == 200
    status, problem = one.ask(lab.link(ALICE), method="POST")
    assert (status, problem["title"]) == (503, "Store away")
    one.process.terminate()
    one.process.wait(60)
    again = lab.start("--port", port)
    assert "it begins with what is in" in again.log.read_text()
    assert again.status("/alice/test/", token=lab.token(ALICE)) == 200
    stoppable_postgres.start_again()
    lab.published.write_routes("", [lab.route()])
    wait_until(lambda: again.status("/test/x") == 200, timeout=PATIENCE)
    assert again.ask(lab.link(ALICE), method="POST")[0] == 200


def test_what_can_not_start_says_so(lab: Lab) -> None:
    """No store, or one that is away and was never seen from here, ends in one line with its exit code."""
    for url, code, line in (
        ("", 2, "error: a further proxy needs a store"),
        ("postgresql://ann@127.0.0.1:1/store", 3, "error: the store postgresql://ann@127.0.0.1:1/store can't be"),
    ):
        lab.store_url = url
        process = lab.command("proxy")
        assert process.communicate(timeout=PATIENCE)[0] == ""
        assert process.returncode == code
        said = (lab.folder.parent / f"log{len(lab.processes) - 1}").read_text()
        assert said.startswith(line), said


@pytest.mark.parametrize("place", ["another boot", ""], ids=["of that name", "of before places were known"])
def test_an_environment_that_only_another_machine_reaches_is_told(lab: Lab, place: str) -> None:
    """Its loopback address is this machine's own here, where a stranger may listen; names of machines say nothing."""
    origin = Origin(state=lab.folder, shown=f"{socket.gethostname()}:/home/ann/shop", place=place)
    elsewhere = Published(lab.store, "shop", origin=origin)
    elsewhere.write_routes("", [lab.route("test"), lab.route("far", url="http://192.0.2.7:4566")])
    one = lab.start()
    assert one.status("/test/x") == 503
    said = f"environment test runs on {socket.gethostname()}, which alone reaches it ({lab.upstream.url})"
    assert len(re.findall(re.escape(said), one.log.read_text())) == 1
    assert "environment far" not in one.log.read_text()


def test_the_own_proxy_and_replicas_agree_on_a_link(lab: Lab) -> None:
    """The list beside the project says who joined, wherever that was."""
    state = lab.folder / STATE_FOLDER
    state.mkdir()
    write_spaces(state, {"alice": ALICE, "bob": BOB})
    write_key(state / "spaces.key", KEY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULTISTACK_STORE", lab.store_url)
        with start_proxy(state, "--store", "shown", "--store-project", "shop") as own:
            wait_until(lambda: read_record(own.log.parent) is not None, timeout=PATIENCE)
            replica = lab.start()
            assert replica.ask(lab.link(ALICE), method="POST")[0] == 200
            assert own.ask(lab.link(ALICE), method="POST")[0].status == 403
            wait_until(lambda: read_spaces(state)["alice"].is_joined, timeout=PATIENCE)
            response, _ = own.ask(lab.link(BOB), method="POST", headers={"Accept": "application/json"})
            assert response.status == 200
            assert read_spaces(state)["bob"].is_joined
            assert replica.ask(lab.link(BOB), method="POST")[0] == 403


def test_the_own_machine_hears_of_requests_and_wakes_spaces(lab: Lab) -> None:
    """A space that is asked through a replica is not idle, and a sleeping one is started where it runs."""
    asleep = replace(ALICE, is_asleep=True)
    lab.published.write_spaces({"alice": asleep, "bob": BOB}, key=KEY)
    lab.published.write_routes("alice", [lab.route(url=None)])
    state = lab.folder / STATE_FOLDER
    state.mkdir()
    write_spaces(state, {"alice": asleep, "bob": BOB})
    used: list[str] = []
    started: list[tuple[str, str]] = []

    def start(name: str, environment: str) -> int:
        """As ``multistack --space NAME up --first ENVIRONMENT`` does; the list first."""
        started.append((name, environment))
        write_spaces(state, {"alice": ALICE, "bob": BOB})
        lab.published.write_spaces({"alice": ALICE, "bob": BOB}, key=KEY)
        lab.published.write_routes(name, [lab.route()])
        return 0

    stop = threading.Event()
    listener = Listener(lab.published, state, note_use=used.append, start=start)
    thread = threading.Thread(target=listener.follow, args=(lab.store, "shop", stop))
    thread.start()
    try:
        replica = lab.start()
        # Its first requests may come before the listener listens: then the next one wakes it.
        wait_until(lambda: replica.status("/alice/test/", token=lab.token(ALICE)) == 200, timeout=PATIENCE)
        wait_until(lambda: "alice" in used, timeout=PATIENCE)
        assert "bob" not in used
        assert started == [("alice", "test")]
    finally:
        stop.set()
        thread.join(60)
