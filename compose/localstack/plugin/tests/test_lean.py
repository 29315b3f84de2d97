"""Savings that must not change an answer."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from multistack_localstack.baking.descriptions import shrink, without_texts
from multistack_localstack.lean.late import standing_in
from multistack_localstack.lean.metrics import PendingMetrics, lambda_recorders, sqs_recorders
from multistack_localstack.lean.model_files import SharedFiles
from multistack_localstack.lean.routes import compile_builders_late


def test_files_are_parsed_once(tmp_path: Path) -> None:
    """Whoever asks for a description gets the same one; one that isn't there is None."""
    (tmp_path / "a.json").write_text('{"x": [1]}')
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b'{"y": 2}'))
    files = SharedFiles()
    assert files.load(str(tmp_path / "a")) == {"x": [1]}
    assert files.load(str(tmp_path / "a")) is files.load(str(tmp_path / "a"))
    assert files.load(str(tmp_path / "b")) == {"y": 2}
    assert files.load(str(tmp_path / "c")) is None


def test_descriptions_lose_texts_and_nothing_else(tmp_path: Path) -> None:
    """A field that is called documentation stays; so does what botocore insists on."""
    described = {
        "documentation": "text",
        "clientContextParams": {"A": {"documentation": "needed", "type": "boolean"}},
        "operations": {"Get": {"name": "Get", "documentation": "text", "documentationUrl": "there"}},
        "shapes": {
            "documentation": {"type": "string", "documentation": "text"},
            "S": {"type": "structure", "members": {"documentation": {"shape": "documentation", "documentation": "t"}}},
        },
    }
    expected = {
        "clientContextParams": {"A": {"documentation": "needed", "type": "boolean"}},
        "operations": {"Get": {"name": "Get"}},
        "shapes": {
            "documentation": {"type": "string"},
            "S": {"type": "structure", "members": {"documentation": {"shape": "documentation"}}},
        },
    }
    assert without_texts(described) == expected
    folder = tmp_path / "x" / "2020-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json.gz").write_bytes(gzip.compress(json.dumps(described).encode()))
    (folder / "examples-1.json").write_text("{}")
    shrink(tmp_path)
    assert json.loads(gzip.decompress((folder / "service-2.json.gz").read_bytes())) == expected
    assert [path.name for path in folder.iterdir()] == ["service-2.json.gz"]


class Sent:
    """What reached CloudWatch."""

    def __init__(self) -> None:
        self.data: list[tuple[str, str, str, list[Mapping[str, Any]]]] = []

    def __call__(self, account_id: str, region: str, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        """Take some."""
        self.data.append((account_id, region, namespace, list(data)))


def test_routes_match_and_build_as_before() -> None:
    """A route whose builder is compiled late finds its endpoint, and builds the same URL."""
    from werkzeug.routing import Map, Rule

    def answers() -> list[object]:
        adapter = Map([Rule("/a/<int:n>/<path:rest>", endpoint="x"), Rule("/b", endpoint="y")]).bind("host")
        return [
            adapter.match("/a/7/b/c"),
            adapter.match("/b"),
            adapter.build("x", {"n": 7, "rest": "b/ü", "q": "1"}),
            adapter.build("y", {"q": ["1", "2"]}),
        ]

    before = answers()
    compile_builders_late()
    assert answers() == before


def test_late_module_is_imported_when_used() -> None:
    """What is loaded with a stand-in gets the real thing on first use, and later importers get it at once."""
    sys.modules.pop("colorsys", None)
    with standing_in({"colorsys": ["rgb_to_hsv", "ONE_THIRD"], "json": ["dumps"]}):
        from colorsys import rgb_to_hsv
        from json import dumps
    assert "colorsys" not in sys.modules
    assert dumps is json.dumps
    assert rgb_to_hsv(0.5, 0.5, 0.5) == (0.0, 0.0, 0.5)
    assert sys.modules["colorsys"].rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)


def test_metrics_wait_until_somebody_asks() -> None:
    """Nothing is sent before a flush, and nothing twice; the sums are those of all calls, at the time of the first."""
    sent = Sent()
    now = datetime(2026, 1, 1, 10, 0, 30, tzinfo=UTC)
    pending = PendingMetrics(sent, now=lambda: now)
    recorders = lambda_recorders(pending)
    recorders["record_cw_metric_invocation"](function_name="f", account_id="1", region_name="r")
    recorders["record_cw_metric_error"](function_name="f", account_id="1", region_name="r")
    assert sent.data == []
    pending.flush()
    pending.flush()
    [(account_id, region, namespace, data)] = sent.data
    assert (account_id, region, namespace) == ("1", "r", "AWS/Lambda")
    sums = {datum["MetricName"]: datum["StatisticValues"]["Sum"] for datum in data}
    assert sums == {"Invocations": 2.0, "Errors": 1.0}
    assert {datum["Timestamp"] for datum in data} == {now}


def test_metrics_of_queues_keep_value_and_unit() -> None:
    """A batch of a queue's metrics arrives as it was given."""
    sent = Sent()
    pending = PendingMetrics(sent, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    recorders = sqs_recorders(pending)
    recorders["publish_sqs_metric"](account_id="1", region="r", queue_name="q", metric="M", value=7, unit="Bytes")
    recorders["publish_sqs_metric_batch"](
        account_id="1", region="r", sqs_metric_batch_data=[{"QueueName": "q", "MetricName": "N", "Value": 0}]
    )
    pending.flush()
    [(_, _, namespace, data)] = sent.data
    assert namespace == "AWS/SQS"
    found = {datum["MetricName"]: (datum["StatisticValues"]["Sum"], datum["Unit"]) for datum in data}
    assert found == {"M": (7.0, "Bytes"), "N": (0.0, "Count")}
