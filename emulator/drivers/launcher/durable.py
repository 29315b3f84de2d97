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

    state, gate = folder / saved_state.STATE, activity.Gate()
    services = persistence.ServiceStates(account_id=settings["account_id"], port=port)
    checkpointer = checkpoints.Checkpointer(state, services, header)
    held, lost = StateFolder(state), list[str]()

    def load() -> None:
        try:
            lost.append(restoring.restore(state, services))
        except MultistackError as error:
            # Going on would put an empty state in the place of one that is only unknown here.
            _log.error("%s", error.message)
            os._exit(error.exit_code)
        if lost[-1]:
            _log.warning("%s", lost[-1])
        held.hold()
        unannounced.watch(checkpointer.mark)
        checkpointer.start()

    def condition() -> Mapping[str, str]:
        return {"problem": "; ".join(filter(None, [checkpointer.problem, *lost])), "loss": held.loss()}

    def check_whole() -> None:
        if loss := held.loss():
            raise MultistackError(f"it can't be saved: {loss}", hint=f"multistack up {folder.name}")

    def put_back(copy: Path) -> None:
        """The state of *copy*; Cognito's keys stay those of this process."""
        _, payload = saved_state.read_copy(copy)
        persistence.forget()
        saved_state.add_files(copy, state)
        persistence.read_objects()
        if failed := services.restore(payload):
            raise MultistackError(
                f"the state of {', '.join(failed)} can't be put back", hint=f"multistack up {folder.name}"
            )

    persistence.replace(load=load, save=checkpointer.end)
    return control_routes.guard(
        activity.watch(application, mark=checkpointer.mark, gate=gate),
        token=control_token(key) if key else _token(folder),
        actions={**actions, **_actions(checkpointer, gate, check_whole, put_back), "clock": clock.move},
        condition=condition,
    )


def _actions(
    checkpointer: checkpoints.Checkpointer,
    gate: activity.Gate,
    check_whole: Callable[[], None],
    put_back: Callable[[Path], None],
) -> Mapping[str, control_routes.Action]:
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
        check_whole()
        await do(lambda: checkpointer.copy(folder))

    def put_back_now(folder: Path, *, is_lasting: bool) -> None:
        put_back(folder)
        if is_lasting:
            save_now()
        else:
            checkpointer.mark()

    async def restore(content: Mapping[str, Any]) -> None:
        folder = _folder_in(content)
        check_whole()
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
