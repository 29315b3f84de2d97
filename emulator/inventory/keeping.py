"""
The inventory of what was deployed, kept in the environment's own bucket, beside the release mark.

There it shares the fate of what it describes: a snapshot holds it, a restore brings it back, a reset forgets it.
"""

from __future__ import annotations

import threading

from emulator import artifact_bucket
from emulator.endpoint import client
from emulator.inventory.resource import Inventory
from emulator.inventory.taking import prepare, take
from emulator.model import Endpoint, Release
from emulator.template import Template


def get_ready(endpoint: Endpoint, template: Template) -> None:
    """Begin to load what :func:`remember` will need, while *template* is being deployed."""
    threading.Thread(target=prepare, args=(endpoint, template)).start()


def remember(endpoint: Endpoint, stack: str, template: Template, release: Release) -> None:
    """Take the inventory of what was just deployed, and keep it."""
    keep(endpoint, stack, take(endpoint, stack, template, release))


def keep(endpoint: Endpoint, stack: str, inventory: Inventory) -> None:
    """What is there from now on counts as deployed."""
    bucket, content = artifact_bucket.name_of(endpoint), inventory.to_json()
    client(endpoint, "s3").put_object(Bucket=bucket, Key=_key(stack), Body=content)


def kept(endpoint: Endpoint, stack: str) -> Inventory | None:
    """What :func:`remember` kept; None when there is none, or none that can be read."""
    from botocore.exceptions import ClientError

    try:
        found = client(endpoint, "s3").get_object(Bucket=artifact_bucket.name_of(endpoint), Key=_key(stack))
    except ClientError:
        return None
    return Inventory.from_json(found["Body"].read())


def _key(stack: str) -> str:
    # No stack's name has a dot, so this is no other stack's mark.
    return f"deployed/{stack}.inventory"
