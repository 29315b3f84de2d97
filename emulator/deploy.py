"""One artifact into one environment: planned, executed, verified, recorded. Nothing here can reach the builder."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from emulator import artifact_bucket, own_stack, secret_delivery, stack
from emulator.apis import apis_of, are_there, check_api
from emulator.artifact import ArtifactStore
from emulator.conditions import as_made
from emulator.deployed_code import WrongCode, put_code, verify_code
from emulator.endpoint import answering
from emulator.errors import DeployError, MultistackError, NotReady
from emulator.events import Emit, Event
from emulator.expansion import expand, hash_template, needs_sam
from emulator.history import History
from emulator.limitations import Limitation, left_of, of_types
from emulator.model import Artifact, Cause, Endpoint, Environment, Gate, Kind, Outcome, Project, Release
from emulator.release import check_config, parameters_of
from emulator.template import Template, load_translator
from emulator.vault import Vault

Cancelled = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A change set, the template it brings, and what was left out of it."""

    change_set: stack.ChangeSet
    template: Template
    skipped: tuple[str, ...] = ()
    is_canary: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployResult:
    """
    What a deployment did.

    Attributes:
        changes: What the change set held; empty when the release was already there.
        skipped: Resources left out on request.
        is_dry_run: Nothing was executed.
        deployment: Its id in the ledger; None when nothing was to do.
    """

    environment: str
    release: Release
    changes: tuple[stack.Change, ...]
    skipped: tuple[str, ...] = ()
    is_dry_run: bool = False
    deployment: int | None = None


