"""What API Gateway finds wrong with a function's answer, for the emulator's log."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.drivers.launcher.gaps.gateway_errors import flaw_of


@pytest.mark.parametrize(
    ("answer", "flaw"),
    [
        pytest.param({}, "", id="nothing is required"),
        pytest.param({"statusCode": "200", "headers": None, "body": "text", "isBase64Encoded": False}, "", id="all"),
        pytest.param("just text", "is no object", id="text"),
        pytest.param(None, "is no object", id="nothing"),
        pytest.param({"statuscode": 200, "x": 1}, "has keys that API Gateway doesn't know: statuscode, x", id="keys"),
        pytest.param({"body": {"a": 1}}, "has a body that is no text", id="object as body"),
        pytest.param({"headers": ["a"]}, "has headers that are no object", id="list of headers"),
        pytest.param({"statusCode": "abc"}, "has a statusCode that is none", id="status that is a word"),
        pytest.param({"statusCode": 99}, "has a statusCode that is none", id="status below 100"),
    ],
)
def test_a_flaw_is_named(answer: Any, flaw: str) -> None:
    """A developer sees 502 and nothing else; the log says which part of the answer to mend."""
    assert flaw_of(answer) == flaw
