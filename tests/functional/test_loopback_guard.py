"""No web page reaches a running emulator, and no tool of this machine is kept out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.drivers.embedded import EmbeddedDriver
from emulator.endpoint import client, wait_until_healthy
from emulator.model import DriverName, Endpoint, Environment, Project
from tests.conftest import http

pytestmark = pytest.mark.embedded("its launcher")

FOREIGN = {"Origin": "https://evil.example"}
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
API = "/_aws/execute-api/0123abcd/prod/orders"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """An emulator as the driver starts it."""
    root = tmp_path_factory.mktemp("guarded")
    one = Environment(name="one", driver=DriverName.EMBEDDED, account_id="100000000001", region="eu-west-1")
    project = Project(file=root / "multistack.toml", service="s", template=root / "template.yaml", environments=(one,))
    driver = EmbeddedDriver(project, path="/usr/bin:/bin")
    try:
        started = driver.start(one)
        wait_until_healthy(started, timeout=60)
        yield started
    finally:
        driver.stop(one)


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        pytest.param("OPTIONS", "/", FOREIGN | PREFLIGHT, id="preflight"),
        pytest.param("POST", "/_ministack/reset", FOREIGN, id="reset"),
        pytest.param("POST", "/?Action=CreateQueue&QueueName=evil", FOREIGN, id="form"),
        pytest.param("GET", "/?Action=CreateQueue&QueueName=evil", {"Sec-Fetch-Site": "cross-site"}, id="image"),
        pytest.param("GET", "/_localstack/health", {"Host": "evil.example:4600"}, id="rebinding"),
        pytest.param("GET", API, {"Host": "evil.example"}, id="rebinding to an API"),
    ],
)
def test_a_foreign_page_is_refused(endpoint: Endpoint, method: str, path: str, headers: dict[str, str]) -> None:
    """It can't even read the refusal, and nothing it asked for happened."""
    client(endpoint, "ssm").put_parameter(Name="kept", Value="1", Type="String", Overwrite=True)
    answer = http(method, endpoint.url + path, headers=headers)
    assert answer.status == 403
    assert list(answer.json()) == ["message"]
    assert not {name.lower() for name in answer.headers} & {"access-control-allow-origin"}
    assert client(endpoint, "ssm").get_parameter(Name="kept")["Parameter"]["Value"] == "1"
    assert client(endpoint, "sqs").list_queues().get("QueueUrls", []) == []


def test_a_page_of_this_machine_is_served(endpoint: Endpoint) -> None:
    """A front end under development may use its services."""
    for headers in ({}, {"Origin": "http://localhost:3000"}, {"Host": "localhost:1", "Origin": "http://127.0.0.1"}):
        assert http("GET", f"{endpoint.url}/_localstack/health", headers=headers).status == 200


def test_an_api_decides_itself_which_pages_may_call(endpoint: Endpoint) -> None:
    """An API that is not there is the emulator's own 404, from wherever it was asked for."""
    answer = http("GET", endpoint.url + API, headers=FOREIGN)
    assert answer.status in (403, 404)
    assert b"may not call this emulator" not in answer.body


def test_buckets_are_reached_as_tools_address_them(endpoint: Endpoint, tmp_path: Path) -> None:
    """boto3 names a bucket in the path for an IP address, and in the host for a name."""
    s3 = client(endpoint, "s3")
    s3.create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="my-bucket", Key="key", Body=b"content")
    assert s3.get_object(Bucket="my-bucket", Key="key")["Body"].read() == b"content"
    for host in ("my-bucket.localhost", "my-bucket.127.0.0.1"):
        assert http("GET", f"{endpoint.url}/key", headers={"Host": host}).status != 403
