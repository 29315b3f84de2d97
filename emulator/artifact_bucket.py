"""An environment's bucket of artifacts: its name, and the mark in it that says which release is there."""

from __future__ import annotations

import contextlib
from typing import Any, cast

from emulator.artifact import BUCKET, bucket_of
from emulator.endpoint import client
from emulator.model import Endpoint
from emulator.template import Template


def name_of(endpoint: Endpoint) -> str:
    """
    The bucket that an environment's artifacts go into.

    Names of buckets are taken for all accounts of an emulator at once, so in a shared one the account is part of it.
    """
    own = bucket_of(endpoint.region)
    return f"{own}-{endpoint.account_id}" if endpoint.is_shared else own


def put_in(endpoint: Endpoint, template: Template) -> Template:
    """*template*, which takes its code from where artifacts say, with the bucket of *endpoint* instead."""
    return cast("Template", _replaced(template, name_of(endpoint))) if endpoint.is_shared else template


def _replaced(node: Any, bucket: str) -> Any:
    if node == {"Fn::Sub": BUCKET}:
        return bucket
    if isinstance(node, dict):
        return {key: _replaced(value, bucket) for key, value in node.items()}
    return [_replaced(value, bucket) for value in node] if isinstance(node, list) else node


def make(endpoint: Endpoint) -> None:
    """Make the bucket unless it is there."""
    s3, bucket = client(endpoint, "s3"), name_of(endpoint)
    if bucket in {one["Name"] for one in s3.list_buckets()["Buckets"]}:
        return
    # us-east-1 is the one region that may not be named. Source: S3 CreateBucket, LocationConstraint.
    where = (
        {} if endpoint.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": endpoint.region}}
    )
    try:
        s3.create_bucket(Bucket=bucket, **where)
    except s3.exceptions.BucketAlreadyOwnedByYou:
        return  # two environments of one account were deployed at once


def read_mark(endpoint: Endpoint, stack: str) -> str | None:
    """
    The release last verified in this environment, as the environment itself remembers it.

    It shares the fate of the emulator's state. A stack's tags would too, but a changed tag modifies every resource.
    """
    from botocore.exceptions import ClientError

    try:
        found = client(endpoint, "s3").get_object(Bucket=name_of(endpoint), Key=_key(stack))
        return str(found["Body"].read().decode())
    except ClientError:
        return None


def write_mark(endpoint: Endpoint, stack: str, release: str | None) -> None:
    """Remember *release* as verified; None forgets the one before."""
    s3 = client(endpoint, "s3")
    if release is None:
        with contextlib.suppress(s3.exceptions.NoSuchBucket):
            s3.delete_object(Bucket=name_of(endpoint), Key=_key(stack))
    else:
        s3.put_object(Bucket=name_of(endpoint), Key=_key(stack), Body=release.encode())


def _key(stack: str) -> str:
    return f"deployed/{stack}"
