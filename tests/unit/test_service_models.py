"""The gap that ``emulator.drivers.launcher.gaps.service_models`` fills."""

from __future__ import annotations

import subprocess
import sys

import botocore.session
import pytest
from ministack.core import responses

from emulator.drivers.launcher.gaps import service_models

SESSION = botocore.session.get_session()


@pytest.mark.parametrize("service", SESSION.get_available_services())
def test_metadata_is_what_botocore_says(service: str) -> None:
    """For every service of the pinned botocore, however its file is laid out."""
    found = service_models.read_metadata(service)
    assert found is not None
    assert dict(found.metadata) == SESSION.get_service_model(service).metadata


def test_an_unknown_service_has_none() -> None:
    """MiniStack asks for services of its own as well."""
    assert service_models.read_metadata("no-such-service") is None


@pytest.mark.parametrize(
    ("apply", "expected"), [("", "True"), ("service_models.apply();", "False")], ids=["as is", "added"]
)
def test_ministack_still_imports_botocore_for_a_content_type(apply: str, expected: str) -> None:
    """When the first fails, MiniStack no longer does: delete service_models.py and this file."""
    code = (
        "import sys; from ministack.core import responses; from emulator.drivers.launcher.gaps import service_models;"
        f"{apply}"
        "print(responses.expected_error_content_type('states', 'application/json'), 'botocore' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["application/x-amz-json-1.0", expected]


def test_the_names_that_ministack_translates_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """``states`` is Step Functions' name on the wire; its model is called otherwise."""
    monkeypatch.setattr(responses, "_service_model", responses._service_model)
    service_models.apply()
    assert responses._service_model("states").metadata["serviceId"] == "SFN"
