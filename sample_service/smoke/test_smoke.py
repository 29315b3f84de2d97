"""
What must hold in any environment right after a deployment.

Run with ``MULTISTACK_URL=http://127.0.0.1:8080/test pytest smoke``. It leaves nothing behind.
"""

# ruff: noqa: S101, S310 - tests assert, and the URL is the tester's own

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

IDENTITY = ("X-Environment", "X-Release", "X-Digest", "X-Config-Hash")
PATIENCE = 20.0  # seconds for the worker to see a new order


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


@pytest.fixture(scope="session")
def url() -> str:
    found = os.environ.get("MULTISTACK_URL")
    if not found:
        pytest.fail("MULTISTACK_URL is not set: give the environment's URL, e.g. http://127.0.0.1:8080/test")
    return found.rstrip("/")


@pytest.fixture
def order(url: str) -> Iterator[Answer]:
    created = call("POST", f"{url}/orders", {"id": f"smoke-{uuid.uuid4()}", "item": "tea", "qty": 3, "price": 19.99})
    yield created
    if created.status == 201:
        call("DELETE", f"{url}/orders/{created.body['id']}")


def call(method: str, url: str, body: object = None) -> Answer:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=content)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return read(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return read(error.code, error.headers, error.read())


def read(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    try:
        return Answer(status, headers, json.loads(content) if content else None)
    except ValueError:
        return Answer(status, headers, content.decode(errors="replace"))


def test_service_is_healthy(url):
    """The API reaches its function."""
    answer = call("GET", f"{url}/health")
    assert (answer.status, answer.body) == (200, {"status": "ok"})


def test_answer_says_which_deployment_gave_it(url):
    """The headers and /config agree about environment, release, digest and config hash."""
    answer = call("GET", f"{url}/config")
    assert answer.status == 200, answer
    keys = ("environment", "release", "digest", "config_hash")
    assert [answer.headers[name] for name in IDENTITY] == [answer.body[key] for key in keys]


def test_secret_is_redacted(url):
    """Whoever reads the config never reads the secret."""
    assert set(call("GET", f"{url}/config").body["secrets"].values()) == {"********"}


def test_total_follows_from_the_config(url, order):
    """An order costs quantity times price, less the discount while its flag is on."""
    assert order.status == 201, order
    config = call("GET", f"{url}/config").body["config"]
    percent = Decimal(str(config["DiscountPercent"])) if config["DiscountEnabled"] else Decimal(0)
    expected = (3 * Decimal("19.99") * (100 - percent) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert Decimal(str(order.body["total"])) == expected


def test_order_is_kept_and_processed(url, order):
    """An order can be read back, and the worker sees to it."""
    assert order.status == 201, order
    link = f"{url}/orders/{order.body['id']}"
    deadline = time.monotonic() + PATIENCE
    while (answer := call("GET", link)).body != order.body | {"status": "processed"}:
        assert answer.status == 200, answer
        assert time.monotonic() < deadline, f"not processed within {PATIENCE} s: {answer.body}"
        time.sleep(0.1)


def test_order_can_be_deleted(url, order):
    """A deleted order is gone."""
    assert order.status == 201, order
    link = f"{url}/orders/{order.body['id']}"
    assert call("DELETE", link).status == 204
    assert call("GET", link).status == 404


def test_wrong_order_is_refused(url):
    """A caller's mistake is named, and says which deployment refused it."""
    answer = call("POST", f"{url}/orders", {"item": "tea", "qty": 0, "price": 1})
    assert (answer.status, answer.body["field"]) == (400, "qty")
    assert all(answer.headers[name] for name in IDENTITY)
