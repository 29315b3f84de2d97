"""What an environment remembers of its seed, in its bucket of artifacts: that shares the fate of its data."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from emulator import artifact_bucket
from emulator.endpoint import client
from emulator.model import Endpoint


@dataclass(slots=True, kw_only=True)
class Mark:
    """
    Attributes:
        is_complete: The whole seed was put there once.
        sent: Logical id of a queue to hash of a message to how often it was sent.
    """

    is_complete: bool = False
    sent: dict[str, Counter[str]] = field(default_factory=dict)


def read_mark(endpoint: Endpoint, stack: str) -> Mark:
    """The mark of *stack*; that of an environment which never had a seed is empty."""
    from botocore.exceptions import ClientError

    try:
        found = client(endpoint, "s3").get_object(Bucket=artifact_bucket.name_of(endpoint), Key=_key(stack))
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchBucket"):
            raise
        return Mark()
    content = json.loads(found["Body"].read())
    sent = {name: Counter(hashes) for name, hashes in content["sent"].items()}
    return Mark(is_complete=content["is_complete"], sent=sent)


def write_mark(endpoint: Endpoint, stack: str, mark: Mark) -> None:
    """Remember *mark*."""
    content = json.dumps({"is_complete": mark.is_complete, "sent": mark.sent}).encode()
    client(endpoint, "s3").put_object(Bucket=artifact_bucket.name_of(endpoint), Key=_key(stack), Body=content)


def _key(stack: str) -> str:
    return f"seeded/{stack}"
