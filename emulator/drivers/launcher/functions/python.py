"""Python functions: forked from a zygote or started, told what they are, then sent calls as frames."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

from emulator.drivers.launcher.functions import layers, nursery, variables
from emulator.drivers.launcher.functions.conversation import Conversation
from emulator.drivers.launcher.functions.debugging import Debugged, Debugging
from emulator.drivers.launcher.functions.multistack_runtime import frames
from emulator.drivers.launcher.functions.nursery import Nursery
from emulator.drivers.launcher.functions.packages import Package, Packages
from emulator.drivers.launcher.functions.processes import FunctionProcess, Started
from emulator.drivers.launcher.functions.results import Result
from emulator.drivers.launcher.functions.variables import Installation, Surroundings
from emulator.drivers.launcher.functions.worker import Call, ExecutionEnvironment
from emulator.interpreters import Interpreter

# Without it debugpy warns in the function's log that it may miss breakpoints in frozen modules.
_DEBUG_OPTIONS = ("-X", "frozen_modules=off")
# Seconds a cold start waits for a zygote that is just being started: it does what the function would do by itself.
_ZYGOTE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Start:
    """A function about to be started: its variables, and the first frame that tells it what it is."""

    config: Mapping[str, Any]
    variables: Mapping[str, str]
    folder: Path
    own: Sequence[Path]
    hello: bytes


class Python:
    """
    The language.

    Args:
        choose: The interpreter for a ``Runtime``.
        debugging: Which functions are debugged.
    """

    def __init__(
        self,
        *,
        surroundings: Surroundings,
        packages: Packages,
        sdk: Path,
        nursery: Nursery,
        choose: Callable[[str], Interpreter],
        debugging: Debugging,
    ) -> None:
        self._surroundings, self._sdk, self._nursery, self._choose = surroundings, sdk, nursery, choose
        self._packages, self._debugging = packages, debugging

    @property
    def packages(self) -> Packages:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        return self._packages

    def start(self, config: Mapping[str, Any], code_zip: bytes, *, stream: str) -> ExecutionEnvironment:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        taken = layers.take(self._packages, config, code_zip)
        control, theirs = socket.socketpair()
        log, log_end = os.pipe()
        mark = f"\x1e{secrets.token_hex(8)}\x1e\n"
        try:
            interpreter = self._choose(str(config.get("Runtime", "")))
            debugged = self._debugging.of(str(config.get("FunctionName", "")))
            debugged = debugged if debugged is not None and debugged.is_wanted else None
            task_root = taken[0].folder if debugged is None else self._debugging.take_code(debugged, taken[0].folder)
            start = self._prepare(
                config, taken, interpreter, task_root=task_root, mark=mark, stream=stream, debugged=debugged
            )
            if debugged is None:
                process = self._process(interpreter, start, control=theirs.fileno(), log=log_end)
            else:
                process = debugged.process = self._started(
                    interpreter, start, control=theirs.fileno(), log=log_end, options=_DEBUG_OPTIONS
                )
        except BaseException:
            control.close()
            os.close(log)
            for package in taken:
                self._packages.release(package)
            raise
        finally:
            theirs.close()
            os.close(log_end)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended; the exchange says how
            control.send(start.hello)
        talk = control.detach()
        conversation = Conversation(
            requests=talk, answers=talk, log=log, fate=process.fate, mark=mark.encode(), extract=_extract
        )
        return ExecutionEnvironment(process, conversation, taken)

    def is_debugged(self, name: str) -> bool:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        return self._debugging.of(name) is not None

    def warm(self, runtime: str) -> None:
        """Begin with what the first call of a function with *runtime* will wait for."""
        if runtime.startswith("python"):
            self._nursery.warm(self._choose(runtime).program)

    def request(self, call: Call) -> bytes:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        return frames.encode(json.dumps(call.fields()).encode())

    def result(self, answer: bytes, log: str) -> Result:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        content = json.loads(answer[1:]) if len(answer) > 1 else None
        return Result(content, log) if answer[:1] == b"R" else Result(None, log, content)

    def _prepare(
        self,
        config: Mapping[str, Any],
        taken: Sequence[Package],
        interpreter: Interpreter,
        *,
        task_root: Path,
        mark: str,
        stream: str,
        debugged: Debugged | None,
    ) -> _Start:
        opt = taken[1].folder if len(taken) > 1 else None
        _, region = lambda_runtime._account_region_from_function_config(config)
        found = variables.of_function(
            config,
            self._surroundings,
            Installation(task_root=task_root, opt=opt, runtime_dir=self._sdk),
            credentials=lambda_runtime.execution_credentials(config),
            region=region,
            stream=stream,
        )
        site = [opt / "python/lib" / interpreter.name / "site-packages", opt / "python"] if opt else []
        more = [Path(folder) for folder in found.get("PYTHONPATH", "").split(":") if folder]
        own = [task_root, *(folder for folder in site if folder.is_dir()), *more]
        hello = {
            "mark": mark,
            "handler": found["_HANDLER"],
            "path": [str(folder) for folder in own if folder not in more],
            "site_path": [str(folder) for folder in site if any(folder.glob("*.pth"))],
            "runtime_path": [str(self._sdk)],
            "debug": {"port": debugged.port, "library": debugged.library} if debugged is not None else None,
            "snapstart": found["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start",
            "depth_header": lambda_runtime.INVOKE_DEPTH_HEADER,
            "durable": list(lambda_runtime.DURABLE_ENV_VARS),
            "logging": {
                "format": found.get("AWS_LAMBDA_LOG_FORMAT", "Text"),
                "level": found.get("AWS_LAMBDA_LOG_LEVEL", ""),
            },
            "function": {
                "name": found["AWS_LAMBDA_FUNCTION_NAME"],
                "version": found["AWS_LAMBDA_FUNCTION_VERSION"],
                "memory": found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
                "log_group": found["AWS_LAMBDA_LOG_GROUP_NAME"],
                "log_stream": stream,
            },
        }
        return _Start(config, found, task_root, own, frames.encode(json.dumps(hello).encode()))

    def _process(self, interpreter: Interpreter, start: _Start, *, control: int, log: int) -> FunctionProcess:
        zygote = self._nursery.warm(interpreter.program)
        loaded = zygote.modules(timeout=_ZYGOTE_SECONDS) if zygote is not None else None
        own = (start.config.get("Environment") or {}).get("Variables") or {}
        if zygote is not None and loaded is not None and "LD_LIBRARY_PATH" not in start.variables:
            if nursery.is_forkable(own, start.own, loaded):
                try:
                    return zygote.fork(start.variables, start.folder, control=control, log=log)
                except OSError:
                    self._nursery.drop(zygote)
        elif zygote is not None and zygote.has_failed:
            self._nursery.drop(zygote)
        return self._started(interpreter, start, control=control, log=log)

    def _started(
        self, interpreter: Interpreter, start: _Start, *, control: int, log: int, options: Sequence[str] = ()
    ) -> FunctionProcess:
        child = subprocess.Popen(
            nursery.command(interpreter.program, "serve", control, log, options=options),
            env=dict(start.variables),
            cwd=start.folder,
            umask=0o022,  # not the emulator's own, which keeps its state from others
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(control, log),
            process_group=0,
        )
        return Started(child)


def _extract(received: bytearray) -> bytes | None:
    """The one frame that a process sends for each request."""
    size = frames.HEAD.size
    if len(received) < size:
        return None
    (length,) = frames.HEAD.unpack_from(received)
    if len(received) < size + length:
        return None
    content = bytes(received[size : size + length])
    received.clear()
    return content
