"""The embedded emulator in a container of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator.drivers import control
from emulator.endpoint import client, wait_until_healthy
from emulator.images.recipe import embedded_image
from emulator.model import Endpoint
from tests.contract import invoke
from tests.docker.engines import build_embedded

KEY = "k3y"
MOST_BYTES = 150_000_000
# Tries what an emulator's container must not be able to do, and asks the emulator by what it hands out.
LOOKS_AROUND = """
import json, os
import boto3

def handler(event, context):
    def may_write(path):
        try:
            open(path, "w").close()
        except OSError:
            return False
        return True

    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="hello")
    return {
        "user": str(os.getuid()),
        "writes": " ".join(path for path in ("/x", "/opt/x", "/tmp/x") if may_write(path)),
        "heard": sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"],
        "key": " ".join(name for name, value in os.environ.items() if value == "k3y"),
    }
"""


@pytest.fixture(scope="module")
def image(engine: Any) -> Any:
    """As the source has it."""
    build_embedded()
    return engine.images.get(embedded_image())


@pytest.fixture(scope="module")
def volume(engine: Any) -> Iterator[str]:
    """For the state."""
    made = engine.volumes.create(f"multistack-test-{uuid.uuid4().hex[:8]}")
    yield made.name
    made.remove(force=True)


@pytest.fixture
def container(engine: Any, image: Any, volume: str) -> Iterator[Any]:
    """Run as little trusted as it can be."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    made = engine.containers.run(
        image.id,
        detach=True,
        init=True,
        read_only=True,
        cap_drop=["ALL"],
        tmpfs={"/tmp": ""},
        volumes={volume: {"bind": "/var/lib/multistack", "mode": "rw"}},
        environment={"MULTISTACK_ACCOUNT_ID": "100000000001", "MULTISTACK_REGION": "eu-west-1", "MULTISTACK_KEY": KEY},
        ports={"4566/tcp": ("127.0.0.1", port)},
    )
    made.reload()
    yield made
    made.remove(force=True)


def endpoint_of(container: Any, key: str = KEY) -> Endpoint:
    """Where it answers, healthy."""
    container.reload()
    port = container.attrs["NetworkSettings"]["Ports"]["4566/tcp"][0]["HostPort"]
    found = Endpoint(
        environment="test", url=f"http://127.0.0.1:{port}", account_id="100000000001", region="eu-west-1", key=key
    )
    wait_until_healthy(found, timeout=60)
    return found


def test_the_image_is_small(image: Any) -> None:
    """Thirty learners' hosts have to get it."""
    assert image.attrs["Size"] < MOST_BYTES


def test_functions_run_where_nothing_can_be_written(container: Any) -> None:
    """Not as root, on a read-only root; by loopback they need no key and see none."""
    told = invoke(endpoint_of(container), LOOKS_AROUND)
    assert told == {"user": "1000", "writes": "/tmp/x", "heard": "hello", "key": ""}


def test_only_who_has_the_key_comes_in(container: Any) -> None:
    """Not even to what everybody on a developer's own machine may know."""
    endpoint = endpoint_of(container)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{endpoint.url}/_multistack/state", timeout=10)
    stranger = endpoint_of(container, key="guessed")
    with pytest.raises(ClientError, match="X-Multistack-Key"):
        client(stranger, "ssm").describe_parameters()
    assert control.condition(endpoint, timeout=10) == control.Condition()
    control.ask(endpoint, Path("/nonexistent"), "checkpoint", {}, timeout=30)
    with urllib.request.urlopen(f"{endpoint.url}/_localstack/health", timeout=10) as answer:
        assert "s3" in json.load(answer)["services"]


def test_a_stop_in_good_order_keeps_what_was_written(container: Any) -> None:
    """SIGTERM is answered with a last checkpoint; the same volume brings it back."""
    endpoint = endpoint_of(container)
    client(endpoint, "ssm").put_parameter(Name="kept", Value="1", Type="String")
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0
    container.start()
    again = client(endpoint_of(container), "ssm")
    assert again.get_parameter(Name="kept")["Parameter"]["Value"] == "1"


def test_the_engine_hears_that_it_is_well(container: Any) -> None:
    """By the image's own check."""
    deadline = time.monotonic() + 60
    while (state := _health(container)) != "healthy" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert state == "healthy"


def _health(container: Any) -> str:
    container.reload()
    return str(container.attrs["State"]["Health"]["Status"])


def test_two_never_share_a_state(engine: Any, image: Any, container: Any, volume: str) -> None:
    """The second says so and ends: both would write over each other."""
    endpoint_of(container)
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", f"--volume={volume}:/var/lib/multistack", image.id],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, "error: another emulator has its state in /var/lib/multistack\n")


def test_a_wrong_variable_ends_it_with_a_reason(image: Any) -> None:
    """In one line, as a command does."""
    done = subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--env=MULTISTACK_ACCOUNT_ID=12", image.id],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "error: MULTISTACK_ACCOUNT_ID: '12' is no account id: 12 digits\n")
