"""What a canary is in a template, and what its functions' logs say of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from emulator.canary.canaries import read_share
from emulator.canary.counts import Calls, count
from emulator.canary.templates import beside, unaliased, versions_of
from emulator.errors import ConfigError


def template(version: str) -> dict[str, Any]:
    """A function with an alias as SAM makes it, and one without."""
    return {
        "Resources": {
            "Web": {"Type": "AWS::Lambda::Function", "Properties": {"Code": version}},
            f"WebVersion{version}": {
                "Type": "AWS::Lambda::Version",
                "DeletionPolicy": "Retain",
                "Properties": {"FunctionName": {"Ref": "Web"}},
            },
            "WebAliaslive": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "Name": "live",
                    "FunctionName": {"Ref": "Web"},
                    "FunctionVersion": {"Fn::GetAtt": [f"WebVersion{version}", "Version"]},
                },
            },
            "Worker": {"Type": "AWS::Lambda::Function", "Properties": {}},
        }
    }


def test_both_versions_and_their_shares_stand_in_the_template() -> None:
    """What CloudFormation knows is what serves, so nothing drifts; the templates given stay as they are."""
    new, old = template("b"), template("a")
    before = copy.deepcopy((new, old))
    made = beside(new, old, weight=0.1, shown="template.yaml")
    resources = made["Resources"]
    assert resources["WebAliaslive"]["Properties"] == {
        "Name": "live",
        "FunctionName": {"Ref": "Web"},
        "FunctionVersion": {"Fn::GetAtt": ["WebVersiona", "Version"]},
        "RoutingConfig": {
            "AdditionalVersionWeights": [
                {"FunctionVersion": {"Fn::GetAtt": ["WebVersionb", "Version"]}, "FunctionWeight": 0.1}
            ]
        },
    }
    assert resources["WebVersiona"] == old["Resources"]["WebVersiona"]
    assert resources["Web"] == new["Resources"]["Web"]
    assert (new, old) == before


def test_the_version_that_serves_is_the_first_one_of_its_alias() -> None:
    """Also while a canary runs."""
    made = beside(template("b"), template("a"), weight=0.1, shown="template.yaml")
    assert versions_of(made) == {"WebAliaslive": "WebVersiona"}
    assert unaliased(made) == ["Worker"]


@pytest.mark.parametrize(
    ("new", "old", "message"),
    [
        pytest.param({"Resources": {}}, template("a"), "no function with an alias live", id="no alias"),
        pytest.param(template("b"), {"Resources": {}}, "what is deployed has no alias live of Web", id="none before"),
        pytest.param(template("a"), template("a"), "would publish no version of Web", id="same version"),
    ],
)
def test_what_can_not_share_calls_is_refused(new: Any, old: Any, message: str) -> None:
    """With what to add to the template."""
    with pytest.raises(ConfigError, match=message) as caught:
        beside(new, old, weight=0.1, shown="template.yaml")
    assert caught.value.hint


@pytest.mark.parametrize("text", ["0%", "100%", "-5%", "many", "", "10 %", "1e1", "200"])
def test_all_or_nothing_is_no_share(text: str) -> None:
    """Nor is what no number is."""
    with pytest.raises(ConfigError, match="must be a share"):
        read_share(text)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("10", 0.1), ("0.5%", 0.005), ("99%", 0.99)])
def test_shares_are_read(text: str, share: float) -> None:
    """With or without the sign."""
    assert read_share(text) == share


def events(stream: str, *messages: str) -> Sequence[Mapping[str, Any]]:
    """What an execution environment logged."""
    return [{"logStreamName": f"2026/11/26/{stream}", "message": f"{message}\n"} for message in messages]


def call(number: int, *lines: str) -> list[str]:
    """One call with what it printed."""
    return [
        f"START RequestId: r{number} Version: 1",
        *lines,
        f"END RequestId: r{number}",
        f"REPORT RequestId: r{number}\t",
    ]


def test_calls_are_counted_by_the_version_of_their_stream() -> None:
    """Several environments of a version are one; what runs as $LATEST is nobody's."""
    found = count(
        [
            *events("[1]aa", *call(1), *call(2)),
            *events("[1]bb", *call(3)),
            *events("[2]cc", *call(4)),
            *events("[$LATEST]dd", *call(5)),
        ]
    )
    assert found == {"1": Calls(requests=3), "2": Calls(requests=1)}


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        pytest.param("[ERROR] ValueError: two", 1, id="raised"),
        pytest.param("2026-11-26T12:00:00.000Z r1 Task timed out after 3.00 seconds", 1, id="timed out"),
        pytest.param("RequestId: r1 Error: Runtime exited with error: exit status 1", 1, id="exited"),
        pytest.param("2026-11-26T12:00:00.000Z\tr1\tERROR\tInvoke Error \t{}", 1, id="raised in Node"),
        pytest.param("[ERROR]\t2026-11-26T12:00:00.000Z\tr1\tno stock left", 0, id="logged"),
        pytest.param("an [ERROR] in the text", 0, id="printed"),
    ],
)
def test_a_call_that_failed_is_an_error(line: str, errors: int) -> None:
    """An error that a function logs, and answers nevertheless, is none."""
    assert count(events("[2]aa", *call(1, line, "more"))) == {"2": Calls(requests=1, errors=errors)}


def test_each_call_fails_once_and_lines_before_any_call_count_nothing() -> None:
    """A cut log begins anywhere."""
    lines = ["[ERROR] Late: of a call before", *call(1, "[ERROR] A: x", "Runtime.ExitError"), *call(2)]
    found = count(events("[2]aa", *lines))
    assert found == {"2": Calls(requests=2, errors=1)}
    assert found["2"].error_rate == 0.5
    assert Calls().error_rate is None
