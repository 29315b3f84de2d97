"""Copies of a function that are kept warm."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from multistack_localstack.cloudformation.resources.provisioning import PROVISIONED, is_warming, provision

_WANTED = {PROVISIONED: {"ProvisionedConcurrentExecutions": "2"}}


class Lambda:
    """A service that notes what it is asked."""

    def __init__(self, status: str = "READY") -> None:
        self.status = status
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def answer(**given: Any) -> dict[str, str]:
            self.asked.append((operation.removesuffix("_provisioned_concurrency_config"), given))
            return {"Status": self.status}

        return answer


def request(service: Lambda, *, before: dict[str, Any], after: dict[str, Any]) -> Any:
    """A request for a resource of function *f*."""
    return SimpleNamespace(
        desired_state={"FunctionName": "f", **after},
        previous_state=before,
        aws_client_factory=SimpleNamespace(lambda_=service),
    )


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        pytest.param(
            {},
            _WANTED,
            [("put", {"FunctionName": "f", "Qualifier": "live", "ProvisionedConcurrentExecutions": 2})],
            id="wanted",
        ),
        pytest.param(_WANTED, {}, [("delete", {"FunctionName": "f", "Qualifier": "live"})], id="no longer"),
        pytest.param({}, {}, [], id="never"),
    ],
)
def test_copies_are_as_the_template_says(before: dict[str, Any], after: dict[str, Any], asked: list[Any]) -> None:
    """Of a version or an alias alike: asked for, taken back, or left alone."""
    service = Lambda()
    provision(request(service, before=before, after=after), "live")
    assert service.asked == asked


@pytest.mark.parametrize(("status", "warming"), [("IN_PROGRESS", True), ("READY", False), ("FAILED", False)])
def test_resource_is_done_when_they_are_warm(status: str, *, warming: bool) -> None:
    """What failed is not waited for."""
    assert is_warming(request(Lambda(status), before={}, after=_WANTED), "1") is warming


def test_nothing_is_asked_where_none_are_wanted() -> None:
    """A version without any is done at once."""
    service = Lambda("IN_PROGRESS")
    assert not is_warming(request(service, before={}, after={}), "1")
    assert service.asked == []
