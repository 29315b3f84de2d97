"""Spaces through a proxy's process: each with its own token, none with another's, whichever way is tried."""

from __future__ import annotations

import contextlib
import fcntl
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.inspector.rows import REQUESTS_FILE
from emulator.model import STATE_FOLDER, Quota, Route, Space
from emulator.process import read_record
from emulator.routes import ROUTES_FILE, load_routes, publish_routes
from emulator.space_list import home_of, write_spaces
from emulator.space_tokens import Purpose, join_url, keep_key, make_token
from tests.conftest import ProjectFolder, http
from tests.functional.raw_proxy import Exchange, Proxy, Upstream, start_proxy, wait_until
from tests.functional.tiny import tiny_project

PATH = "/orders/a%2Fb?c=%20"
BASE = "/_aws/execute-api/00bea1dc/live"


@dataclass
class Seats:
    """A proxy with the project's own environment test, and the spaces alice and bob with one each."""

    proxy: Proxy
    state: Path
    upstreams: dict[str, Upstream]
    spaces: dict[str, Space]

    def token(self, name: str, *, lasts: timedelta = timedelta(hours=1)) -> str:
        """An access token, as joining makes it."""
        space = self.spaces[name]
        return make_token(keep_key(self.state), Purpose.ACCESS, space, expires=datetime.now(UTC) + lasts)

    def status(self, target: str, token: str = "", **headers: str) -> int:
        """Of a GET; host and environment may be named."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"X-Multistack-Token": token} if token else {}
        return self.proxy.ask(target, headers=given)[0].status

    @property
    def asked(self) -> dict[str, int]:
        """How many requests reached each."""
        return {name: len(upstream.exchanges) for name, upstream in self.upstreams.items()}


def answering(name: str) -> Upstream:
    """An upstream that says who it is."""

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.answer(name.encode(), headers=("Location: /somewhere", "Set-Cookie: a=b; Path=/"))

    return Upstream(script)


@pytest.fixture(scope="module")
def seats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seats]:
    """For all tests of this module that need no emulator."""
    state = tmp_path_factory.mktemp("seats")
    now = datetime.now(UTC)
    names = ("own", "alice", "bob", "limited")
    spaces = {name: Space(name=name, number=at, at=now) for at, name in enumerate(names) if at}
    spaces["limited"] = Space(name="limited", number=3, at=now, quota=Quota(requests=0.01))
    write_spaces(state, spaces)
    keep_key(state)
    with contextlib.ExitStack() as stack:
        upstreams = {name: stack.enter_context(contextlib.closing(answering(name))) for name in names}
        proxy = stack.enter_context(start_proxy(state))
        wait_until(lambda: read_record(proxy.log.parent) is not None)
        proxy.publish(upstreams["own"].url)
        (route,) = load_routes(proxy.routes).values()
        for name in spaces:
            _publish(state, name, route, upstreams[name].url)
        yield Seats(proxy, state, upstreams, spaces)
        log = proxy.log.read_text()
    assert "Traceback" not in log
    assert "msa." not in log
    assert "msj." not in log


def _publish(state: Path, name: str, route: Route, url: str) -> None:
    folder = home_of(state, name) / STATE_FOLDER
    folder.mkdir(parents=True)
    publish_routes(folder / ROUTES_FILE, [Route(**{**_fields(route), "url": url})])


def _fields(route: Route) -> dict[str, Any]:
    return {name: getattr(route, name) for name in Route.__slots__}


def test_all_environments_of_a_space_are_asked_without_its_token(seats: Seats) -> None:
    """As one is: what is behind sees neither the token nor another space's request."""
    before = seats.asked
    response, body = seats.proxy.ask(f"/alice/_all{PATH}", headers={"X-Multistack-Token": seats.token("alice")})
    assert response.status == 200
    assert {name: entry["body"] for name, entry in json.loads(body)["environments"].items()} == {"test": "alice"}
    assert b"msa." not in body
    seen = seats.upstreams["alice"].last
    assert seen.target.endswith(PATH)
    assert seen.values("x-multistack-token") == []
    assert seen.values("x-forwarded-prefix") == ["/alice/test"]
    assert seats.status("/alice/_all/x", seats.token("bob")) == 403
    assert {name: count for name, count in seats.asked.items() if count != before[name]}.keys() == {"alice"}


WAYS = [
    pytest.param(lambda name: (f"/{name}/test{PATH}", {}), id="path"),
    pytest.param(lambda name: (PATH, {"Host": f"test.{name}.localhost"}), id="host"),
    pytest.param(lambda name: (PATH, {"X_Multistack_Environment": f"{name}/test"}), id="header"),
]


