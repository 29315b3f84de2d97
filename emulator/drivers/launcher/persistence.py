"""
Gap: MiniStack 1.5.33 saves its state only when it stops in good order, one file per service, each overwriting the last.

Here is all that knows how MiniStack holds its state: the whole of it as the payload of a checkpoint and back, the code
of functions in files beside it, and the two functions of MiniStack that saved and loaded, replaced.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import persistence
from ministack.services import lambda_svc

from emulator.drivers import saved_state
from emulator.errors import MultistackError

_FORMAT = "__ministack_format__"
_PAYLOAD = "payload"
_TRIES = 5
_log = logging.getLogger("multistack.state")


class UnknownState(MultistackError):
    """The state is of a MiniStack that this one does not understand."""


class ServiceStates:
    """
    The state of all services in this process.

    Args:
        port: Where it listens now.

    Attributes:
        unused_code: Code of functions that no function has any more, as of the last :meth:`payload`.
        unsaved: What the last :meth:`payload` had to leave out, a line for each service.
    """

    def __init__(self, *, account_id: str, port: int) -> None:
        self._account_id, self._port = account_id, port
        self._kept: dict[str, Any] = {}
        self.unused_code: frozenset[str] = frozenset()
        self.unsaved: tuple[str, ...] = ()
        lambda_svc._prune_orphan_code_blobs = self._note_unused

    def payload(self) -> bytes:
        """
        All state as JSON; changes nothing, but writes code of functions into files that are not there yet.

        Raises:
            OSError: That code can't be written.
            RuntimeError: A store is changed so often that it can't be read.
        """
        services: dict[str, bytes] = {}
        unsaved = []
        for name, get_state in app._build_persistence_save_dict().items():
            try:
                state = _steady(get_state)
                if state is not None:
                    services[name] = _encode(name, state)
            except (OSError, RuntimeError):
                raise
            except Exception as error:  # whatever a service stumbles over must not cost the others their state
                unsaved.append(f"the state of {name}: {type(error).__name__}: {error}")
        self.unsaved = tuple(unsaved)
        for name, state in self._kept.items():
            if name not in services:
                services[name] = _encode(name, state)
        return saved_state.join(services)

    def payload_of_copy(self) -> bytes:
        """As :meth:`payload`, in a process that ends afterwards: nobody minds if its memory is not left as it was."""
        copy.deepcopy = _itself  # type: ignore[assignment]
        return self.payload()

    def restore(self, payload: bytes) -> list[str]:
        """
        Give every service its part of *payload*, before the first request.

        Returns:
            The services that choke on their part: they start empty.

        Raises:
            UnknownState: A part has a newer format than this MiniStack reads; nothing was restored.
        """
        payload = at_port(payload, account_id=self._account_id, port=self._port)
        with _no_collection():
            return self._restore(json.loads(payload, object_hook=persistence._json_object_hook))

    def _restore(self, services: Mapping[str, Any]) -> list[str]:
        for name, wrapped in services.items():
            known = persistence._state_format_version(name)
            if wrapped.get(_FORMAT, 0) > known:
                raise UnknownState(f"the state of {name} has format {wrapped[_FORMAT]}, MiniStack here reads {known}")
        failed = []
        for name, wrapped in services.items():
            state, module = wrapped[_PAYLOAD], app._state_map.get(name)
            if module is None:
                self._kept[name] = state
            elif state and not self._restore_one(name, module, state):
                failed.append(name)
        return failed

    def _restore_one(self, name: str, module: str, state: Any) -> bool:
        loaded = app._get_module(module)
        if isinstance(loaded, app._ErrorModule):
            self._kept[name] = state
        try:
            loaded.load_persisted_state(state)
        except Exception:  # of any kind: the other services start with what they had
            _log.exception("the state of %s can't be restored", name)
            return False
        return True

    def _note_unused(self, referenced: Set[str]) -> None:
        """In the place of MiniStack's clean-up, which does not know that the checkpoint before needs code, too."""
        with contextlib.suppress(FileNotFoundError):
            there = {path.stem for path in Path(lambda_svc.CODE_BLOB_DIR).glob("*.zip")}
            self.unused_code = frozenset(there - referenced)


def remove_code(names: Set[str]) -> None:
    """Remove the code that no checkpoint refers to."""
    for name in names:
        with contextlib.suppress(OSError):
            (Path(lambda_svc.CODE_BLOB_DIR) / f"{name}.zip").unlink()


def replace(*, load: Callable[[], None], save: Callable[[], None]) -> None:
    """Let MiniStack call *load* when it starts, and *save* when it ends in good order."""

    def save_all(_services: Mapping[str, Any]) -> None:
        save()

    app._load_persisted_state = load
    app.save_all = save_all


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """
    Let the collector of cycles neither run meanwhile nor ever look at what is there afterwards.

    It looks at all objects again and again while so many are made, which is three quarters of the time; and each look
    writes to them, so that a forked copy no longer shares their memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def at_port(payload: bytes, *, account_id: str, port: int) -> bytes:
    """
    *payload* with the account's queues at *port*.

    A queue's URL holds the port that the emulator had when the queue was made. It is the key under which everybody
    finds the queue, and functions have it in their variables; a later start may get another port.
    """
    # It begins with plain text: searched for 20 times as fast as a lookbehind.
    url = rb"(//127\.0\.0\.1:)\d+(?=/%s/)" % account_id.encode()
    return re.sub(url, rb"\g<1>%d" % port, payload)


def _itself(value: Any, _memo: Any = None) -> Any:
    return value


def forget() -> None:
    """Empty every service, and the files of objects."""
    app._reset_all_state()


def read_objects() -> None:
    """Give S3 the objects that lie in its folder: MiniStack reads them only when it is imported."""
    app._get_module(app._state_map["s3"])._load_persisted_data()


def _encode(name: str, state: Any) -> bytes:
    wrapped = {_FORMAT: persistence._state_format_version(name), _PAYLOAD: state}
    return json.dumps(wrapped, default=persistence._json_default, separators=(",", ":")).encode()


def _steady(get_state: Callable[[], Any]) -> Any:
    """What *get_state* answers; it walks through stores that other threads may change meanwhile."""
    for _ in range(_TRIES - 1):
        try:
            return get_state()
        except RuntimeError:  # "dictionary changed size during iteration"
            os.sched_yield()
    return get_state()
