"""MiniStack's application with a state that outlives its process, and the routes by which commands ask for it."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from emulator import checkpoint
from emulator.drivers import control, saved_state
from emulator.drivers.launcher import activity, checkpoints, control_routes, persistence, restoring, unannounced
from emulator.drivers.launcher.clock import Clock
from emulator.drivers.launcher.loopback_guard import Application
from emulator.drivers.launcher.state_folder import StateFolder
from emulator.endpoint_key import control_token
from emulator.errors import MultistackError

_log = logging.getLogger("multistack.state")


def make_durable(
    application: Application,
    folder: Path,
    settings: Mapping[str, str],
    *,
    port: int,
    actions: Mapping[str, control_routes.Action] = {},
    key: str | None = None,
) -> Application:
    """
    *application*, whose state lies in *folder* from now on; restored when it starts, saved while it runs.

    Args:
        folder: Of the environment; its ``token`` is written before this returns.
        settings: What the emulator says of itself; ``account_id`` and ``region`` are there.
        port: Where it listens.
        actions: More that commands may ask for.
        key: Of an emulator that listens beyond this machine: its token follows from it.
    """
    clock = Clock(checks_signatures=settings.get("IAM enforcement") == "on")
    emulator = f"ministack {metadata.version('ministack')}"

    def header() -> checkpoint.Header:
        return checkpoint.Header(
            emulator=emulator, at=clock.machine_time(), account_id=settings["account_id"], region=settings["region"]
        )

    services = persistence.ServiceStates(account_id=settings["account_id"], port=port)
    durable, gate = _Durable(folder, services, header), activity.Gate()
    persistence.replace(load=durable.load, save=durable.checkpointer.end)
    return control_routes.guard(
        activity.watch(application, mark=durable.checkpointer.mark, gate=gate),
        token=control_token(key) if key else _token(folder),
        actions={**actions, **_actions(durable, gate), "clock": clock.move},
        condition=durable.condition,
    )


class _Durable:
    """The state of the emulator of *folder*: in memory, and in its checkpoints."""

    def __init__(
        self, folder: Path, services: persistence.ServiceStates, header: Callable[[], checkpoint.Header]
    ) -> None:
        self._folder, self._state, self._services = folder, folder / saved_state.STATE, services
        self.checkpointer = checkpoints.Checkpointer(self._state, services, header)
        self._held = StateFolder(self._state)
        # What the restored checkpoint was not: the newest, or whole.
        self._lost = ""

    def load(self) -> None:
        """Restore the newest checkpoint, write others from now on; ends the process if the state is unknown here."""
        try:
            self._lost = restoring.restore(self._state, self._services)
        except MultistackError as error:
            # Going on would put an empty state in the place of one that is only unknown here.
            _log.error("%s", error.message)
            os._exit(error.exit_code)
        if self._lost:
            _log.warning("%s", self._lost)
        self._held.hold()
        unannounced.watch(self.checkpointer.mark)
        self.checkpointer.start()

    def condition(self) -> Mapping[str, str]:
        """What is wrong with keeping it, for whoever asks how the emulator is; empty words where nothing is."""
        problems = filter(None, [self.checkpointer.problem, self._lost])
        return {"problem": "; ".join(problems), "loss": self._held.loss()}

    def check_whole(self) -> None:
        """
        Raise unless all of it is there.

        Raises:
            MultistackError: Somebody removed the folder, or a part of it.
        """
        if loss := self._held.loss():
            raise MultistackError(f"it can't be saved: {loss}", hint=f"multistack up {self._folder.name}")

    def put_back(self, copy: Path) -> None:
        """
        The state of *copy*; Cognito's keys stay those of this process.

        Raises:
            MultistackError: A service can't take its part.
        """
        _, payload = saved_state.read_copy(copy)
        persistence.forget()
        saved_state.add_files(copy, self._state)
        persistence.read_objects()
        if failed := self._services.restore(payload):
            raise MultistackError(
                f"the state of {', '.join(failed)} can't be put back", hint=f"multistack up {self._folder.name}"
            )


def _actions(durable: _Durable, gate: activity.Gate) -> Mapping[str, control_routes.Action]:
    checkpointer = durable.checkpointer
    # MiniStack's own threads may all be busy with functions that wait at the gate.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="multistack-control")

    async def do(job: Callable[[], None]) -> None:
        async with gate.closed():
            await asyncio.get_running_loop().run_in_executor(thread, job)

    def save_now() -> None:
        checkpointer.save()
        if checkpointer.problem:
            raise MultistackError(checkpointer.problem)

    async def save(_content: Mapping[str, Any]) -> None:
        await do(save_now)

    async def snapshot(content: Mapping[str, Any]) -> None:
        folder = _folder_in(content)
        durable.check_whole()
        await do(lambda: checkpointer.copy(folder))

    def put_back_now(folder: Path, *, is_lasting: bool) -> None:
        durable.put_back(folder)
        if is_lasting:
            save_now()
        else:
            checkpointer.mark()

    async def restore(content: Mapping[str, Any]) -> None:
        folder = _folder_in(content)
        durable.check_whole()
        await do(lambda: put_back_now(folder, is_lasting=content.get("is_lasting") is not False))

    def forget() -> None:
        persistence.forget()
        save_now()

    async def reset(_content: Mapping[str, Any]) -> None:
        await do(forget)

    return {"checkpoint": save, "snapshot": snapshot, "restore": restore, "reset": reset}


def _folder_in(content: Mapping[str, Any]) -> Path:
    folder = content.get("folder")
    if not isinstance(folder, str) or not Path(folder).is_absolute():
        raise MultistackError("a snapshot needs the absolute path of its folder")
    return Path(folder)


def _token(folder: Path) -> str:
    try:
        return control.new_token(folder)
    except OSError as error:
        _log.error("can't write the token: %s: nothing can be asked of this emulator", error)
        return secrets.token_urlsafe(32)
