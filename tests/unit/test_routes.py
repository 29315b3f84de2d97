"""The proxy's routing table."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.model import Api, ProcessId, Route
from emulator.routes import load_routes, publish_routes

UP = Route(
    environment="test",
    account_id="111111111111",
    region="eu-west-1",
    driver="embedded",
    url="http://127.0.0.1:4600",
    process=ProcessId(pid=7, started=1.5),
    release="0d2c",
    digest="ab" * 32,
    apis=(Api(logical_id="Api", path="/_aws/execute-api/a/live", stage="live"),),
    default_api="Api",
)
STOPPED = Route(
    environment="prod",
    account_id="333333333333",
    region="eu-west-1",
    driver="embedded",
    url=None,
    process=None,
    release=None,
    digest=None,
    apis=(),
    default_api=None,
)


def test_what_is_published_is_what_is_loaded(tmp_path: Path) -> None:
    """Nothing is lost, and the order of promotion is kept."""
    publish_routes(tmp_path / "routes.json", [UP, STOPPED])
    assert list(load_routes(tmp_path / "routes.json").items()) == [("test", UP), ("prod", STOPPED)]


def test_a_table_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """What is not in the new table is gone, and no half-written file stays behind."""
    publish_routes(tmp_path / "routes.json", [UP, STOPPED])
    publish_routes(tmp_path / "routes.json", [STOPPED])
    assert load_routes(tmp_path / "routes.json") == {"prod": STOPPED}
    assert [path.name for path in tmp_path.iterdir()] == ["routes.json"]


def test_nothing_published_is_told_from_an_empty_table(tmp_path: Path) -> None:
    """The proxy answers differently to the two."""
    with pytest.raises(FileNotFoundError):
        load_routes(tmp_path / "routes.json")
    publish_routes(tmp_path / "routes.json", [])
    assert load_routes(tmp_path / "routes.json") == {}
