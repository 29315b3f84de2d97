"""A MiniStack process per environment: needs no Docker."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from emulator import checkpoint, node_sdk, ports, process
from emulator.drivers import control, embedded_environ, saved_state
from emulator.endpoint import health
from emulator.errors import MultistackError, NotReady, file_hint
from emulator.log_file import LogFile
from emulator.model import DriverName, Endpoint, Environment, Instance, Project, Status
from emulator.state import make_state_folder

_MODULE = "emulator.drivers.launcher"
# Clear of LocalStack's 4566 and 4510-4559, so that both can run.
_PORTS = range(4600, 5000)
# Seconds in which a process that doesn't answer yet counts as starting.
_STARTING = 20.0
_STATE = saved_state.STATE
_TEMPORARY = embedded_environ.TEMPORARY
_ERASED = "erased"
# A state that ``load`` completed, before it took the place of the other one.
_LOADED = "loaded"
# Seconds for a copy of all state: of one with gigabytes of objects too.
_SAVING = 120.0


class EmbeddedDriver:
    """
    Runs the embedded emulators of one project.

    Args:
        path: The ``PATH`` that emulators get; where they find a Node for Node functions.
        interpreters: Folders with Pythons for functions that declare another one than runs multistack.
        engine: The variables that lead to the Docker engine, for functions that are container images.
    """

    def __init__(
        self, project: Project, *, path: str, interpreters: Sequence[str] = (), engine: Mapping[str, str] = {}
    ) -> None:
        self._project = project
        self._path = path
        self._interpreters = interpreters
        self._engine = engine

    @property
    def version(self) -> str:
        """See :class:`emulator.drivers.base.Driver`."""
        return f"ministack {metadata.version('ministack')}"

    def runs(self, environment: Environment) -> bool:
        """Whether *environment* has an emulator of this driver, healthy or not: asked of the kernel only."""
        return process.is_running(self._folder(environment))

    def observe(self, environment: Environment) -> Instance:
        """See :class:`emulator.drivers.base.Driver`."""
        folder = self._folder(environment)
        record = process.read_record(folder)
        if not process.is_running(folder):
            gone = _gone(record.process.pid, folder) if record else ""
            return Instance(environment=environment.name, status=Status.STOPPED, reason=gone)
        starting = process.record_age(folder) < _STARTING and not process.is_record_broken(folder)
        unready = Status.STARTING if starting else Status.UNHEALTHY
        if record is None:
            reason = "emulator is starting" if starting else "emulator does not say where it listens"
            return Instance(environment=environment.name, status=unready, reason=reason)
        endpoint = Endpoint(
            environment=environment.name,
            url=f"http://{ports.HOST}:{record.port}",
            account_id=record.settings.get("account_id", ""),
            region=record.settings.get("region", ""),
        )
        status, reason = Status.READY, ""
        if health(endpoint, timeout=1.0) is None:
            status = unready
            reason = f"emulator (pid {record.process.pid}) does not answer"
        else:
            condition = control.condition(endpoint, timeout=1.0)
            reason = condition.loss or condition.problem
            if condition.loss:
                status = Status.UNHEALTHY
        return Instance(
            environment=environment.name,
            status=status,
            endpoint=endpoint,
            process=record.process,
            settings={name: record.settings[name] for name in environment.settings if name in record.settings},
            reason=reason,
        )

    def start(self, environment: Environment) -> Endpoint:
        """See :class:`emulator.drivers.base.Driver`."""
        folder = self._folder(environment)
        process.sweep(folder)
        try:
            if not process.is_running(folder):
                _remove_rest(folder)
                _finish_load(folder)
                _refuse_newer(environment, folder / _STATE)
            make_state_folder(self._project.state)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / embedded_environ.HOME).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotReady(f"environment {environment.name}: can't write {folder}: {error.strerror}") from error
        with ports.listen(
            port=environment.port,
            candidates=process.candidate_ports(folder, self._free_ports(environment)),
            purpose=f"environment {environment.name}",
        ) as listener:
            port = listener.getsockname()[1]
            process.spawn(
                _MODULE,
                folder=folder,
                listener=listener,
                arguments=[
                    f"--port={port}",
                    f"--settings={json.dumps(_settings(environment))}",
                    f"--engine={json.dumps(dict(self._engine))}",
                    f"--node-sdk={node_sdk.folder_of(self._project.state)}",
                    "--interpreters",
                    *self._interpreters,
                ],
                environ=embedded_environ.of(environment, folder, port=port, path=self._path),
            )
        return Endpoint(
            environment=environment.name,
            url=f"http://{ports.HOST}:{port}",
            account_id=environment.account_id,
            region=environment.region,
        )

    def stop(self, environment: Environment) -> bool:
        """See :class:`emulator.drivers.base.Driver`."""
        folder = self._folder(environment)
        stopped = process.stop(folder, grace=10.0)
        _remove_rest(folder)
        return stopped

    def erase(self, environment: Environment) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        folder = self._folder(environment)
        _finish_load(folder)
        _erase(folder)

    def save(self, environment: Environment, folder: Path) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        own = self._folder(environment)
        if process.is_running(own):
            endpoint = self.observe(environment).endpoint
            if endpoint is None:
                raise NotReady(f"environment {environment.name}: its emulator does not say where it listens")
            control.ask(endpoint, own, "snapshot", {"folder": str(folder.absolute())}, timeout=_SAVING)
            return
        _finish_load(own)
        found = saved_state.newest(own / _STATE)
        if found.payload is None:
            reason = "; ".join(found.broken) or "it never ran"
            raise MultistackError(
                f"environment {environment.name} has no state to save: {reason}",
                hint=f"multistack up {environment.name}",
            )
        header = found.header or checkpoint.Header(
            emulator=self.version,
            at=datetime.now(UTC),
            account_id=environment.account_id,
            region=environment.region,
        )
        payload = found.payload
        saved_state.write_copy(folder, lambda aside: saved_state.fill_copy(aside, own / _STATE, header, payload))

    def load(self, environment: Environment, folder: Path) -> None:
        """See :class:`emulator.drivers.base.Driver`."""
        own = self._folder(environment)
        if process.is_running(own):
            raise NotReady(
                f"environment {environment.name} is running: its state can't be replaced",
                hint=f"multistack down {environment.name}",
            )
        saved_state.check_owner(folder, environment, version=self.version)
        _finish_load(own)
        part = own / f"{_LOADED}.part"
        shutil.rmtree(part, ignore_errors=True)
        try:
            make_state_folder(self._project.state)
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
            saved_state.as_state(folder, part)
            part.rename(own / _LOADED)  # from here on it will be the state, whoever is killed
            _finish_load(own)
        except OSError as error:
            _take_back_load(own)
            raise NotReady(
                f"environment {environment.name}: can't write {own}: {error.strerror or error}", hint=file_hint(error)
            ) from error

    def load_running(self, environment: Environment, folder: Path, *, is_lasting: bool) -> None:
        """
        Replace the state of a running environment by what ``save`` wrote into *folder*, without a restart.

        Args:
            is_lasting: It survives a kill of the emulator at once; else, as any write does, after a second.

        Raises:
            MultistackError: It does not run well, or *folder* is broken or of another emulator; then only a ``load``
                helps.
        """
        saved_state.check_owner(folder, environment, version=self.version)
        endpoint = self.observe(environment).endpoint
        if endpoint is None:
            raise NotReady(f"environment {environment.name}: its emulator does not say where it listens")
        own = self._folder(environment)
        content = {"folder": str(folder.absolute()), "is_lasting": is_lasting}
        control.ask(endpoint, own, "restore", content, timeout=_SAVING)

    def logs(self, environment: Environment, *, tail: int) -> list[str]:
        """See :class:`emulator.drivers.base.Driver`."""
        try:
            text = (self._folder(environment) / process.LOG_FILE).read_text(errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-tail:]

    def log_reader(self, environment: Environment) -> LogFile:
        """See :class:`emulator.drivers.base.Driver`."""
        return LogFile(self._folder(environment) / process.LOG_FILE)

    def leftovers(self) -> list[Environment]:
        """See :class:`emulator.drivers.base.Driver`."""
        known = {environment.name for environment in self._project.environments}
        base = self._project.environment_state("")
        folders = {folder for folder in base.glob("*/") if process.is_running(folder)} | process.labelled(below=base)
        return [_leftover(folder) for folder in sorted(folders) if folder.name not in known]

    def _free_ports(self, environment: Environment) -> list[int]:
        others = self._project.ports_of_others(environment.name)
        return [port for port in _PORTS if port not in others]

    def _folder(self, environment: Environment) -> Path:
        return self._project.environment_state(environment.name)


def _gone(pid: int, folder: Path) -> str:
    """A stop in good order leaves no record, and saves all; what is said here is said by the next ``up``."""
    gone = f"emulator (pid {pid}) is gone"
    with contextlib.suppress(checkpoint.NewerCheckpoint):
        if header := saved_state.newest(folder / _STATE).header:
            checkpoint_of = f"its last checkpoint is of {header.at:%Y-%m-%d %H:%M:%S} UTC"
            return f"{gone} without a stop: writes of its last second may be lost, {checkpoint_of}"
    return gone


def _remove_rest(folder: Path) -> None:
    """Remove what is of no use to the next emulator: Lambda workers unpack their code there, killed ones leave it."""
    for name in (_TEMPORARY, _ERASED):
        shutil.rmtree(folder / name, ignore_errors=True)


def _settings(environment: Environment) -> Mapping[str, str]:
    """What its emulator says of itself as long as it runs."""
    return {"account_id": environment.account_id, "region": environment.region, **environment.settings}


def _refuse_newer(environment: Environment, state: Path) -> None:
    """Rather no emulator than one that starts without what a later multistack saved."""
    try:
        saved_state.refuse_newer(state)
    except checkpoint.NewerCheckpoint as error:
        raise NotReady(f"environment {environment.name}: {error.message}", hint=error.hint) from error


def _erase(folder: Path) -> None:
    """In one step, so that a command killed meanwhile leaves no half of a state behind."""
    _put_aside(folder)
    shutil.rmtree(folder / _ERASED, ignore_errors=True)


def _put_aside(folder: Path) -> None:
    if (folder / _STATE).exists():  # else what lies aside is what a killed load has put there
        shutil.rmtree(folder / _ERASED, ignore_errors=True)
        (folder / _STATE).rename(folder / _ERASED)


def _finish_load(folder: Path) -> None:
    """Let a loaded state take the place of the other one, also when the command that loaded it was killed."""
    if (folder / _LOADED).exists():
        _put_aside(folder)
        (folder / _LOADED).rename(folder / _STATE)
        shutil.rmtree(folder / _ERASED, ignore_errors=True)
    shutil.rmtree(folder / f"{_LOADED}.part", ignore_errors=True)


def _take_back_load(folder: Path) -> None:
    """
    Let the old state stay after a load that failed.

    Otherwise the next start would put the loaded one in its place, although the ledger says that nothing was loaded.
    """
    part = folder / f"{_LOADED}.part"
    shutil.rmtree(part, ignore_errors=True)
    with contextlib.suppress(OSError):
        (folder / _LOADED).rename(part)  # in one step: half of it must never become the state
    if not (folder / _STATE).exists():
        with contextlib.suppress(OSError):
            (folder / _ERASED).rename(folder / _STATE)
    shutil.rmtree(part, ignore_errors=True)


def _leftover(folder: Path) -> Environment:
    record = process.read_record(folder)
    settings = record.settings if record else {}
    return Environment(
        name=folder.name,
        driver=DriverName.EMBEDDED,
        account_id=settings.get("account_id", ""),
        region=settings.get("region", ""),
    )