@pytest.mark.parametrize("way", WAYS)
def test_each_reaches_its_own_space_and_no_other(seats: Seats, way: Any) -> None:
    """Nothing arrives at another's, and the path arrives as it was sent."""
    for name, other in (("alice", "bob"), ("bob", "alice")):
        target, headers = way(name)
        before = seats.asked
        assert seats.status(target, seats.token(name), **headers) == 200
        assert seats.status(target, seats.token(other), **headers) == 403
        assert seats.status(target, **headers) == 401
        assert seats.status(target, "wrong", **headers) == 401
        assert seats.status(target, seats.token(name, lasts=timedelta(0)), **headers) == 401
        assert seats.asked == {**before, name: before[name] + 1}
        exchange = seats.upstreams[name].last
        assert exchange.target == BASE + PATH
        assert exchange.values("x-multistack-token") == []
        assert b"msa." not in exchange.head


def test_an_answer_is_in_the_terms_of_the_client(seats: Seats) -> None:
    """Below the space's path."""
    token = {"X-Multistack-Token": seats.token("alice")}
    response, body = seats.proxy.ask("/alice/test/", headers=token)
    assert body == b"alice"
    assert response.getheader("Location") == "/alice/test/somewhere"
    assert response.getheader("Set-Cookie") == "a=b; Path=/alice/test/"
    assert response.getheader("X-Multistack-Environment") == "alice/test"


def test_the_cookie_of_one_space_opens_no_other(seats: Seats) -> None:
    """A browser doesn't send it there; somebody else may."""
    cookie = f"multistack_space={seats.token('alice')}"
    assert seats.status("/alice/test/", Cookie=cookie) == 200
    assert seats.upstreams["alice"].last.values("cookie") == []
    assert seats.status("/bob/test/", Cookie=cookie) == 403
    assert seats.status("/bob/test/", seats.token("bob"), Cookie=f"{cookie}; a=b") == 200
    assert seats.upstreams["bob"].last.values("cookie") == ["a=b"]


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/_all/x", {}, 200),
        ("/x", {"X_Multistack_Environment": "*"}, 200),
        ("/x", {"X_Multistack_Environment": "alice/test,bob/test"}, 404),
        ("/x", {"X_Multistack_Environment": "alice/test,"}, 404),
        ("/x", {"X_Multistack_Environment": "test,alice/test"}, 404),
        ("/_all/x", {"X_Multistack_Baseline": "alice/test"}, 404),
        ("/x", {"X_Multistack_Environment": "alice/test", "Host": "test.bob.localhost"}, 400),
        ("/bob/_all/x", {}, 403),
        ("/x", {"X_Multistack_Environment": "alice/_all"}, 404),
    ],
)
def test_no_space_is_asked_with_others(seats: Seats, target: str, headers: dict[str, str], status: int) -> None:
    """Fan-out is for the project's own environments, whatever token comes with it, or for those of one space."""
    before = seats.asked
    assert seats.status(target, seats.token("alice"), **headers) == status
    after = seats.asked
    assert {name for name in after if after[name] != before[name]} <= {"own"}


def test_a_token_opens_none_of_the_projects_own(seats: Seats) -> None:
    """It needs none on this machine, and gets to see none."""
    assert seats.status("/test/x", seats.token("alice")) == 200
    assert b"msa." not in seats.upstreams["own"].last.head


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"/" + b"a" * 200 + b"/test/", 404),
        ("/älice/test/".encode(), 404),
        (b"/%C3%A4lice/test/", 404),
        (b"/" + b"a" * 30 + b"/test/", 404),
        (b"/nobody/test/", 404),
        (b"/alice", 401),
        (b"/alice/" + b"b" * 200 + b"/", 401),
        ("/alice/日本/".encode(), 401),
        ("/alice/_join?token=日本".encode(), 401),
        (b"/alice/_join?token=" + b"x" * 5000, 401),
        (b"/alice/_join/more", 401),
        (b"/alice/test/_aws/", 401),
    ],
)
def test_any_name_is_answered(seats: Seats, target: bytes, status: int) -> None:
    """With a problem in one line; the module's end looks for tracebacks."""
    raw = b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target
    head, _, body = seats.proxy.send(raw).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert "\n" not in json.loads(body)["detail"]


