"""Secrets of a release in an environment's Secrets Manager: its functions read them there, the template never does."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.endpoint import client
from emulator.model import Endpoint, Release
from emulator.vault import Vault

_ABOUT = "config key {key}, set by multistack"


def name_of(stack: str, key: str) -> str:
    """The secret of *key* in the environment of *stack*."""
    return f"{stack}/{key}"


def arns(endpoint: Endpoint, stack: str, release: Release, vault: Vault, *, dry_run: bool) -> Mapping[str, str]:
    """
    Key to the ARN of its secret; one that isn't there is made, and gets its value, which nobody reads yet.

    Args:
        dry_run: Make none: one that isn't there has a pattern of an ARN instead.

    Raises:
        ConfigError: A value is no longer in the vault.
    """
    if not release.secrets:
        return {}
    values = {key: vault.value(key, hashed) for key, hashed in release.secrets.items()}  # all, before any is written
    manager = client(endpoint, "secretsmanager")
    found: dict[str, str] = {}
    for key, value in values.items():
        name = name_of(stack, key)
        try:
            described = manager.describe_secret(SecretId=name)
            found[key] = described["ARN"]
            if described.get("DeletedDate") and not dry_run:  # by hand, and not yet for good
                manager.restore_secret(SecretId=name)
        except manager.exceptions.ResourceNotFoundException:
            if dry_run:
                place = f"arn:aws:secretsmanager:{endpoint.region}:{endpoint.account_id}:secret"
                found[key] = f"{place}:{name}-??????"
            else:
                about = _ABOUT.format(key=key)
                found[key] = manager.create_secret(Name=name, SecretString=value, Description=about)["ARN"]
    return found


def deliver(endpoint: Endpoint, stack: str, release: Release, vault: Vault) -> None:
    """
    Give every secret of *release* its value; a value that is there already makes no new version.

    Raises:
        ConfigError: A value is no longer in the vault.
    """
    if not release.secrets:
        return
    manager = client(endpoint, "secretsmanager")
    for key, hashed in release.secrets.items():
        name, value = name_of(stack, key), vault.value(key, hashed)
        if manager.get_secret_value(SecretId=name)["SecretString"] != value:
            manager.put_secret_value(SecretId=name, SecretString=value)


def forget(endpoint: Endpoint, stack: str) -> None:
    """Delete every secret that was delivered for *stack*, also those of keys that are gone."""
    manager = client(endpoint, "secretsmanager")
    for found in (one for page in manager.get_paginator("list_secrets").paginate() for one in page["SecretList"]):
        key = found["Name"].removeprefix(f"{stack}/")
        if found["Name"] == name_of(stack, key) and found.get("Description") == _ABOUT.format(key=key):
            manager.delete_secret(SecretId=found["ARN"], ForceDeleteWithoutRecovery=True)
