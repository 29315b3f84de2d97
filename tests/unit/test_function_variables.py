"""What a function finds in its environ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from emulator.drivers.launcher.functions import variables
from emulator.drivers.launcher.functions.variables import Installation, Surroundings
from emulator.process import LABEL

_SURROUNDINGS = Surroundings(
    endpoint="http://127.0.0.1:4600", label="/state", path="/usr/bin", home=Path("/home"), temporary=Path("/tmp")
)


def environ(config: dict[str, Any], folder: Path, opt: Path | None = None) -> dict[str, str]:
    """Of a function with *config*."""
    return variables.of_function(
        config,
        _SURROUNDINGS,
        Installation(task_root=folder, opt=opt, runtime_dir=Path("/runtime")),
        credentials={"AWS_ACCESS_KEY_ID": "111111111111", "AWS_SESSION_TOKEN": ""},
        region="eu-west-1",
        stream="stream",
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("TABLE", "orders", "orders", id="its own"),
        pytest.param("TZ", "Europe/Berlin", "Europe/Berlin", id="a default of AWS's"),
        pytest.param("AWS_ENDPOINT_URL", "http://elsewhere", "http://elsewhere", id="where the SDK goes"),
        pytest.param("AWS_REGION", "mars-1", "eu-west-1", id="reserved"),
        pytest.param("AWS_ACCESS_KEY_ID", "AKIA", "111111111111", id="credentials"),
        pytest.param(LABEL, "/other", "/state", id="the label by which it is found"),
    ],
)
def test_a_variable_of_the_function_wins_unless_it_is_reserved(
    tmp_path: Path, name: str, value: str, expected: str
) -> None:
    """As on AWS, where a reserved one can't even be set."""
    assert environ({"Environment": {"Variables": {name: value}}}, tmp_path)[name] == expected


def test_empty_credentials_are_left_out(tmp_path: Path) -> None:
    """An SDK would send an empty token along."""
    assert "AWS_SESSION_TOKEN" not in environ({}, tmp_path)


def test_libraries_of_code_and_layers_are_found(tmp_path: Path) -> None:
    """Only where there are any: the variable keeps a function from being forked."""
    assert "LD_LIBRARY_PATH" not in environ({}, tmp_path)
    opt = tmp_path / "opt"
    (opt / "lib").mkdir(parents=True)
    found = environ({}, tmp_path, opt)
    assert found["LD_LIBRARY_PATH"] == f"{tmp_path}:{opt}/lib"
    assert found["PATH"] == f"/usr/bin:{opt}/bin"


def test_logging_and_snapshots_are_told(tmp_path: Path) -> None:
    """What ``LoggingConfig`` and ``SnapStart`` say."""
    config = {
        "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "LogGroup": "/shared"},
        "SnapStart": {"OptimizationStatus": "On"},
    }
    found = environ(config, tmp_path)
    assert (found["AWS_LAMBDA_LOG_FORMAT"], found["AWS_LAMBDA_LOG_LEVEL"]) == ("JSON", "DEBUG")
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == "/shared"
    assert found["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"


def test_a_stream_is_named_as_on_aws() -> None:
    """Date, version, and 32 hexadecimal digits that no other has."""
    first, second = variables.new_stream("7"), variables.new_stream("7")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[7\][0-9a-f]{32}", first)
    assert first != second
