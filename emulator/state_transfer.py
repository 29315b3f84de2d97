"""
Whole states of environments: saved under a name, restored, copied from one environment into another.

A restore is on record in the ledger from before the state is replaced until after. Nothing of that environment runs
meanwhile, so that what a killed command left open can be done again from the start.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from emulator import account_rewrite, checkpoint
from emulator.drivers.registry import Drivers
from emulator.endpoint import answering
from emulator.errors import ArtifactError, ConfigError, MultistackError, NotReady, file_hint
from emulator.events import Emit, Event
from emulator.history import History
from emulator.lifecycle import Lifecycle, UpResult
from emulator.model import Artifact, Cause, Deployment, DriverName, Environment, Kind, Outcome, Project
from emulator.parallel import Cancellation, run_parallel
from emulator.snapshots import Snapshot, Snapshots, broken, describe
from emulator.stack import resources

_SOURCE = "snapshot "
_Results = Mapping[str, UpResult | MultistackError]


class StateTransfer:
    """
    Saves, restores and copies the states of one project's environments; its caller alone changes the project.

    Args:
        open_artifact: From the artifact store, by digest.
    """

    def __init__(
        self,
        project: Project,
        drivers: Drivers,
        history: History,
        lifecycle: Lifecycle,
        snapshots: Snapshots,
        *,
        emit: Emit,
        cancellation: Cancellation,
        open_artifact: Callable[[str], Artifact],
    ) -> None:
        self._project = project
        self._drivers = drivers
        self._history = history
        self._lifecycle = lifecycle
        self._snapshots = snapshots
        self._emit = emit
        self._cancellation = cancellation
        self._open_artifact = open_artifact

    def save(self, name: str, environments: Sequence[Environment], *, replace: bool) -> None:
        """
        Save the states of *environments*, running or stopped, as snapshot *name*: all of them or none.

        Raises:
            ConfigError: The name can't be one, or is taken.
            MultistackError: One of them has no state, or it can't be written.
        """
        by_name = {environment.name: environment for environment in environments}
        for one in by_name:
            self._history.check_no_canary(one)  # restored, it would run without anybody's knowing
        with _written(f"snapshot {name}"), self._snapshots.making(name, list(by_name), replace=replace) as folder:
            work = functools.partial(self._save_one, name, folder)
            results = run_parallel(list(by_name), lambda one: work(by_name[one]), self._cancellation)
            for result in results.values():
                if isinstance(result, MultistackError):
                    raise result

    def _save_one(self, name: str, folder: Path, environment: Environment) -> None:
        driver, current = self._drivers.of(environment), self._history.current(environment.name)
        snapshot = Snapshot(
            name=name,
            environment=environment.name,
            service=self._project.service,
            driver=environment.driver.value,
            driver_version=driver.version,
            account_id=environment.account_id,
            region=environment.region,
            at=datetime.now(UTC),
            release=current.release if current else None,
            apis=current.apis if current else (),
            skipped=current.skipped if current else (),
        )
        driver.save(environment, describe(folder, snapshot))
        self._cancellation.check()

    def find(self, name: str, environments: Sequence[Environment]) -> list[Snapshot]:
        """
        The states of *environments* in snapshot *name*, all of them whole and fit to be restored.

        Raises:
            ConfigError: It doesn't have one of them, or that one is of another driver, service, account or region.
            MultistackError: One is broken, or a later multistack wrote it.
        """
        found = [self._snapshots.find(name, environment.name) for environment in environments]
        for snapshot, environment in zip(found, environments, strict=True):
            _check_fits(snapshot, environment, service=self._project.service)
            self._check_whole(snapshot)
        return found

    def _check_whole(self, snapshot: Snapshot) -> None:
        name, environment = snapshot.name, snapshot.environment
        try:
            checkpoint.read(self._snapshots.state(name, environment) / "checkpoint")
        except checkpoint.BrokenCheckpoint as error:
            raise broken(name, environment, f"its checkpoint {error.reason}") from error

    def restore(self, found: Sequence[Snapshot], environments: Sequence[Environment], *, timeout: float) -> _Results:
        """
        Replace the states of *environments* by *found*, the release included; one that ran is started again.

        Returns:
            Per environment what was done, or why its old state is still there.
        """
        by_name = {environment.name: environment for environment in environments}
        snapshots = {snapshot.environment: snapshot for snapshot in found}
        return run_parallel(
            list(by_name),
            lambda one: self._restore_one(by_name[one], snapshots[one], timeout=timeout),
            self._cancellation,
        )

    def _restore_one(self, environment: Environment, snapshot: Snapshot, *, timeout: float) -> UpResult:
        self._emit(
            Event(environment.name, "restoring", f"snapshot {snapshot.name} of {snapshot.at:%Y-%m-%d %H:%M} UTC")
        )
        self._tell_differences(environment, snapshot)
        self._history.check_turn()
        with self._stopped(environment, timeout=timeout) as was_running:
            self._replace_state(environment, snapshot)
        did = self._lifecycle.revive(environment, timeout=timeout).did if was_running else ()
        return UpResult(environment=environment.name, did=(f"restored {snapshot.name}", *did))

    @contextlib.contextmanager
    def _stopped(self, environment: Environment, *, timeout: float) -> Iterator[bool]:
        """Stop it, saying whether it ran; if so and what is done meanwhile fails, it runs again."""
        was_running = self._drivers.stop(environment)
        try:
            yield was_running
        except (MultistackError, OSError):
            if was_running:
                self._lifecycle.revive(environment, timeout=timeout)
            raise

    def _tell_differences(self, environment: Environment, snapshot: Snapshot) -> None:
        now = self._drivers.of(environment).version
        if snapshot.driver_version != now:
            self._emit(Event(environment.name, "note:", f"it was taken by {snapshot.driver_version}; this is {now}"))
        if snapshot.release is None:
            self._emit(Event(environment.name, "note:", "nothing had been deployed when it was taken"))
            return
        try:
            self._open_artifact(snapshot.release.digest)
        except ArtifactError:
            detail = f"release {snapshot.release.id} is no longer in the artifact store: it serves, but can't be"
            self._emit(Event(environment.name, "note:", f"{detail} deployed again, so reset would refuse"))

    def _replace_state(self, environment: Environment, snapshot: Snapshot) -> None:
        state = self._snapshots.state(snapshot.name, environment.name)
        load = functools.partial(self._drivers.of(environment).load, environment, state)
        if snapshot.release is None:
            load()
            return
        deployment = self._history.begin(
            environment.name,
            snapshot.release,
            cause=Cause(kind=Kind.RESTORE, by=self._project.user, source=f"{_SOURCE}{snapshot.name}"),
        )
        try:
            load()
        except BaseException as error:
            self._history.end(deployment, Outcome.FAILED, detail=str(error))
            raise
        self._history.end(deployment, Outcome.SUCCEEDED, apis=snapshot.apis, skipped=snapshot.skipped)

    def finish(self, interrupted: Deployment) -> None:
        """Do again the restore that a killed command left open, if that is what it was."""
        source = interrupted.cause.source or ""
        if not source.startswith(_SOURCE):
            return
        name = source.removeprefix(_SOURCE)
        environments = [one for one in self._project.environments if one.name == interrupted.environment]
        try:
            for environment, snapshot in zip(environments, self.find(name, environments), strict=True):
                self._emit(Event(environment.name, "finishing", f"the restore of snapshot {name}"))
                self._drivers.stop(environment)
                self._replace_state(environment, snapshot)
        except MultistackError as error:  # it must not keep other commands from working
            self._emit(Event(interrupted.environment, "can't finish", f"its restore: {error.message}"))

    def copy(self, source: Environment, target: Environment, *, timeout: float) -> _Results:
        """
        Replace the state of *target* by that of *source*, with its account, region and stack renamed, and start it.

        Then the release on record for *target* is deployed again, or if there is none that of *source* with the config
        of *target*.

        Raises:
            ConfigError: They are the same, or of different drivers; or neither has a release.
            MultistackError: The state can't be read or written; *target* is as it was.
        """
        artifact = self.check_copy(source, target)
        self._emit(Event(target.name, "copying", f"the state of {source.name}"))
        with _written(f"the state for {target.name}"), self._snapshots.aside() as folder:
            state = folder / "state"
            self._drivers.of(source).save(source, state)
            moved = account_rewrite.move(state, self._place(source), self._place(target))
            self._cancellation.check()
            self._history.check_turn()
            with self._stopped(target, timeout=timeout):
                self._drivers.of(target).load(target, state)
        results = run_parallel(
            [target.name],
            lambda _: self._lifecycle.revive(target, timeout=timeout, build=lambda: artifact),
            self._cancellation,
        )
        if not isinstance(results[target.name], MultistackError):
            self._tell_replaced(target, moved)
        return results

    def _tell_replaced(self, target: Environment, moved: Mapping[str, str]) -> None:
        """Say which data did not survive the deployment, because its resource is called otherwise there."""
        endpoint = self._drivers.of(target).observe(target).endpoint
        if endpoint is None:
            return
        with answering(endpoint):
            now = resources(endpoint, self._project.stack_name(target.name))
        for logical_id, name in moved.items():
            if logical_id not in now:
                detail = f"release has no {logical_id}: its data is not there"
            elif now[logical_id] != name:
                detail = f"{logical_id} is called {now[logical_id]}, so it has none of the data of {name}"
            else:
                continue
            self._emit(Event(target.name, "note:", detail))

    def check_copy(self, source: Environment, target: Environment) -> Artifact:
        """What :meth:`copy` will deploy into *target*; raises what it raises before anything is touched."""
        self._history.check_no_canary(source.name)
        if source.name == target.name:
            raise ConfigError(f"{source.name} can't be copied into itself", hint="name two environments")
        if source.driver is not target.driver:
            raise ConfigError(
                f"the state of {source.name} is of driver {source.driver.value},"
                f" which that of {target.name}, {target.driver.value}, can't read"
            )
        if source.driver is not DriverName.EMBEDDED:
            # A container's state is LocalStack's own objects, in which names can't be told from data.
            raise ConfigError(
                f"the state of driver {source.driver.value} can't be given another account's names",
                hint="copy between environments with the driver embedded",
            )
        current = self._history.current(target.name) or self._history.current(source.name)
        if current is None:
            raise NotReady(f"nothing was deployed into {source.name} yet", hint=f"multistack up {source.name}")
        return self._open_artifact(current.release.digest)

    def _place(self, environment: Environment) -> account_rewrite.Place:
        driver = self._drivers.of(environment)
        endpoint = driver.observe(environment).endpoint
        if endpoint is None:
            # Only a start decides on the port, which the environment keeps from then on.
            endpoint = driver.start(environment)
            driver.stop(environment)
        return account_rewrite.Place(
            account_id=environment.account_id,
            region=environment.region,
            stack=self._project.stack_name(environment.name),
            authority=endpoint.url.removeprefix("http://"),
        )


@contextlib.contextmanager
def _written(what: str) -> Iterator[None]:
    """A disk that is full or refuses is told in one line; *what* then isn't there, not even half."""
    try:
        yield
    except OSError as error:
        raise MultistackError(f"can't write {what}: {error.strerror or error}", hint=file_hint(error)) from error


def _check_fits(snapshot: Snapshot, environment: Environment, *, service: str) -> None:
    place = f"snapshot {snapshot.name} of {environment.name}"
    for what, taken, now in (
        ("driver", snapshot.driver, environment.driver.value),
        ("service", snapshot.service, service),  # it is in the stack's name
        ("account", snapshot.account_id, environment.account_id),
        ("region", snapshot.region, environment.region),
    ):
        if taken != now:
            raise ConfigError(
                f"{place} was taken with {what} {taken}, and the project file says {now}",
                hint=f"set it back to {taken}, restore, then change it again",
            )
