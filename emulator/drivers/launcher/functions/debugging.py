"""
Functions that somebody debugs: one process of each has a debugger in it, and no call of it runs out of time.

Their code lies in a folder that stays the same through deployments, so that breakpoints find it.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.drivers.launcher.functions.processes import FunctionProcess
from emulator.drivers.launcher.functions.worker import FunctionWorker, InitError
from emulator.errors import MultistackError

_FOLDER = "debug"
_threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="multistack-debug")


@dataclass(slots=True, kw_only=True)
class Debugged:
    """
    A function that is debugged.

    Attributes:
        port: Where its debugger listens, on 127.0.0.1.
        library: The folder that debugpy is in.
        folder: What its code is copied to.
        process: The one with the debugger; others of the function may run beside it.
    """

    port: int
    library: str
    folder: Path
    process: FunctionProcess | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the next process gets the debugger: none that runs has it."""
        return self.process is None or self.process.poll() is not None


class Debugging:
    """
    What is debugged in this emulator.

    Args:
        base: Where folders for code are made.
    """

    def __init__(self, base: Path) -> None:
        self._base = base / _FOLDER
        self._functions: dict[str, Debugged] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Debugged | None:
        """How the function *name* is debugged; None when it isn't."""
        return self._functions.get(name)

    def take_code(self, debugged: Debugged, code: Path) -> Path:
        """The folder of *debugged* with a copy of *code*."""
        with self._lock:
            shutil.rmtree(debugged.folder, ignore_errors=True)
            shutil.copytree(code, debugged.folder, symlinks=True)
        return debugged.folder

    async def begin(self, content: Mapping[str, Any]) -> None:
        """
        Start the process of a function with a debugger in it, in the place of those that it has.

        Raises:
            MultistackError: There is no such function, or it can't be imported.
        """
        await asyncio.get_running_loop().run_in_executor(_threads, self._begin, content)

    def _begin(self, content: Mapping[str, Any]) -> None:
        from ministack.core import lambda_runtime
        from ministack.services import lambda_svc

        name = str(content["function"])
        function = next((one for one in lambda_svc._functions._data.values() if _name(one) == name), None)
        if function is None or not function.get("code_zip"):
            raise MultistackError(f"there is no function {name} with code of its own")
        folder = self._base / Path(str(content["called"])).name
        self._functions[name] = Debugged(port=int(content["port"]), library=str(content["library"]), folder=folder)
        lambda_runtime.invalidate_worker(name)
        worker, _ = lambda_runtime.acquire_worker(name, function["config"], function["code_zip"])
        try:
            if not isinstance(worker, FunctionWorker):
                raise MultistackError(f"{name} runs in no process of this machine")
            worker._spawn()
        except InitError as error:
            del self._functions[name]
            raise MultistackError(f"it can't be imported: {error}") from error
        finally:
            lambda_runtime.release_worker(worker)

    async def end(self, content: Mapping[str, Any]) -> None:
        """Go on as before: no debugger, and the function's own timeout."""
        await asyncio.get_running_loop().run_in_executor(_threads, self._end, str(content["function"]))

    def _end(self, name: str) -> None:
        from ministack.core import lambda_runtime

        debugged = self._functions.pop(name, None)
        lambda_runtime.invalidate_worker(name)
        if debugged is not None:
            if debugged.process is not None:
                debugged.process.kill()  # it may stand at a breakpoint, and nobody would let it go on
            shutil.rmtree(debugged.folder, ignore_errors=True)


def _name(function: Mapping[str, Any]) -> str:
    return str(function["config"].get("FunctionName", ""))
