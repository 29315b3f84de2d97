"""Puts back what drifted, through the stack: nothing that holds data is made anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from emulator import artifact_bucket, own_stack, secret_delivery, stack
from emulator.comparison.drift import compare_inventories
from emulator.deploy import Deployer
from emulator.disturbance import AGAIN, HOLDERS, as_found, without
from emulator.endpoint import answering, client
from emulator.events import Emit, Event
from emulator.expansion import expand
from emulator.inventory.keeping import keep, kept
from emulator.inventory.resource import Inventory, Properties
from emulator.inventory.taking import take, take_again
from emulator.model import Artifact, Deployment, Endpoint, Environment, Project
from emulator.release import parameters_of
from emulator.template import Template
from emulator.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What one environment is to be brought back to."""

    environment: Environment
    endpoint: Endpoint
    deployment: Deployment
    artifact: Artifact
    template: Template
    parameters: Mapping[str, str]
    stack: str


class Repairer:
    """
    Brings environments of one project back to what was deployed into them.

    Args:
        open_artifact: From the artifact store, by digest.
        cancelled: Called while waiting; raises to stop.
    """

    def __init__(
        self,
        project: Project,
        deployer: Deployer,
        vault: Vault,
        *,
        open_artifact: Callable[[str], Artifact],
        emit: Emit,
        cancelled: Callable[[], None],
    ) -> None:
        self._project = project
        self._deployer = deployer
        self._vault = vault
        self._open_artifact = open_artifact
        self._emit = emit
        self._cancelled = cancelled

    def repair(self, environment: Environment, endpoint: Endpoint, current: Deployment) -> None:
        """
        Put back what differs from *current*; where no inventory of it was kept, every resource.

        What can't be put back, such as a secret's value, stays and goes on to be found as drift.

        Raises:
            DeployError: The emulator refused or failed it.
            NotReady: It ended meanwhile.
        """
        target = self._target(environment, endpoint, current)
        with answering(endpoint):
            before = kept(endpoint, target.stack)
            if before is None or before.release != current.release.id:
                self._emit(Event(environment.name, "repairing", "every resource: it is not known what drifted"))
                now = take(endpoint, target.stack, target.template, current.release)
                self._through(target, as_found(target.template, _everything(target.template, now)))
                return
            now = take_again(endpoint, target.stack, before)
            drifted = _drifted(target.stack, before, now)
            if not drifted:
                return
            self._emit(Event(environment.name, "repairing", ", ".join(drifted)))
            # What is beside the stack, or of the stack itself, comes back with any deployment of the release.
            resources = target.template["Resources"]
            there = {name: found or {} for name, found in drifted.items() if found is not None or name not in resources}
            if there:
                self._through(target, as_found(target.template, there))
                now = take_again(endpoint, target.stack, before)
            self._make_anew(target, before, now)

    def _target(self, environment: Environment, endpoint: Endpoint, current: Deployment) -> _Target:
        artifact, name = self._open_artifact(current.release.digest), self._project.stack_name(environment.name)
        with answering(endpoint):
            arns = secret_delivery.arns(endpoint, name, current.release, self._vault, dry_run=False)
        parameters = parameters_of(artifact, environment.name, current.release, arns)
        expanded = expand(artifact, parameters, region=environment.region, state=self._project.state)
        skipped = [line.split(" ")[0] for line in current.skipped]
        return _Target(
            environment=environment,
            endpoint=endpoint,
            deployment=current,
            artifact=artifact,
            template=without(artifact_bucket.put_in(endpoint, expanded), skipped)[0],
            stack=name,
            parameters=parameters,
        )

    def _make_anew(self, target: _Target, before: Inventory, now: Inventory) -> None:
        """Make anew what is gone or still as it was found, unless that would lose data; note what stays."""
        drifted = _drifted(target.stack, before, now)
        stays = {name for name, found in drifted.items() if found is not None and _is_holder(before, name)}
        anew = [name for name in drifted if name not in stays and name in target.template["Resources"]]
        template, gone = without(target.template, anew)
        if lost := {name for name in gone if _is_holder(before, name) and now.resources[name].properties is not None}:
            what = f"{', '.join(anew)}: {', '.join(sorted(lost))} would lose its data"
            self._emit(Event(target.environment.name, "can't put back", what))
            stays |= {*anew}
        elif anew:
            self._through(target, template)
            now = take_again(target.endpoint, target.stack, before)
        for name in sorted(stays - {*anew}):
            self._emit(Event(target.environment.name, "can't put back", f"{name}: only a reset would"))
        kept_as_they_were = {name: before.resources[name] for name in stays if name in before.resources}
        keep(target.endpoint, target.stack, replace(now, resources={**now.resources, **kept_as_they_were}))

    def _through(self, target: _Target, template: Template) -> None:
        """Bring the stack to *template* and from there to the release."""
        endpoint = target.endpoint
        self._deployer.check_turn()
        # A command that is killed in between leaves an environment that the next `up` brings to its release.
        artifact_bucket.write_mark(endpoint, target.stack, None)
        _copy_code(endpoint, template)
        plan = stack.plan(
            endpoint,
            target.stack,
            template,
            parameters=target.parameters,
            tags=own_stack.tags_of(self._project, target.environment.name),
            bucket=artifact_bucket.name_of(endpoint),
            cancelled=self._cancelled,
        )
        if not plan.is_empty:
            self._deployer.check_turn()
            stack.execute(endpoint, plan, cancelled=self._cancelled)
        self._deployer.deploy(
            target.environment,
            endpoint,
            target.artifact,
            target.deployment.release,
            skip_unsupported=bool(target.deployment.skipped),
            restores=True,
        )


def _drifted(name: str, before: Inventory, now: Inventory) -> Mapping[str, Properties | None]:
    """What differs, by logical id, the stack itself by its name: its properties as found, or None for what is gone."""
    found: dict[str, Properties | None] = {}
    for one in compare_inventories("", name, before, now).differences:
        there = now.resources.get(one.resource)
        if one.resource != name and (there is None or there.properties is None):
            found[one.resource] = None
            continue
        properties = (there.properties if there else None) or {}
        top = one.property.partition(".")[0].partition("[")[0]
        found[one.resource] = {**(found.get(one.resource) or {}), top: properties.get(top)}
    return found


def _everything(template: Template, now: Inventory) -> Mapping[str, Properties]:
    """All properties of all resources, as found, None for those that only the template has."""
    return {
        name: {**dict.fromkeys(template["Resources"][name].get("Properties") or {}), **(one.properties or {})}
        for name, one in now.resources.items()
        if name in template["Resources"]
    }


def _is_holder(inventory: Inventory, name: str) -> bool:
    return name in inventory.resources and inventory.resources[name].type in HOLDERS


def _copy_code(endpoint: Endpoint, template: Template) -> None:
    """Put the code where a template on the way back expects it."""
    s3, bucket = client(endpoint, "s3"), artifact_bucket.name_of(endpoint)
    for resource in template["Resources"].values():
        code = (resource.get("Properties") or {}).get("Code")
        key = code.get("S3Key", "") if isinstance(code, Mapping) else ""
        if isinstance(key, str) and key.startswith(AGAIN):
            source = {"Bucket": bucket, "Key": key.removeprefix(AGAIN)}
            s3.copy_object(Bucket=bucket, Key=key, CopySource=source)
