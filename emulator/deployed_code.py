"""The code of an artifact in an environment: uploaded, and compared with what its functions run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from emulator import artifact_bucket
from emulator.artifact import code_sha256, key_of
from emulator.endpoint import client
from emulator.errors import DeployError
from emulator.model import Artifact, Endpoint


class WrongCode(DeployError):
    """The emulator says that all is deployed, but a function runs other bytes than the artifact's."""


def put_code(endpoint: Endpoint, artifact: Artifact, *, cancelled: Callable[[], None]) -> None:
    """Upload what the environment's bucket doesn't have yet."""
    s3, bucket_name = client(endpoint, "s3"), artifact_bucket.name_of(endpoint)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket_name, Prefix="code/")
    there = {item["Key"] for page in pages for item in page.get("Contents", [])}
    for code in artifact.code:
        cancelled()
        if key_of(code) not in there:
            s3.put_object(Bucket=bucket_name, Key=key_of(code), Body=code.path.read_bytes())


def verify_code(endpoint: Endpoint, artifact: Artifact, physical: Mapping[str, str]) -> None:
    """
    Compare what each function runs with the artifact.

    Raises:
        WrongCode: A function runs other bytes.
    """
    wanted = {function: code_sha256(code.sha256) for code in artifact.code for function in code.functions}
    for logical_id, name in physical.items():
        if logical_id not in wanted or not name or ":layer:" in name:
            continue
        found = client(endpoint, "lambda").get_function_configuration(FunctionName=name)["CodeSha256"]
        if found != wanted[logical_id]:
            raise WrongCode(
                f"environment {endpoint.environment}: function {logical_id} runs other code than the artifact "
                f"(CodeSha256 {found}, wanted {wanted[logical_id]})"
            )
