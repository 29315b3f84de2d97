"""The stack of a project in an emulator that others use too: told from theirs, and removed without touching them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from emulator import artifact_bucket, secret_delivery, stack
from emulator.endpoint import client
from emulator.errors import DeployError
from emulator.model import Endpoint, Project

# It exists only because somebody planned it: it has no resources, and its tags come when the plan is executed.
_PLANNED = "REVIEW_IN_PROGRESS"
# Source: S3 DeleteObjects, which takes so many keys.
_KEYS = 1000


def tags_of(project: Project, environment: str) -> Mapping[str, str]:
    """The tags of every stack that multistack makes."""
    return {"multistack:service": project.service, "multistack:environment": environment}


def check_owner(endpoint: Endpoint, project: Project) -> stack.Stack | None:
    """
    The project's stack in *endpoint*'s environment, or None when there is none.

    Raises:
        DeployError: Somebody else's stack has its name.
    """
    name = project.stack_name(endpoint.environment)
    found = stack.describe(endpoint, name)
    if found is not None and found.status != _PLANNED:
        wanted = tags_of(project, endpoint.environment)
        if {tag: found.tags.get(tag) for tag in wanted} != wanted:
            raise DeployError(
                f"environment {endpoint.environment}: the emulator at {endpoint.url} has a stack {name} that is not"
                f" multistack's",
                hint="it is never touched: give the environment another account id, or the service another name",
            )
    return found


def remove(endpoint: Endpoint, project: Project, *, cancelled: Callable[[], None]) -> None:
    """
    Delete the project's stack with all its data, and the logs of its functions; what is shared with others stays.

    Raises:
        DeployError: The stack is somebody else's, or can't be deleted; details are the failed events.
    """
    name = project.stack_name(endpoint.environment)
    if check_owner(endpoint, project) is not None:
        of_type = _resources(endpoint, name)
        # First: without it the release on record is deployed again, whatever happens now.
        artifact_bucket.write_mark(endpoint, name, None)
        for bucket in of_type.get("AWS::S3::Bucket", ()):
            _empty(endpoint, bucket)
        try:
            stack.delete(endpoint, name, cancelled=cancelled)
        except DeployError as error:
            again = f"remove what is in the way: `multistack exec {endpoint.environment} -- aws …`; then reset again"
            raise DeployError(error.message, hint=again, details=error.details) from error
        secret_delivery.forget(endpoint, name)
        _forget_logs(endpoint, of_type.get("AWS::Lambda::Function", ()))


def _resources(endpoint: Endpoint, name: str) -> Mapping[str, Sequence[str]]:
    """Type to the physical ids of a stack's resources."""
    found: dict[str, list[str]] = {}
    pages = client(endpoint, "cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    for resource in (one for page in pages for one in page["StackResourceSummaries"]):
        if resource.get("PhysicalResourceId"):
            found.setdefault(resource["ResourceType"], []).append(resource["PhysicalResourceId"])
    return found


def _empty(endpoint: Endpoint, bucket: str) -> None:
    """Remove all objects and their versions: CloudFormation deletes only an empty bucket."""
    s3 = client(endpoint, "s3")
    for keys in _versions(s3, bucket):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})


def _versions(s3: Any, bucket: str) -> Iterator[Sequence[Mapping[str, str]]]:
    try:
        pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket))
    except s3.exceptions.NoSuchBucket:
        return
    found = [
        {"Key": one["Key"], "VersionId": one["VersionId"]}
        for page in pages
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]
    for begin in range(0, len(found), _KEYS):
        yield found[begin : begin + _KEYS]


def _forget_logs(endpoint: Endpoint, functions: Sequence[str]) -> None:
    """
    Delete what *functions* logged: their groups are made at the first call, so they are in no stack.

    Source:
        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    """
    logs = client(endpoint, "logs")
    for function in functions:
        try:
            logs.delete_log_group(logGroupName=f"/aws/lambda/{function}")
        except logs.exceptions.ResourceNotFoundException:
            continue