def test_any_name_of_an_environment_is_answered_to_who_may_know(seats: Seats) -> None:
    """A 404 that lists what there is in that space, and nothing of others."""
    for name in ("b" * 200, "日本".encode().decode("latin-1"), "_multistack"):
        raw = f"GET /alice/{name} HTTP/1.1\r\nHost: a.localhost\r\nX-Multistack-Token: {seats.token('alice')}\r\n"
        sent = raw.replace("a.localhost", "localhost").encode("latin-1") + b"Connection: close\r\n\r\n"
        head, _, body = seats.proxy.send(sent).partition(b"\r\n\r\n")
        assert int(head.split()[1]) == 404
        assert json.loads(body)["environments"] == ["test"]


def test_joining_over_the_wire(seats: Seats) -> None:
    """The link once, in whatever way; then its cookie and its token."""
    target = join_url("", seats.state, seats.spaces["bob"])
    assert seats.proxy.ask(target)[0].status == 200
    response, body = seats.proxy.ask(target, method="POST", headers={"Accept": "application/json"})
    content = json.loads(body)
    assert response.status == 200
    assert [one["url"] for one in content["environments"]] == [f"http://127.0.0.1:{seats.proxy.port}/bob/test/"]
    cookie = (response.getheader("Set-Cookie") or "").partition(";")[0]
    assert seats.status("/bob/test/", Cookie=cookie) == 200
    assert seats.status("/bob/test/", content["token"]) == 200
    assert seats.status("/alice/test/", content["token"]) == 403
    response, body = seats.proxy.ask(target, method="POST")
    assert (response.status, "was used" in json.loads(body)["detail"]) == (403, True)


def test_a_quota_is_kept(seats: Seats) -> None:
    """Two at once, and then an answer that says when; others go on."""
    token = {"X-Multistack-Token": seats.token("limited")}
    found = [seats.proxy.ask("/limited/test/", headers=token)[0] for _ in range(2)]
    assert [one.status for one in found] == [200, 429]
    assert int(found[1].getheader("Retry-After") or "") > 1
    assert seats.status("/alice/test/", seats.token("alice")) == 200
    uses = json.loads(seats.proxy.ask("/_multistack/spaces")[1])
    assert (uses["limited"]["requests"], uses["limited"]["refused"]) == (1, 1)


def test_records_name_the_seat_and_hold_no_token(tmp_path: Path, seats: Seats) -> None:
    """What is kept of a request has neither its header, nor its cookie, nor what stood in its URL."""
    token = seats.token("alice")
    cookie = f"multistack_space={token}; seat=kept-cookie"
    target = f"/alice/test/noted?token={token}&a=noted"
    assert seats.status(target, token, Cookie=cookie, Referer=f"http://localhost/alice/_join?token={token}") == 200
    assert b"msa." not in seats.upstreams["alice"].last.head
    path = seats.proxy.log.parent / REQUESTS_FILE
    wait_until(lambda: path.exists() and b"noted" in _content(path))
    assert b"alice/test" in _content(path)
    assert token.encode() not in _content(path)


def _content(path: Path) -> bytes:
    """Of a database that somebody writes, with its journal."""
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*") if one.is_file())


