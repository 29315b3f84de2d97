"""An environment of the project file, with what it takes from the project where it says nothing itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from emulator.config_values import Values
from emulator.model import ContainerSettings, Creation, Environment, SwarmSettings
from emulator.schema import EnvironmentTable, LocalstackTable, ProjectTable, SwarmTable


def make_environment(
    name: str, table: ProjectTable, values: Values, origins: Mapping[str, str], *, created: Creation | None
) -> Environment:
    """
    The environment *name* of the project file *table*.

    Args:
        origins: Key to where its value comes from.
    """
    own = table.environments[name]
    return Environment(
        name=name,
        driver=own.driver or table.driver,
        account_id=own.account_id or derived_account_id(table.service, name),
        region=own.region or table.region,
        port=None if own.port == "auto" else own.port,
        config=values.config,
        secrets=values.secrets,
        origins=origins,
        protected=own.protected,
        soak=own.soak,
        enforce_iam=own.enforce_iam,
        lambda_concurrency=None if own.lambda_concurrency == "auto" else own.lambda_concurrency,
        container=_container(own, table.localstack),
        swarm=_swarm(own, table.swarm),
        url=own.endpoint,
        created=created,
        seeds=tuple(Path(one) for one in (table.seed.folders if own.seed is None else own.seed)),
    )


def _container(own: EnvironmentTable, shared: LocalstackTable) -> ContainerSettings:
    memory, cpus = own.memory or shared.memory, own.cpus or shared.cpus
    return ContainerSettings(
        image=own.image or shared.image,
        functions=shared.functions,
        memory=None if memory == "unlimited" else memory,
        cpus=None if cpus == "unlimited" else cpus,
        internal=shared.internal,
    )


def _swarm(own: EnvironmentTable, shared: SwarmTable) -> SwarmSettings:
    memory, cpus, image = own.memory or shared.memory, own.cpus or shared.cpus, own.image or shared.image
    return SwarmSettings(
        image=None if image == "auto" else image,
        memory=None if memory == "unlimited" else memory,
        cpus=None if cpus == "unlimited" else cpus,
        placement=tuple(shared.placement),
        publish=shared.publish,
    )


def derived_account_id(service: str, environment: str) -> str:
    """12 digits, the same for the same names."""
    digest = hashlib.sha256(f"{service}/{environment}".encode()).digest()
    return str(10**11 + int.from_bytes(digest) % (9 * 10**11))
