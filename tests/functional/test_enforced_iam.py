"""The sample service in an environment that enforces IAM: least privilege is enough, and less is too little."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from emulator.endpoint import client
from emulator.model import Endpoint
from tests.conftest import ProjectFolder, http

pytestmark = pytest.mark.embedded("no other enforces IAM")

_ORDER = {"item": "lamp", "qty": 2, "price": 10}


@pytest.fixture
def enforcing(project: ProjectFolder) -> ProjectFolder:
    """The sample service, up in an environment that enforces IAM."""
    file = project.folder / "multistack.toml"
    file.write_text(file.read_text().replace("[environments.test]", "[environments.test]\nenforce_iam = true"))
    project.run("up", "test")
    return project


def _within(seconds: float, is_true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := is_true()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_the_sample_service_works_with_iam_enforced(enforcing: ProjectFolder) -> None:
    """Its roles allow what it does: an order is placed, and the worker takes it from the queue."""
    url = enforcing.url("test")
    assert http("GET", f"{url}config").status == 200
    made = http("POST", f"{url}orders", _ORDER)
    assert made.status == 201
    order = f"{url}orders/{made.json()['id']}"
    assert _within(20, lambda: http("GET", order).json()["status"] == "processed")
    assert http("DELETE", order).status == 204


def test_a_role_that_loses_an_action_breaks_the_service(enforcing: ProjectFolder) -> None:
    """Taking PutItem from the function's role is felt at the next order, and giving it back mends it."""
    row = enforcing.status()["test"]
    endpoint = Endpoint(environment="test", url=row["endpoint"], account_id=row["account_id"], region=row["region"])
    functions = client(endpoint, "lambda").list_functions()["Functions"]
    role = next(found["Role"] for found in functions if "ApiFunction" in found["FunctionName"]).rpartition("/")[2]
    iam = client(endpoint, "iam")
    deny = {"Effect": "Deny", "Action": "dynamodb:PutItem", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="tightened", PolicyDocument=document)
    assert http("POST", f"{row['url']}orders", _ORDER).status >= 500
    assert http("GET", f"{row['url']}orders").json()["orders"] == []
    iam.delete_role_policy(RoleName=role, PolicyName="tightened")
    assert http("POST", f"{row['url']}orders", _ORDER).status == 201