@dataclass
class Running:
    """A tiny service in two spaces of a project."""

    project: ProjectFolder
    base: str
    region: str = ""

    def join(self, name: str) -> str:
        """The access token, by the printed link."""
        link = self.project.run("space", "url", name).stdout.strip()
        answer = http("POST", link, headers={"Accept": "application/json"})
        assert answer.status == 200
        content = json.loads(answer.body)
        self.region = content["environments"][0]["region"]
        return str(content["token"])

    def get(self, name: str, token: str, path: str = "test/") -> int:
        """The status of a GET."""
        return http("GET", f"{self.base}/{name}/{path}", headers={"X-Multistack-Token": token}).status


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Nobody has joined."""
    with tiny_project(tmp_path_factory.mktemp("running")) as project:
        project.run("space", "create", "--count", "2", "--prefix", "seat")
        record = json.loads((project.folder / ".multistack/proxy/server.json").read_text())
        yield Running(project, f"http://127.0.0.1:{record['port']}")


@pytest.fixture(scope="module")
def tokens(running: Running) -> dict[str, str]:
    """Of both, who have joined."""
    return {name: running.join(name) for name in ("seat-01", "seat-02")}


def client(running: Running, service: str, space: str, key: str) -> Any:
    """A plain boto3 client with what the page says."""
    return boto3.client(
        service,
        endpoint_url=f"{running.base}/{space}/test/_aws",
        aws_access_key_id=key,
        aws_secret_access_key="multistack",
        region_name=running.region,
        config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
    )


def test_aws_clients_work_with_the_token_as_access_key(running: Running, tokens: dict[str, str]) -> None:
    """In the emulator of their own environment, whose account they are."""
    for name, token in tokens.items():
        apis = client(running, "apigateway", name, token).get_rest_apis()["items"]
        assert len(apis) == 1
        identity = client(running, "sts", name, token).get_caller_identity()
        assert identity["Account"].startswith("9")

        table = {"TableName": "seats", "BillingMode": "PAY_PER_REQUEST"}
        dynamodb = client(running, "dynamodb", name, token)
        dynamodb.create_table(
            **table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        dynamodb.put_item(TableName="seats", Item={"id": {"S": name}})
        found = dynamodb.scan(TableName="seats")["Items"]
        assert found == [{"id": {"S": name}}]

        s3 = client(running, "s3", name, token)
        s3.create_bucket(Bucket="things")
        s3.put_object(Bucket="things", Key="a b/ü_%2F", Body=name.encode())
        assert s3.get_object(Bucket="things", Key="a b/ü_%2F")["Body"].read() == name.encode()
        assert [one["Key"] for one in s3.list_objects_v2(Bucket="things")["Contents"]] == ["a b/ü_%2F"]
        link = s3.generate_presigned_url("get_object", Params={"Bucket": "things", "Key": "a b/ü_%2F"})
        assert token in link
        assert http("GET", link).body == name.encode()


@pytest.mark.parametrize("service", ["dynamodb", "s3", "sts", "apigateway"])
def test_aws_clients_of_others_are_refused(running: Running, tokens: dict[str, str], service: str) -> None:
    """By an error that tells what is wrong, in each of AWS's protocols."""
    call = {
        "dynamodb": "list_tables",
        "s3": "list_buckets",
        "sts": "get_caller_identity",
        "apigateway": "get_rest_apis",
    }
    for key, code in ((tokens["seat-02"], "AccessDenied"), ("AKIAWRONG", "InvalidClientTokenId")):
        with pytest.raises(ClientError) as caught:
            getattr(client(running, service, "seat-01", key), call[service])()
        assert caught.value.response["Error"]["Code"] == code
        assert "space 'seat-01' needs its token" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("path", ["_multistack/state", "_ministack/reset", "_localstack/health", "%5Fministack/reset"])
def test_control_routes_of_the_emulator_stay_closed(running: Running, tokens: dict[str, str], path: str) -> None:
    """Also those that it answers to anybody itself."""
    for method in ("GET", "POST"):
        given = {"X-Multistack-Token": tokens["seat-01"]}
        assert http(method, f"{running.base}/seat-01/test/_aws/{path}", headers=given).status == 403


def test_a_request_wakes_a_sleeping_space_and_holds_no_other(running: Running, tokens: dict[str, str]) -> None:
    """Several at once are held, and all answered; others go on meanwhile."""
    assert [running.get(name, token) for name, token in tokens.items()] == [200, 200]
    running.project.run("space", "sleep", "seat-01")
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(running.get("seat-01", tokens["seat-01"]))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    others = []
    while any(thread.is_alive() for thread in threads):
        others.append(running.get("seat-02", tokens["seat-02"]))
    for thread in threads:
        thread.join()
    assert found == [200] * 3
    assert set(others) <= {200}
    uses = json.loads(http("GET", f"{running.base}/_multistack/spaces").body)
    assert set(uses) == {"seat-01", "seat-02"}


def test_a_request_goes_on_although_a_sibling_does_not_start(tmp_path: Path) -> None:
    """The environment that it asks for is started first; the lock of the other one's emulator is somebody else's."""
    with tiny_project(tmp_path) as project:
        with (project.folder / "multistack.toml").open("a") as file:
            file.write('[environments.prod]\naccount_id = "333333333333"\n')
        link = json.loads(project.run("space", "create", "alice", "--json").stdout)[0]["url"]
        token = http("POST", link, headers={"Accept": "application/json"}).json()["token"]
        project.run("space", "sleep", "alice")
        state = home_of(project.folder / STATE_FOLDER, "alice") / STATE_FOLDER
        with (state / "environments/test/lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            url = link.partition("/alice")[0] + "/alice/prod/"
            assert http("GET", url, headers={"X-Multistack-Token": token}).body == b"one"
        project.run("--space", "alice", "up")
        routes = load_routes(state / ROUTES_FILE)
        assert all(route.url for route in routes.values())
