"""A LocalStack whose state lies in a folder: restored when it starts, saved while it runs and when it stops."""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from multistack_localstack import gateway as entrance
from multistack_localstack.state import control, restoring, unannounced
from multistack_localstack.state.activity import Gate
from multistack_localstack.state.checkpoint import ForeignCheckpoint, Header
from multistack_localstack.state.checkpointer import Checkpointer
from multistack_localstack.state.folder import StateFolder
from multistack_localstack.state.moment import Source
from multistack_localstack.state.object_files import ObjectFiles
from multistack_localstack.state.restoring import Restored
from multistack_localstack.state.s3_storage import FileStorage
from multistack_localstack.state.services import Services

_LAMBDA, _CLOUDFORMATION = "lambda", "cloudformation"
# They call LocalStack when they begin again.
_LATE = (_LAMBDA, _CLOUDFORMATION)
# Imported once the service itself is there: what is not enabled costs no memory.
_REVIVED = {_LAMBDA: "functions", "events": "events", "sqs": "queues", _CLOUDFORMATION: "cloudformation"}
# The state folder; the image sets it.
VARIABLE = "MULTISTACK_STATE"
_log = logging.getLogger("multistack.state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Where state lies, and whose it is.

    Attributes:
        emulator: Name and version, e.g. ``localstack 4.14.0``.
    """

    folder: Path
    socket: Path
    emulator: str
    account_id: str
    region: str

    @classmethod
    def read(cls, variables: Mapping[str, str], *, version: str) -> Settings:
        """From the container's *variables*."""
        return cls(
            folder=Path(variables[VARIABLE]),
            socket=control.path_from(variables),
            emulator=f"localstack {version}",
            account_id=variables.get("MULTISTACK_ACCOUNT_ID") or "000000000000",
            region=variables.get("MULTISTACK_REGION") or "us-east-1",
        )


class Durable:
    """
    Puts the parts together around the services of one LocalStack.

    Raises:
        OSError: The folder can't be made, or another LocalStack has it.
    """

    def __init__(self, settings: Settings, services: Services) -> None:
        self._settings, self._services = settings, services
        self._folder = StateFolder(settings.folder)
        self._lock = _lock(self._folder.aside)
        self._files = ObjectFiles(self._folder.objects, self._folder.aside)
        self._gate = Gate()
        self._opened = threading.Event()
        self._restored: Restored | None = None
        self._storage: FileStorage | None = None
        self._log_events: Any = None
        self._functions: Any = None
        self._idle: list[str] = []
        source = Source(prepare=self._prepare, groups=services.groups, objects=self._objects, header=self._header)
        self._checkpointer = Checkpointer(self._folder, self._files, source, self._gate)

    def restore(self, gateway: Any) -> None:
        """
        Restore the newest state, before LocalStack listens.

        Raises:
            ForeignCheckpoint: It is another emulator's, or a later version's.
        """
        self._opened = entrance.watch(gateway, self._gate, self._checkpointer.mark)
        entrance.tell(gateway, self._condition)
        self._add_parts()
        self._restored = restoring.restore(self._folder, self._services, emulator=self._settings.emulator)
        if self._restored.is_clean:
            self._files.remove_all_but(self._folder.needed_objects())
        for name in self._services.running():
            if name not in _LATE:
                self._revive(name)
        _log.info("restored %s", self._restored.summary)
        if self._restored.loss:
            _log.error("%s", self._restored.loss)

    def open(self) -> None:
        """LocalStack listens, so it can call itself, which some services do; others wait until this returns."""
        restored = self._restored or Restored(summary="")
        try:
            for name in _LATE:
                if name in self._services.running():
                    self._revive(name)
        finally:
            unannounced.watch(self._checkpointer.mark)
            self._checkpointer.start(restored.number, restored.took)
            control.Control(self._settings.socket, {"checkpoint": self._save, "condition": self._condition})
            self._opened.set()

    def end(self) -> None:
        """Write a last checkpoint; what comes after is not saved."""
        if self._opened.is_set():
            self._checkpointer.end()

    def _add_parts(self) -> None:
        """What lies beside the stores: contents of objects, events that functions have yet to handle, and the like."""
        self._services.require(["s3", "logs", _LAMBDA])
        if provider := self._services.provider("s3"):
            self._storage = provider._storage_backend = FileStorage(self._files)
            self._services.add("s3", self._storage)
        if self._services.provider("logs"):
            self._log_events = _log_events(self._files)
            self._services.add("logs", self._log_events)
        if provider := self._services.provider(_LAMBDA):
            self._functions = _module_of(_LAMBDA).Functions(provider)
            for part in self._functions.parts:
                self._services.add(_LAMBDA, part)

    def _revive(self, name: str) -> None:
        try:
            if name == _LAMBDA:
                self._functions.revive()
            elif name in _REVIVED:
                _module_of(name).revive(self._services.provider(name))
            elif hook := self._services.hook(name):
                hook.on_after_state_load()
        except Exception:  # of any kind: the other services work
            _log.exception("%s was restored and does not work again", name)
            self._idle.append(name)

    def _objects(self) -> dict[str, int]:
        holders = filter(None, [self._storage, self._log_events])
        return {name: size for holder in holders for name, size in holder.sizes().items()}

    def _prepare(self) -> None:
        if self._log_events:
            self._log_events.prepare()

    def _header(self) -> Header:
        settings = self._settings
        return Header(
            emulator=settings.emulator,
            at=datetime.now(UTC),
            account_id=settings.account_id,
            region=settings.region,
        )

    def _save(self) -> control.Answer:
        # Whoever copies the folder now needs the objects of this checkpoint, whatever is deleted meanwhile.
        self._files.hold()
        _deliver_logs()
        self._checkpointer.save(anyway=True)
        return {"error": self._checkpointer.problem} if self._checkpointer.problem else {"at": self._checkpointer.at}

    def _condition(self) -> control.Answer:
        restored = self._restored or Restored(summary="")
        idle = f"{', '.join(self._idle)} was restored and does not work again: see its log" if self._idle else ""
        problem = "; ".join(filter(None, [self._checkpointer.problem, restored.loss, idle]))
        return {"problem": problem, "restored": restored.summary, "checkpoint": self._checkpointer.at}


def _deliver_logs() -> None:
    """What functions have written and the executor has yet to bring to CloudWatch Logs."""
    if delivery := sys.modules.get("multistack_localstack.executor.delivery"):
        delivery.DELIVERY.flush()


def _log_events(files: ObjectFiles) -> Any:
    from multistack_localstack.state.log_events import LogEvents

    return LogEvents(files)


def _module_of(service: str) -> Any:
    return importlib.import_module(f"multistack_localstack.state.revive.{_REVIVED[service]}")


def _lock(folder: Path) -> int:
    """Hold *folder* until this process ends; raises OSError if another one does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, "another LocalStack uses this state", str(folder)) from error
    return descriptor


__all__ = ["Durable", "ForeignCheckpoint", "Settings"]