class Deployer:
    """
    Puts releases of one project into its environments.

    Args:
        cancelled: Called while waiting; raises to stop.
        verify: Raises :class:`WrongCode` when a function runs other bytes than the artifact's.
        check: Raises when the plain template of an environment can't run here.
        limits: The resources of an environment's plain template that can't be deployed into it.
        get_ready: Called before a deployment that will be remembered.
        remember: Keeps what a stack consists of right after its deployment, so that drift can be found later.
        prepare_seed: Returns what is called once a plain template was deployed, to put first data into the environment;
            raises when that data is wrong.
    """

    def __init__(
        self,
        project: Project,
        history: History,
        vault: Vault,
        *,
        emit: Emit,
        cancelled: Cancelled,
        verify: Callable[[Endpoint, Artifact, Mapping[str, str]], None] | None = None,
        check: Callable[[str, Template], None] = lambda _environment, _template: None,
        limits: Callable[[str, Template], Sequence[Limitation]] = lambda _environment, _template: (),
        get_ready: Callable[[Endpoint, Template], None] = lambda _endpoint, _template: None,
        remember: Callable[[Endpoint, str, Template, Release], None] = lambda *_deployed: None,
        prepare_seed: Callable[..., Callable[[], None] | None] = lambda *_planned, **_how: None,
    ) -> None:
        self._project = project
        self._history = history
        self._vault = vault
        self._emit = emit
        self._cancelled = cancelled
        self._verify = verify or verify_code
        self._check = check
        self._limits = limits
        self._get_ready = get_ready
        self._remember = remember
        self._prepare_seed = prepare_seed

    def prepare(self, artifact: Artifact) -> None:
        """Load what deploying *artifact* needs, while its emulators still start: SAM's translator takes its time."""
        if needs_sam(dict(artifact.template)):
            load_translator()

    def check_turn(self) -> None:
        """See :meth:`emulator.history.History.check_turn`."""
        self._history.check_turn()

    def is_deployed(self, endpoint: Endpoint, release: Release) -> bool:
        """Whether *release*, verified, is what the environment serves right now, by the APIs that are on record."""
        name = self._project.stack_name(endpoint.environment)
        with answering(endpoint):
            found, current = stack.describe(endpoint, name), self._history.current(endpoint.environment)
            if found is None or not found.is_stable or artifact_bucket.read_mark(endpoint, name) != release.id:
                return False
            # Without them the proxy would answer "Not Found" to every request.
            return current is None or are_there(current.apis, stack.resources(endpoint, name))

    def deploy(
        self,
        environment: Environment,
        endpoint: Endpoint,
        artifact: Artifact,
        release: Release,
        *,
        skip_unsupported: bool = False,
        dry_run: bool = False,
        restores: bool = False,
        cause: Cause | None = None,
        gates: Sequence[Gate] = (),
        canary: Callable[[Template], Template] | None = None,
    ) -> DeployResult:
        """
        Bring *environment* to *release*.

        Args:
            dry_run: Change nothing but, for a long template, the bucket: CloudFormation takes it only from there.
            restores: It is a release on record: the project's ``api`` of today has no say about its template.
            cause: For the ledger; by default somebody deploys.
            gates: What let it happen, for the ledger.
            canary: Makes its plain template one that gives it only a share of the calls, beside the release on record.

        Raises:
            PromotionRefused: A canary runs there, and this is not its end.
            ConfigError: Its config, or ``api``, doesn't fit the template; nothing was touched.
            DeployError: The emulator refused or failed it, and the previous release serves on; or functions run other
                code than the artifact's, and the release on record was brought back. The hint says what serves now.
            NotReady: The emulator ended meanwhile.
        """
        cause = cause or Cause(kind=Kind.REDEPLOY if restores else Kind.DEPLOY, by=self._project.user)
        running = self._history.canary(environment.name)
        if not dry_run and (canary or cause.kind not in (Kind.CANARY, Kind.REDEPLOY)):
            self._history.check_no_canary(environment.name)
        parameters, template = self._template(environment, endpoint, artifact, release, dry_run=dry_run)
        template = canary(template) if canary else template
        if not restores:
            check_api(self._project, template)
        is_on_record = running is None and self._is_current(environment.name, release)
        if not dry_run and is_on_record and self.is_deployed(endpoint, release):
            return DeployResult(environment=environment.name, release=release, changes=())
        made = as_made(template, parameters, environment, self._project.stack_name(environment.name))
        self._check(environment.name, made)
        refused = self._limits(environment.name, made)
        planned = functools.partial(self._planned, endpoint, artifact, parameters)
        ask = functools.partial(planned, template, skip_unsupported=False, dry_run=True)
        template, skipped = left_of(template, environment.name, refused, skips=skip_unsupported, ask=ask)
        put_seed = None
        if canary is None:
            put_seed = self._prepare_seed(environment, endpoint, template, restores=restores)
        plan = planned(template, skip_unsupported=skip_unsupported, dry_run=dry_run)
        plan = replace(plan, is_canary=canary is not None, skipped=(*skipped, *plan.skipped))
        result = DeployResult(
            environment=environment.name,
            release=release,
            changes=plan.change_set.changes,
            skipped=plan.skipped,
            is_dry_run=dry_run,
        )
        if dry_run:
            return result
        try:
            deployment = self._record(endpoint, artifact, release, plan, cause=cause, gates=gates)
        except WrongCode as error:
            if restores:
                raise
            raise self._bring_back(environment, endpoint, release, error) from error
        if put_seed:
            put_seed()
        return replace(result, deployment=deployment)

    def _planned(
        self,
        endpoint: Endpoint,
        artifact: Artifact,
        parameters: Mapping[str, str],
        template: Template,
        *,
        skip_unsupported: bool,
        dry_run: bool,
    ) -> _Plan:
        """A change set towards *template*, with the code in the environment's bucket unless nothing is to be run."""
        with answering(endpoint):
            if not dry_run:
                self._get_ready(endpoint, template)
                artifact_bucket.make(endpoint)
                put_code(endpoint, artifact, cancelled=self._cancelled)
            elif stack.is_long(template):
                artifact_bucket.make(endpoint)
            make = functools.partial(stack.plan, parameters=parameters, dry_run=dry_run)
            return self._plan(endpoint, template, make=make, skip_unsupported=skip_unsupported)

    def _template(
        self, environment: Environment, endpoint: Endpoint, artifact: Artifact, release: Release, *, dry_run: bool
    ) -> tuple[Mapping[str, str], Template]:
        """The parameters of *release*, and its plain template in *environment*; refuses to touch a stranger's stack."""
        name = self._project.stack_name(environment.name)
        check_config(self._project, artifact, environment.name, (*release.config, *release.secrets))
        with answering(endpoint):
            if endpoint.is_shared:
                own_stack.check_owner(endpoint, self._project)
            arns = secret_delivery.arns(endpoint, name, release, self._vault, dry_run=dry_run)
        parameters = parameters_of(artifact, environment.name, release, arns)
        expanded = expand(artifact, parameters, region=environment.region, state=self._project.state)
        return parameters, artifact_bucket.put_in(endpoint, expanded)

    def _bring_back(
        self, environment: Environment, endpoint: Endpoint, refused: Release, error: WrongCode
    ) -> DeployError:
        """Deploy the release on record again; returns what to tell about *refused* and what serves now."""
        name, before = environment.name, self._history.current(environment.name)
        if before is None or before.release.id == refused.id:
            hint = f"it serves that other code; `multistack reset {name}` erases its data and deploys anew"
            return DeployError(error.message, hint=hint)
        recorded = before.release.id
        self._emit(Event(name, "redeploying", f"{recorded}, because functions run other code than {refused.id}"))
        try:
            artifact = ArtifactStore(self._project.state / "artifacts").open(before.release.digest)
            skip_unsupported = bool(before.skipped)
            self.deploy(
                environment, endpoint, artifact, before.release, skip_unsupported=skip_unsupported, restores=True
            )
        except MultistackError as failure:
            return DeployError(
                error.message,
                hint=f"it may serve that other code; bring {recorded} back with `multistack up {name}`",
                details=[f"{recorded} could not be brought back: {failure.message}"],
            )
        return DeployError(error.message, hint=f"release {recorded} is served again")

    def _is_current(self, environment: str, release: Release) -> bool:
        current = self._history.current(environment)
        return current is not None and current.release.id == release.id

    def _plan(
        self,
        endpoint: Endpoint,
        template: Template,
        *,
        make: Callable[..., stack.ChangeSet],
        skip_unsupported: bool,
    ) -> _Plan:
        plan = functools.partial(
            make,
            endpoint,
            self._project.stack_name(endpoint.environment),
            tags=own_stack.tags_of(self._project, endpoint.environment),
            bucket=artifact_bucket.name_of(endpoint),
            cancelled=self._cancelled,
        )
        try:
            return _Plan(change_set=plan(template), template=template)
        except stack.UnsupportedTypes as error:
            refused = of_types(template, error.types)
        smaller, skipped = left_of(template, endpoint.environment, refused, skips=skip_unsupported)
        return _Plan(change_set=plan(smaller), template=smaller, skipped=tuple(skipped))

    def _execute(
        self, endpoint: Endpoint, artifact: Artifact, plan: _Plan, *, mark_before: str | None
    ) -> Mapping[str, str]:
        """Logical id to physical id of what the stack has now; after a clean rollback the old mark holds again."""
        name = plan.change_set.stack
        try:
            if not plan.change_set.is_empty:
                self.check_turn()
                stack.execute(endpoint, plan.change_set, cancelled=self._cancelled)
        except DeployError:
            found = stack.describe(endpoint, name)
            if found is not None and found.status == "UPDATE_ROLLBACK_COMPLETE":
                self.check_turn()  # else it would say of another operator's release that the one before is there
                artifact_bucket.write_mark(endpoint, name, mark_before)
            raise
        physical = stack.resources(endpoint, name)
        self._verify(endpoint, artifact, physical)
        return physical

    def _record(
        self,
        endpoint: Endpoint,
        artifact: Artifact,
        release: Release,
        plan: _Plan,
        *,
        cause: Cause,
        gates: Sequence[Gate],
    ) -> int:
        """Execute and verify between the ledger's two rows, so that whatever happens is on record; returns its id."""
        name, environment = plan.change_set.stack, endpoint.environment
        started, before = time.monotonic(), artifact_bucket.read_mark(endpoint, name)
        deployment = self._history.begin(
            environment, release, cause=cause, template_hash=hash_template(plan.template), gates=gates
        )
        try:
            with answering(endpoint):
                self.check_turn()
                artifact_bucket.write_mark(endpoint, name, None)
                secret_delivery.deliver(endpoint, name, release, self._vault)
                physical = self._execute(endpoint, artifact, plan, mark_before=before)
                apis = apis_of(plan.template, physical)
                self.check_turn()
                self._remember(endpoint, name, plan.template, release)
                # Beside a canary the release on record is still what must be there.
                artifact_bucket.write_mark(endpoint, name, before if plan.is_canary else release.id)
        except DeployError as error:
            self._history.end(deployment, Outcome.FAILED, detail=error.message)
            self._put_secrets_back(endpoint, name)
            raise
        except BaseException as error:
            self._history.interrupt(deployment, _cause(error))
            raise
        outcome, done = (Outcome.CANARY, "canary of") if plan.is_canary else (Outcome.SUCCEEDED, "deployed")
        self._history.end(deployment, outcome, apis=apis, skipped=plan.skipped)
        self._emit(Event(environment, done, release.id, time.monotonic() - started))
        return deployment

    def _put_secrets_back(self, endpoint: Endpoint, name: str) -> None:
        """What serves on after a failure is the release on record, which has its own."""
        if current := self._history.current(endpoint.environment):
            try:
                with answering(endpoint):
                    self.check_turn()
                    secret_delivery.deliver(endpoint, name, current.release, self._vault)
            except MultistackError as error:  # what made the deployment fail is what matters
                self._emit(Event(endpoint.environment, "warning:", f"its secrets were not put back: {error.message}"))


def _cause(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "stopped by the user"
    return error.message if isinstance(error, NotReady) else repr(error)
