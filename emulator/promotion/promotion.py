"""Promote, verify, roll back: a release that is there already, put where it goes next, with everything on record."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.child_environ import environ_for
from emulator.command import last_lines
from emulator.deploy import DeployResult
from emulator.errors import ConfigError, MultistackError, NotReady, PromotionRefused
from emulator.events import Event
from emulator.model import Cause, Deployment, Gate, GateResult, Kind, Outcome
from emulator.promotion.candidates import Candidate, Candidates
from emulator.promotion.earlier import earlier
from emulator.promotion.gates import Consent, gates_before
from emulator.promotion.replaying import check_replayable, replay_of
from emulator.promotion.verification import verify
from emulator.served import line_of
from emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """
    What a promotion did.

    Attributes:
        is_new: It wasn't what the environment served already.
        gates: Before and after, as they are on record.
        changes: How many resources it touched.
    """

    environment: str
    release: str
    digest: str
    promoted_from: str
    is_new: bool
    gates: Sequence[Gate]
    changes: int


class RolledBack(PromotionRefused):
    """A gate after a deployment failed; the release before serves again, or the hint says what does."""


class Promotion:
    """
    Moves releases of one project; whoever calls what changes something alone changes the project.

    Args:
        workspace: The project's parts.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.candidates = Candidates(workspace)
        self._history = workspace.history

    def promote(self, target: str, consent: Consent, *, start: str | None = None) -> Promoted:
        """
        Put what the source serves into *target*, verify it there, and go back to the release before if it is not good.

        Raises:
            PromotionRefused: A gate before does not hold, and nothing was touched; or one after failed, and the
                release before serves again.
            DeployError: It could not be deployed.
        """
        endpoint = self.workspace.endpoint(target)
        if not self.workspace.project.verification.is_empty:
            self.check_verifiable(target)  # before anything is touched
        candidate = self.candidates.find(target, start=start)
        before = self._history.current(target)
        is_there = before is not None and before.release.id == candidate.release.id
        if is_there and self.workspace.deployer.is_deployed(endpoint, candidate.release):
            return _promoted(candidate, None, self._verify_cut(candidate, before))
        candidate = self._with_verified_source(candidate, start=start)
        gates = gates_before(self.candidates.facts(candidate), consent)
        for gate in gates:
            self._emit_gate(target, gate)
        cause = Cause(
            kind=Kind.PROMOTE,
            by=self.workspace.project.user,
            promoted_from=candidate.source.environment,
            reason=consent.override,
        )
        result = self.workspace.deployer.deploy(
            candidate.target,
            endpoint,
            candidate.artifact,
            candidate.release,
            cause=cause,
            gates=gates,
            skip_unsupported=bool(candidate.source.skipped),
        )
        after = self._verify_new(candidate, before) if result.deployment else ()
        return _promoted(candidate, result, (*gates, *after))

    def _verify_cut(self, candidate: Candidate, there: Deployment | None) -> Sequence[Gate]:
        """Verify what a promotion put there that was cut before its verification, or what got there without one."""
        if there is None or there.is_verified:
            return ()
        line = line_of(self._history.of_now(there.environment))
        return self._verify_new(candidate, line[-2] if len(line) > 1 else None)

    def promote_on(self, name: str) -> Iterator[Promoted]:
        """
        Promote what *name* has verified into what follows it, as far as the project says that this needs nobody.

        A gate that does not hold ends it, and is told; one that fails afterwards is raised as by :meth:`promote`.
        """
        names = [environment.name for environment in self.workspace.project.promotion_order]
        following_names = names[names.index(name) + 1 :] if name in names else []
        for following in following_names:
            if following not in self.workspace.project.auto_promote_to:
                return
            try:
                if refused := self._refused(following):
                    hint = f"multistack promote {following} tries it again"
                    raise PromotionRefused(f"{refused[:12]} did not pass there before", hint=hint)
                promoted = self.promote(following, Consent())
            except RolledBack:
                raise
            except (PromotionRefused, NotReady, ConfigError) as error:
                self.workspace.emit(Event(following, "not promoted", f"{error.message}; {error.hint}"))
                return
            yield promoted

    def _refused(self, name: str) -> str | None:
        """The digest that would be promoted into *name*, if it was before and did not pass."""
        digest = self.candidates.find(name).source.release.digest
        tried = [one for one in self._history.deployments(name) if one.release.digest == digest]
        return digest if tried and tried[-1].gates_after and not tried[-1].is_verified else None

    def _with_verified_source(self, candidate: Candidate, *, start: str | None) -> Candidate:
        """Verify the source if nobody has since its deployment; whether it held is on record, and a gate's to judge."""
        verification, source = self.workspace.project.verification, candidate.source
        if verification.is_empty or source.gates_after:
            return candidate
        self.verify(source.environment)
        return self.candidates.find(candidate.target.name, start=start)

    def verify(self, name: str) -> Sequence[Gate]:
        """
        Find out whether what *name* serves works, and put it on record.

        Raises:
            ConfigError: The project says nothing about how.
            NotReady: The environment, or the proxy, does not run; or nothing is deployed.
        """
        workspace = self.workspace
        url = self.check_verifiable(name)
        endpoint, current = workspace.endpoint(name), self._history.current(name)
        self._history.check_no_canary(name)  # some of the answers would be those of another release
        last = self._history.last(name)
        if last is not None and last.outcome is Outcome.INTERRUPTED:
            raise NotReady(f"the last deployment into {name} was interrupted", hint=f"multistack up {name}")
        if current is None:
            raise NotReady(f"nothing is deployed in {name} yet", hint=f"multistack deploy {name}")
        started = time.monotonic()
        workspace.emit(Event(name, "verifying", current.release.id))
        environ = environ_for(endpoint, url=url, caller=workspace.environ)
        gates, lines = verify(
            workspace.project.verification,
            url=url,
            folder=workspace.project.root,
            environ={**environ, "MULTISTACK_PYTHON": sys.executable},
            log=self.log_of(name),
            cancelled=workspace.cancellation.check,
            replay=replay_of(workspace, name, current.release.id),
        )
        gates = self._history.add_gates(current.id, gates)
        for gate in gates:
            self._emit_gate(name, gate)
        for line in lines:
            workspace.emit(Event(name, "  |", line))
        is_good = all(gate.result is GateResult.PASSED for gate in gates)
        workspace.emit(Event(name, "verified" if is_good else "not verified", "", time.monotonic() - started))
        return gates

    def check_verifiable(self, name: str) -> str:
        """
        Where *name* would be verified.

        Raises:
            ConfigError: The project says nothing about how.
            NotReady: The proxy does not run.
        """
        if self.workspace.project.verification.is_empty:
            raise ConfigError(
                f"{self.workspace.project.file.name} does not say how to verify an environment",
                hint="give it [verify] with a command, with checks, or with a replay",
            )
        check_replayable(self.workspace.project)
        url = self.workspace.tested_url(name)
        if url is None:
            raise NotReady("the proxy does not run, and verification goes through it", hint="multistack up")
        return url

    def log_of(self, name: str) -> Path:
        """Where all that the last verification of *name* said is kept."""
        return self.workspace.project.environment_state(name) / "verify.log"

    def last_said(self, name: str) -> str:
        """The last lines of that."""
        try:
            with self.log_of(name).open("rb") as said:
                return "\n".join(last_lines(said))
        except FileNotFoundError:
            return ""

    def _emit_gate(self, name: str, gate: Gate) -> None:
        self.workspace.emit(Event(name, gate.result.value, f"{gate.name}: {gate.detail}"))

    def _verify_new(self, candidate: Candidate, before: Deployment | None) -> Sequence[Gate]:
        """Verify what was just deployed; a failure brings back what was there, and is raised."""
        if self.workspace.project.verification.is_empty:
            return ()
        self.workspace.publish()  # the proxy must know the new release's APIs
        gates = self.verify(candidate.target.name)
        failed = [gate for gate in gates if gate.result is GateResult.FAILED]
        if not failed:
            return gates
        name, why = candidate.target.name, f"{failed[0].name} {failed[0].detail}"
        raise RolledBack(
            f"{candidate.release.id} did not pass in {name}: {why}",
            hint=f"see {self.log_of(name)}; {self._go_back(candidate, before, why)}",
            details=[f"{gate.name}: {gate.detail}" for gate in failed[1:]],
        )

    def _go_back(self, candidate: Candidate, before: Deployment | None, why: str) -> str:
        """Roll back on our own account; returns what serves now."""
        name, refused = candidate.target.name, candidate.release.id
        if before is None:
            return f"{name} had nothing before, so it still serves it"
        if before.release.id == refused:
            return f"{name} served it before, and still does"
        try:
            self._deploy_again(before, reason=f"after {refused}: {why}")
        except MultistackError as error:
            return f"{before.release.id} could not be brought back: {error.message}; multistack rollback {name}"
        return f"{before.release.id} is served again"

    def _deploy_again(self, deployment: Deployment, *, reason: str) -> DeployResult:
        """An earlier deployment's release, with its own config."""
        (environment,) = self.workspace.environments([deployment.environment])
        endpoint = self.workspace.endpoint(environment.name)
        self.workspace.emit(Event(environment.name, "rolling back", f"to {deployment.release.id}"))
        return self.workspace.deployer.deploy(
            environment,
            endpoint,
            self.workspace.store.open(deployment.release.digest),
            deployment.release,
            skip_unsupported=bool(deployment.skipped),
            restores=True,
            cause=Cause(kind=Kind.ROLLBACK, by=self.workspace.project.user, reason=reason),
        )

    def rollback(self, name: str, *, to: str | None, reason: str) -> DeployResult:
        """
        Bring back an earlier release of *name*, and hold the environment.

        Args:
            to: The first digits of the release; by default the last other one that succeeded.

        Raises:
            PromotionRefused: There is no such release.
        """
        self._history.check_no_canary(name)
        wanted = earlier(self.workspace, name, to=to)
        current = self._history.current(name)
        left = current.release.id if current else "nothing"
        if left == wanted.release.id and self.workspace.deployer.is_deployed(
            self.workspace.endpoint(name), wanted.release
        ):
            raise PromotionRefused(f"{name} serves {left} already", hint=f"multistack history {name}")
        result = self._deploy_again(wanted, reason=reason or f"after {left}")
        if name not in {one.name for one in self.workspace.project.promotion_order}:
            return result  # nothing is promoted into one that was created
        held = f"rolled back from {left} to {wanted.release.id}" + (f": {reason}" if reason else "")
        self.workspace.permits.hold(name, reason=held, by=self.workspace.project.user)
        self.workspace.emit(Event(name, "held", f"until `multistack hold {name} --lift`"))
        return result


def _promoted(candidate: Candidate, result: DeployResult | None, gates: Sequence[Gate]) -> Promoted:
    return Promoted(
        environment=candidate.target.name,
        release=candidate.release.id,
        digest=candidate.release.digest,
        promoted_from=candidate.source.environment,
        is_new=result is not None and result.deployment is not None,
        gates=tuple(gates),
        changes=len(result.changes) if result else 0,
    )
