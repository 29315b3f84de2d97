"""The proxy's routing table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emulator.model import Api, Instance, ProcessId, Route, Status
from emulator.routes import kept_routes, load_routes, publish_routes

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


@pytest.mark.parametrize(
    ("driver", "instance", "url"),
    [
        pytest.param("swarm", Instance(environment="test", status=Status.STARTING), UP.url, id="on its way"),
        pytest.param("swarm", Instance(environment="test", status=Status.UNHEALTHY), UP.url, id="nowhere yet"),
        pytest.param(
            "kubernetes",
            Instance(environment="test", status=Status.STOPPED, is_unknown=True),
            UP.url,
            id="its cluster can't be asked",
        ),
        pytest.param("swarm", Instance(environment="test", status=Status.STOPPED), None, id="stopped"),
        pytest.param(
            "embedded", Instance(environment="test", status=Status.STOPPED, is_unknown=True), None, id="of no cluster"
        ),
    ],
)
def test_what_nobody_can_tell_of_a_cluster_leads_where_it_did(
    tmp_path: Path, driver: str, instance: Instance, url: str | None
) -> None:
    """A command while the manager restarts must not cut off what goes on serving."""
    path = tmp_path / "routes.json"
    before = replace(UP, driver=driver, process=None, key="k")
    publish_routes(path, [before])
    (kept,) = kept_routes(path, [replace(before, url=None, key="")], {"test": instance})
    assert (kept.url, bool(kept.key)) == (url, url is not None)


def test_a_new_address_of_what_a_cluster_moved_counts(tmp_path: Path) -> None:
    """Only what is missing is kept; a broken table keeps nothing."""
    path = tmp_path / "routes.json"
    moved = replace(UP, driver="swarm", process=None, url="http://192.0.2.7:4600")
    instances = {"test": Instance(environment="test", status=Status.READY)}
    publish_routes(path, [replace(moved, url=UP.url)])
    assert kept_routes(path, [moved], instances) == [moved]
    path.write_text("{")
    assert kept_routes(path, [replace(moved, url=None)], instances) == [replace(moved, url=None)]
