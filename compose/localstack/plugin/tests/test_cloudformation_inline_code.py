"""Code in a template becomes a package, without a LocalStack."""

from __future__ import annotations

import base64
import io
import zipfile

import pytest
from cloudformation_account import zipped
from multistack_localstack.cloudformation.resources.inline_code import code_parameters

_PYTHON = {"Runtime": "python3.13", "Handler": "index.handler"}


def _names(packed: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(packed)).namelist()


def test_code_is_packed_under_its_handlers_name() -> None:
    """The handler's module is in the package; the same code gives the same bytes."""
    packed = code_parameters({**_PYTHON, "Code": {"ZipFile": "x = 1"}})["ZipFile"]
    assert zipfile.ZipFile(io.BytesIO(packed)).read("index.py") == b"x = 1"
    assert packed == code_parameters({**_PYTHON, "Code": {"ZipFile": "x = 1"}})["ZipFile"]


@pytest.mark.parametrize(
    ("runtime", "code", "names"),
    [
        pytest.param("python3.13", "import cfnresponse", ["cfnresponse.py", "index.py"], id="python"),
        pytest.param(
            "nodejs22.x",
            "require('cfn-response')",
            ["cfn-response.js", "index.js", "node_modules/cfn-response.js"],
            id="node",
        ),
    ],
)
def test_the_module_for_custom_resources_is_added(runtime: str, code: str, names: list[str]) -> None:
    """Code that imports AWS's response module gets it."""
    made = code_parameters({"Runtime": runtime, "Handler": "index.handler", "Code": {"ZipFile": code}})
    assert _names(made["ZipFile"]) == names


def test_what_is_packed_already_stays() -> None:
    """A package in base64, and code in a bucket, are taken as they are."""
    package = zipped("x = 1")
    given = {"ZipFile": base64.b64encode(package).decode()}
    assert code_parameters({**_PYTHON, "Code": given})["ZipFile"] == package
    assert code_parameters({**_PYTHON, "Code": {"S3Bucket": "b", "S3Key": "k"}}) == {"S3Bucket": "b", "S3Key": "k"}


def test_other_runtimes_take_no_code() -> None:
    """A runtime that needs a compiler can't have its code in a template."""
    with pytest.raises(ValueError, match="doesn't support inlining code"):
        code_parameters({"Runtime": "java21", "Handler": "a::b", "Code": {"ZipFile": "x"}})
