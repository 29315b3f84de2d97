"""AWS calls of tests: to their environment whatever the variables say, and nowhere else."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from emulator.testing.aws import Aws, Place
from emulator.testing.guard import ForeignAwsCall, Guard

ENVIRONMENT = "http://127.0.0.1:4600"
KEYS = {"aws_access_key_id": "1", "aws_secret_access_key": "2", "region_name": "eu-west-1"}


@pytest.fixture
def guard() -> Iterator[Guard]:
    """A guard that lets calls to one environment through."""
    guard = Guard(lambda: [ENVIRONMENT])
    with guard.watching():
        yield guard


class Emulator(http.server.BaseHTTPRequestHandler):
    """Answers every request with the list of no queues."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    """Where something answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Emulator) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def place(url: str = ENVIRONMENT) -> Place:
    """An environment at *url*."""
    return Place(endpoint_url=url, account_id="111111111111", region="eu-west-1")


def test_call_to_aws_is_refused_in_one_line(guard: Guard) -> None:
    """It names where the call went, without its query, and is noted also when the code catches it."""
    with pytest.raises(ForeignAwsCall, match="AWS call left the environments"):
        boto3.client("s3", **KEYS).list_buckets()
    assert guard.refused == ["AWS call left the environments: GET https://s3.eu-west-1.amazonaws.com/"]


def test_client_that_was_made_before_is_refused_too() -> None:
    """Code under test makes its clients when it is imported."""
    client = boto3.client("sqs", **KEYS, config=Config(retries={"max_attempts": 0}))
    with Guard(lambda: [ENVIRONMENT]).watching(), pytest.raises(ForeignAwsCall):
        client.list_queues()


def test_search_for_credentials_is_refused(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine's own role is no way out either."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_EC2_METADATA_DISABLED", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/role")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    with pytest.raises(ForeignAwsCall, match=r"127\.0\.0\.1:1/role"):
        boto3.Session(region_name="eu-west-1").client("sqs", endpoint_url=ENVIRONMENT).list_queues()


def test_stubbed_calls_stay(guard: Guard) -> None:
    """What never leaves the process is no call to anywhere."""
    client = boto3.client("sqs", **KEYS)
    with Stubber(client) as stub:
        stub.add_response("list_queues", {"QueueUrls": ["here"]})
        assert client.list_queues()["QueueUrls"] == ["here"]
    assert guard.refused == []


def test_allowed_hosts_are_let_through(emulator: str) -> None:
    """A local emulator of one service is nothing to be afraid of, when somebody says so."""
    guard = Guard(lambda: [], ["127.0.0.1:*"])
    with guard.watching():
        assert "QueueUrls" not in boto3.client("sqs", endpoint_url=emulator, **KEYS).list_queues()


def test_nothing_is_refused_afterwards(emulator: str) -> None:
    """Tests that use no environments are none of ours."""
    with Guard(lambda: []).watching():
        pass
    boto3.client("sqs", endpoint_url=emulator, **KEYS).list_queues()


def test_session_leads_to_its_environment_whatever_the_variables_say(
    emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that is not there, another endpoint, a proxy: a test before may have left them."""
    for name, value in {
        "AWS_PROFILE": "missing",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "live",
        "AWS_REGION": "us-gov-west-1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    aws = Aws(lambda: place(emulator))
    aws.client("sqs").list_queues()
    assert aws.session.client("sqs").meta.endpoint_url == emulator
    assert aws.resource("sqs").meta.client.meta.endpoint_url == emulator
    credentials = aws.session.get_credentials()
    assert (credentials.access_key, aws.session.region_name) == ("111111111111", "eu-west-1")


def test_clients_are_made_once() -> None:
    """A client costs as much as many a test."""
    aws = Aws(place)
    assert aws.client("sqs") is Aws(place).client("sqs")
    assert aws.client("sqs", region_name="us-east-1") is not aws.client("sqs")
