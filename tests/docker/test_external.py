"""Environments in a container that testcontainers started, as its users have it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from emulator.endpoint import client
from emulator.model import Endpoint
from emulator.stack import describe
from tests.conftest import ProjectFolder, http

ACCOUNTS = {"test": "111111111111", "staging": "222222222222", "prod": "333333333333"}


@pytest.fixture(scope="session")
def url(own_image: str) -> Iterator[str]:
    """Where the container answers: at its own address in a network of Docker."""
    from testcontainers.community.localstack import LocalStackContainer
    from testcontainers.core.config import testcontainers_config

    # Its watcher is an image of its own, which only a registry has.
    testcontainers_config.ryuk_disabled = True
    container = LocalStackContainer(image=own_image, region_name="eu-west-1")
    with closing(container.get_docker_client().client.api):
        with warnings.catch_warnings():  # its own module waits in a way that it calls deprecated
            warnings.simplefilter("ignore", DeprecationWarning)
            container.start()
        try:
            yield container.get_url()
        finally:
            container.stop()


@pytest.fixture
def external(project: ProjectFolder, url: str) -> ProjectFolder:
    """All environments of the sample service in one emulator, each in its account."""
    variables = {}
    for name in ACCOUNTS:
        own = f"MULTISTACK_ENVIRONMENT_{name.upper()}"
        variables |= {f"{own}_DRIVER": "external", f"{own}_ENDPOINT": url}
    return replace(project, environ=variables)


def test_a_container_of_testcontainers_holds_all_environments(external: ProjectFolder, url: str) -> None:
    """Deployed, served by the proxy, reset and left running, each environment apart from the others."""
    external.run("up", timeout=240)
    proxy = external.status()["test"]["url"].removesuffix("/test/")
    found = [http("GET", f"{proxy}/{name}/config").json() for name in ACCOUNTS]
    assert [one["environment"] for one in found] == list(ACCOUNTS)
    assert len({one["digest"] for one in found}) == 1
    order = {"item": "book", "qty": 1, "price": 10}
    placed = http("POST", f"{proxy}/test/orders", order, headers={"Content-Type": "application/json"})
    assert placed.status == 201, placed.body
    assert [len(http("GET", f"{proxy}/{name}/orders").json()["orders"]) for name in ACCOUNTS] == [1, 0, 0]

    bucket = "somebody-elses"
    theirs = client(Endpoint(environment="x", url=url, account_id="999999999999", region="us-east-1"), "s3")
    theirs.create_bucket(Bucket=bucket)
    external.run("reset", "test", timeout=240)
    assert http("GET", f"{proxy}/test/orders").json()["orders"] == []
    assert bucket in [one["Name"] for one in theirs.list_buckets()["Buckets"]]

    assert f"keeps running {url}" in external.run("down").stderr
    for name, account in ACCOUNTS.items():
        endpoint = Endpoint(environment=name, url=url, account_id=account, region="eu-west-1")
        assert describe(endpoint, f"orders-{name}") is not None


def test_functions_log_and_tools_reach_it(external: ProjectFolder) -> None:
    """The emulator's own log is its owner's, so only functions are heard."""
    external.run("up", "prod", timeout=240)
    http("GET", external.url("prod", "config"))
    sources = {json.loads(line)["source"] for line in external.run("logs", "--json", "prod").stdout.splitlines()}
    assert "ApiFunction" in sources
    assert "emulator" not in sources
    who = json.loads(external.run("exec", "prod", "--", "aws", "sts", "get-caller-identity").stdout)
    assert who["Account"] == ACCOUNTS["prod"]
