"""What every environment is and serves, as a table of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emulator.front import Front
from emulator.known import Known
from emulator.model import Environment, Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentStatus:
    """
    One environment; the names of the attributes are the keys of ``status --json``.

    Attributes:
        status: ``stopped``, ``starting``, ``ready`` or ``unhealthy``, as observed just now.
        release: The last one deployed with success, from the ledger.
        url: Where the proxy serves it; None when it does not run, or the service has no API.
        apis: Logical ids of the service's APIs; empty also while nothing is deployed.
        endpoint: Its AWS API.
        canary: The release that gets a share of the calls beside *release*.
        failed: Why the last deployment failed, or was interrupted; empty when it succeeded, and without any.
        skipped: Resources left out on request.
        framework: Of the service that the project file names.
    """

    environment: str
    status: str
    driver: str
    release: str | None
    digest: str | None
    config_hash: str | None
    url: str | None
    apis: tuple[str, ...]
    endpoint: str | None
    account_id: str
    region: str
    protected: bool
    reason: str
    canary: str | None
    failed: str
    skipped: tuple[str, ...]
    framework: str


def status_of(
    environments: Sequence[Environment],
    instances: Mapping[str, Instance],
    known: Mapping[str, Known],
    front: Front,
    *,
    framework: str,
) -> list[EnvironmentStatus]:
    """One row per environment, in promotion order."""
    rows = []
    for environment in environments:
        instance = instances[environment.name]
        now = known[environment.name]
        rows.append(
            EnvironmentStatus(
                environment=environment.name,
                status=instance.status.value,
                driver=environment.driver.value,
                release=now.release,
                digest=now.digest,
                config_hash=now.config_hash,
                url=front.environment_url(environment.name) if now.release is None or now.apis else None,
                apis=tuple(api.logical_id for api in now.apis),
                endpoint=instance.endpoint.url if instance.endpoint else None,
                account_id=environment.account_id,
                region=environment.region,
                protected=environment.protected,
                reason=instance.reason,
                canary=now.canary,
                failed=now.failed,
                skipped=tuple(now.skipped),
                framework=framework,
            )
        )
    return rows
