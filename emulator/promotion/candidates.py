"""What could be promoted into an environment now, and what its gates will look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from emulator.deploy import DeployResult
from emulator.errors import ConfigError, PromotionRefused
from emulator.expansion import expand
from emulator.model import Artifact, Deployment, Environment, Outcome, Release
from emulator.permissions import widening
from emulator.permits import Approval
from emulator.promotion.gates import Facts
from emulator.release import parameters_of
from emulator.served import served_since
from emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What would be promoted: a verified release of *source*, with the config of *target*."""

    source: Deployment
    target: Environment
    artifact: Artifact
    release: Release
    skipped: tuple[str, ...]


class Candidates:
    """
    Looks for what one project could promote; changes nothing but approvals.

    Args:
        workspace: The project's parts.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._history = workspace.history

    def source_of(self, target: str, *, start: str | None = None) -> tuple[Environment, tuple[str, ...]]:
        """
        Where a promotion into *target* comes from, and which environments it skips.

        Args:
            start: An earlier environment than the one before.

        Raises:
            ConfigError: Nothing comes before it, or *start* doesn't.
        """
        order = self._workspace.project.promotion_order
        names = [environment.name for environment in order]
        (environment,) = self._workspace.environments([target])
        if environment.created is not None:
            raise ConfigError(
                f"nothing is promoted into {target}: it was created for a while", hint=f"multistack deploy {target}"
            )
        place = names.index(environment.name)
        if place == 0:
            raise ConfigError(
                f"nothing is promoted into {target}: no environment comes before it", hint=f"multistack deploy {target}"
            )
        source = start or names[place - 1]
        self._workspace.environments([source])
        if source not in names[:place]:
            raise ConfigError(f"{source} does not come before {target}", hint=f"the order is {' → '.join(names)}")
        return order[names.index(source)], tuple(names[names.index(source) + 1 : place])

    def find(self, target: str, *, start: str | None = None) -> Candidate:
        """
        What would be promoted into *target* now.

        Raises:
            PromotionRefused: Nothing is deployed in the source, or the last deployment there was interrupted.
            ArtifactError: Its artifact isn't here, or was changed.
            ConfigError: The config of *target* is incomplete.
        """
        source, skipped = self.source_of(target, start=start)
        (environment,) = self._workspace.environments([target])
        current, last = self._history.current(source.name), self._history.last(source.name)
        if current is None:
            is_first = source is self._workspace.project.promotion_order[0]
            raise PromotionRefused(
                f"nothing can be promoted to {target}: {source.name} has no deployment",
                hint=f"multistack {'deploy' if is_first else 'promote'} {source.name}",
            )
        if last is not None and last.outcome is Outcome.INTERRUPTED:
            raise PromotionRefused(
                f"nothing can be promoted to {target}: the last deployment into {source.name} was interrupted",
                hint=f"multistack up {source.name}",
            )
        artifact = self._workspace.store.open(current.release.digest)
        release = self._workspace.releases.make(artifact, environment)
        return Candidate(source=current, target=environment, artifact=artifact, release=release, skipped=skipped)

    def facts(self, candidate: Candidate) -> Facts:
        """All that the gates before look at."""
        target, workspace = candidate.target, self._workspace
        return Facts(
            source=candidate.source,
            target=target.name,
            needs_verification=not workspace.project.verification.is_empty,
            is_protected=target.protected,
            soak=target.soak,
            since=served_since(workspace.history.of_now(candidate.source.environment)),
            now=workspace.now(),
            clock_offset=workspace.project.clock_offset,
            skipped=candidate.skipped,
            approvals=workspace.permits.approvals(target.name),
            hold=workspace.permits.held(target.name),
            gained=self._gained(candidate),
        )

    def _gained(self, candidate: Candidate) -> list[str]:
        current = self._history.current(candidate.target.name)
        if current is None:
            return []
        before = self._workspace.store.open(current.release.digest)
        return widening(
            self._plain(before, candidate.target, current.release),
            self._plain(candidate.artifact, candidate.target, candidate.release),
            old_parameters=current.release.config,
            new_parameters=candidate.release.config,
        )

    def _plain(self, artifact: Artifact, environment: Environment, release: Release) -> Mapping[str, Any]:
        parameters = parameters_of(artifact, environment.name, release)
        return expand(artifact, parameters, region=environment.region, state=self._workspace.project.state)

    def plan(self, target: str, *, start: str | None = None) -> tuple[Candidate, DeployResult]:
        """What a promotion would change, with nothing changed."""
        candidate = self.find(target, start=start)
        endpoint = self._workspace.endpoint(target)
        result = self._workspace.deployer.deploy(
            candidate.target, endpoint, candidate.artifact, candidate.release, dry_run=True
        )
        return candidate, result

    def approve(self, name: str, digest: str | None, *, by: str | None, valid: timedelta) -> Approval:
        """
        Put on record that *digest*, by default what is next for *name*, may be promoted into it.

        Raises:
            ConfigError: The environment is not protected, or no artifact has that digest.
            PromotionRefused: There is nothing to approve.
        """
        workspace, (environment,) = self._workspace, self._workspace.environments([name])
        if not environment.protected:
            raise ConfigError(
                f"{name} is not protected, so nothing needs an approval", hint=f"[environments.{name}] protected = true"
            )
        wanted = workspace.store.find(digest) if digest is not None else self.find(name).source.release.digest
        expires = workspace.now() + valid
        who = by or workspace.project.user
        workspace.permits.approve(name, wanted, by=who, expires=expires)
        return workspace.permits.approvals(name)[-1]
