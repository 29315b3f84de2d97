"""Record, replay and the gate, on the sample service: what a team runs before it promotes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ProjectFolder, copy_sample, http

ORDER = {"id": "tea-0001", "item": "tea", "qty": 2, "price": 10}
# What is another one with each release, by the sample's own design; and what depends on when the worker comes.
EXPECTED = "".join(
    f'[[compare.expected]]\nheader = "{name}"\nreason = "names the deployment"\n'
    for name in ("X-Environment", "X-Release", "X-Digest", "X-Config-Hash")
)
EXPECTED += '[[compare.expected]]\njson_path = "$.status"\nregex = "placed|processed"\nreason = "a worker marks it"\n'


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The sample in test and staging, with a corpus of one order's life."""
    root = tmp_path_factory.mktemp("replay")
    (root / "home").mkdir()
    project = ProjectFolder(copy_sample(root / "project"), root / "home")
    file = project.folder / "multistack.toml"
    file.write_text(file.read_text() + EXPECTED)
    project.run("up", "test", "staging")
    project.run("record", "start", "orders")
    live_an_order(project.url("test"))
    project.run("record", "stop", "orders")
    yield project
    project.run("down")
    assert project.processes() == []


@pytest.fixture
def service(origin: ProjectFolder) -> Iterator[ProjectFolder]:
    """Its files as they were, whatever a test does to them."""
    paths = [*origin.folder.glob("*.toml"), *(origin.folder / "src").glob("*.py"), *corpora(origin).glob("*.jsonl")]
    files = {path: path.read_bytes() for path in paths}
    yield origin
    for path in corpora(origin).glob("*.jsonl"):
        path.unlink()
    for path, content in files.items():
        path.write_bytes(content)


def corpora(project: ProjectFolder) -> Path:
    """Where they are kept."""
    return project.folder / "corpora"


def live_an_order(url: str) -> None:
    """Placed, read and deleted, so that it can live again."""
    assert http("POST", f"{url}orders", ORDER).status == 201
    assert http("GET", f"{url}orders/tea-0001").status == 200
    assert http("GET", f"{url}orders/none").status == 404
    assert http("DELETE", f"{url}orders/tea-0001").status == 204


def replay(project: ProjectFolder, *args: str, code: int = 0) -> Any:
    """What ``replay --json`` finds."""
    done = project.run("replay", "orders", *args, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def differences(found: Any) -> dict[str, list[str]]:
    """Where each request's answer differs."""
    return {
        f"{one['method']} {one['target']}": [each["where"] for each in one["differences"]]
        for one in found["requests"]
        if one["verdict"] == "different"
    }


def edit(project: ProjectFolder, name: str, before: str, after: str) -> None:
    """Change a file of the project."""
    path = project.folder / name
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_the_same_release_is_answered_as_it_was_recorded(service: ProjectFolder) -> None:
    """The worker may or may not have seen an order when it is read: that is no difference."""
    found = replay(service, "--against", "test", "--writes", "--fail-on-diff")
    assert found["counts"]["equal"] == 4
    assert found["is_equal"] is True


def test_v5_is_caught(service: ProjectFolder) -> None:
    """It renames a field: who reads it breaks, and nothing declares that as meant."""
    edit(
        service,
        "src/orders.py",
        "    qty: int\n    price: Decimal\n    total",
        "    quantity: int\n    price: Decimal\n    total",
    )
    edit(service, "src/orders.py", "str(order.qty)", "str(order.quantity)")
    edit(service, "src/orders.py", 'qty=int(item["qty"]["N"])', 'quantity=int(item["qty"]["N"])')
    edit(service, "src/app.py", "qty=draft.qty,", "quantity=draft.qty,")
    service.run("deploy", "test")
    found = replay(service, "--against", "test", "--writes", "--fail-on-diff", code=7)
    renamed = ["$.qty", "$.quantity"]
    assert differences(found) == {"POST /orders": renamed, "GET /orders/tea-0001": renamed}


def test_v2_passes_with_its_declared_difference(service: ProjectFolder) -> None:
    """It takes another discount; without the declaration that is a difference as any other."""
    edit(
        service,
        "src/orders.py",
        "draft.qty * draft.price * factor",
        "draft.qty * draft.price * factor * Decimal('0.9')",
    )
    service.run("deploy", "test")
    run = ("--against", "test", "--writes", "--fail-on-diff")
    totals = {"POST /orders": ["$.total"], "GET /orders/tea-0001": ["$.total"]}
    assert differences(replay(service, *run, code=7)) == totals
    declaration = '[[compare.expected]]\njson_path = "$.total"\nreason = "v2 adds a discount"\n'
    file = service.folder / "multistack.toml"
    file.write_text(file.read_text() + declaration)
    found = replay(service, *run)
    assert found["is_equal"] is True
    assert "json_path $.total" not in found["unused"]
    assert "expected: v2 adds a discount" in service.run("replay", "orders", *run).stdout
