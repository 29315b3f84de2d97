"""Starts canaries, looks at them, promotes and aborts them; all of it on record."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulator import cfn_yaml, stack
from emulator.canary import counts, templates
from emulator.deploy import DeployResult
from emulator.endpoint import answering, client
from emulator.errors import ConfigError, PromotionRefused
from emulator.events import Event
from emulator.model import Artifact, Cause, Deployment, Endpoint, Kind, Release
from emulator.template import Template
from emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionStatus:
    """
    One version of one function; the names of the attributes are the keys of ``canary status --json``.

    Attributes:
        share: Of the calls of its alias, from 0 to 1, as the emulator has it.
        requests: Calls since the canary started.
        errors: Those that failed: raised, timed out, exited.
    """

    function: str
    version: str
    release: str
    share: float
    requests: int
    errors: int
    error_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStatus:
    """A running canary: *release* beside *beside*, since *at*; *versions* is empty where its emulator lost it."""

    environment: str
    release: str
    digest: str
    beside: str
    at: datetime
    by: str
    versions: tuple[VersionStatus, ...]


def read_share(text: str) -> float:
    """
    ``10%`` as a number from 0 to 1.

    Raises:
        ConfigError: It is no share, or all or nothing.
    """
    match = re.fullmatch(r"([0-9]{1,2}(?:\.[0-9]{1,2})?)%?", text)
    share = float(match[1]) / 100 if match else 0.0
    if not share:
        raise ConfigError(f"--canary must be a share above 0% and below 100% such as 10%, not {text!r}")
    return round(share, 4)


class Canaries:
    """
    The canaries of one project; whoever calls what changes something alone changes the project.

    Args:
        workspace: The project's parts.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._history = workspace.history

    def start(self, name: str, artifact: Artifact, share: float, *, dry_run: bool = False) -> DeployResult:
        """
        Put *artifact* with today's config into *name* for a share of the calls.

        Raises:
            ConfigError: Nothing is deployed to share with, or a template has no alias for it.
            PromotionRefused: A canary runs there already.
            DeployError: It could not be deployed; all calls go where they went.
        """
        workspace = self._workspace
        (environment,) = workspace.environments([name])
        endpoint, current = workspace.endpoint(name), self._history.current(name)
        if current is None:
            raise ConfigError(f"nothing is deployed in {name} to share calls with", hint=f"multistack deploy {name}")
        release = workspace.releases.make(artifact, environment)
        if release.id == current.release.id:
            raise ConfigError(f"{name} serves {release.id} already", hint="a canary is another release")
        shown = workspace.project.template.name
        result = workspace.deployer.deploy(
            environment,
            endpoint,
            artifact,
            release,
            dry_run=dry_run,
            cause=Cause(kind=Kind.CANARY, by=workspace.project.user, reason=f"{share * 100:g}% of the calls"),
            canary=lambda new: templates.beside(new, self._deployed(endpoint), weight=share, shown=shown),
        )
        if not dry_run:
            for function in templates.unaliased(self._deployed(endpoint)):
                self._tell(name, "note:", f"{function} has no alias {templates.ALIAS}: it runs the new release only")
        return result

    def _tell(self, name: str, step: str, detail: str) -> None:
        self._workspace.emit(Event(name, step, detail))

    def _deployed(self, endpoint: Endpoint) -> Template:
        """The plain template of the stack as it stands."""
        name = self._workspace.project.stack_name(endpoint.environment)
        body = client(endpoint, "cloudformation").get_template(StackName=name)["TemplateBody"]
        found: Template = cfn_yaml.parse(body) if isinstance(body, str) else body
        return found

    def running(self, name: str) -> tuple[Deployment, Deployment]:
        """
        The canary of *name* and the deployment beside which it runs.

        Raises:
            PromotionRefused: None runs.
        """
        self._workspace.environments([name])
        canary, current = self._history.canary(name), self._history.current(name)
        if canary is None or current is None:
            raise PromotionRefused(f"no canary runs in {name}", hint=f"multistack deploy {name} --canary 10%")
        return canary, current

    def promote(self, name: str) -> DeployResult:
        """Give the canary's release all calls: it is the environment's release from now on."""
        canary, _ = self.running(name)
        return self._end(name, canary.release, f"canary of {canary.cause.reason} promoted")

    def abort(self, name: str) -> DeployResult:
        """Give the release on record all calls again."""
        canary, current = self.running(name)
        endpoint = self._workspace.endpoint(name)
        with answering(endpoint):
            versions = [one for one in self._versions(endpoint, canary, current) if one.release == canary.release.id]
            physical = stack.resources(endpoint, self._workspace.project.stack_name(name))
        result = self._end(name, current.release, f"canary {canary.release.id} aborted")
        with answering(endpoint):
            for one in versions:  # SAM has them kept, and Lambda makes no second version of the same code
                client(endpoint, "lambda").delete_function(FunctionName=physical[one.function], Qualifier=one.version)
        return result

    def _end(self, name: str, release: Release, reason: str) -> DeployResult:
        (environment,) = self._workspace.environments([name])
        return self._workspace.deployer.deploy(
            environment,
            self._workspace.endpoint(name),
            self._workspace.store.open(release.digest),
            release,
            restores=True,
            cause=Cause(kind=Kind.CANARY, by=self._workspace.project.user, reason=reason),
        )

    def status(self, name: str) -> CanaryStatus | None:
        """
        The canary of *name* as it is right now; None when none runs.

        Raises:
            NotReady: The environment does not run.
        """
        self._workspace.environments([name])
        canary, current = self._history.canary(name), self._history.current(name)
        if canary is None or current is None:
            return None
        endpoint = self._workspace.endpoint(name)
        with answering(endpoint):
            versions = tuple(self._versions(endpoint, canary, current))
        return CanaryStatus(
            environment=name,
            release=canary.release.id,
            digest=canary.release.digest,
            beside=current.release.id,
            at=canary.at,
            by=canary.cause.by,
            versions=versions,
        )

    def _versions(self, endpoint: Endpoint, canary: Deployment, current: Deployment) -> Iterator[VersionStatus]:
        template = self._deployed(endpoint)
        physical = stack.resources(endpoint, self._workspace.project.stack_name(endpoint.environment))
        for alias in templates.versions_of(template):
            function = templates.function_of(template, alias)
            name = physical.get(function, "")
            found = client(endpoint, "lambda").get_alias(FunctionName=name, Name=templates.ALIAS)
            weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
            if not weights:
                continue
            calls = counts.count(_events(endpoint, name, canary.ended or canary.at))
            row = functools.partial(_row, function, calls)
            yield row(found["FunctionVersion"], current.release.id, 1 - sum(weights.values()))
            for version, weight in weights.items():
                yield row(version, canary.release.id, weight)


def _row(function: str, calls: Mapping[str, counts.Calls], version: str, release: str, share: float) -> VersionStatus:
    found = calls.get(version, counts.Calls())
    return VersionStatus(
        function=function,
        version=version,
        release=release,
        share=round(share, 4),
        requests=found.requests,
        errors=found.errors,
        error_rate=found.error_rate,
    )


def _events(endpoint: Endpoint, function: str, since: datetime) -> Iterator[Mapping[str, Any]]:
    """What *function* logged since then; nothing when it was not called yet."""
    logs = client(endpoint, "logs")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}", startTime=int(since.timestamp() * 1000)
    )
    try:
        for page in pages:
            yield from page["events"]
    except logs.exceptions.ResourceNotFoundException:
        return
