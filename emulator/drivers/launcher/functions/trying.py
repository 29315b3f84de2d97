"""
Whether new code of a function can be imported, found out before anybody is served by it.

A process is started on it just as for a call, with the function's variables as they are now, told no call, and ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from emulator.drivers.launcher.functions.worker import FunctionWorker, InitError
from emulator.errors import MultistackError

_AT_ONCE = 4
_threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="multistack-try")


async def try_code(content: Mapping[str, Any]) -> None:
    """
    Try each function of *content*, as :func:`emulator.drivers.functions.try_code` sends them.

    Raises:
        MultistackError: Some can't be imported; a line for each says which, and what it raises. A function that isn't
            there is left out.
    """
    loop = asyncio.get_running_loop()
    tried = [
        loop.run_in_executor(_threads, _problem, called, str(one["function"]), Path(one["archive"]))
        for called, one in content.items()
    ]
    if problems := [" ".join(problem.split()) for problem in await asyncio.gather(*tried) if problem]:
        raise MultistackError("\n".join(problems))


def _problem(called: str, name: str, archive: Path) -> str:
    from ministack.core import lambda_runtime

    config = function_config(name)
    if config is None:
        return ""
    worker = lambda_runtime._worker_class_for(config)(name, config, archive.read_bytes())
    if not isinstance(worker, FunctionWorker):
        return ""
    try:
        worker._spawn()
    except InitError as error:
        said = error.result.error or {}
        return f"{called}: {said.get('errorType', 'Error')}: {said.get('errorMessage', '')}"
    finally:
        worker._discard_tmpdir()
    return ""


def function_config(name: str) -> dict[str, Any] | None:
    """The configuration of the function *name* of this emulator's account; None when there is no such function."""
    from ministack.services import lambda_svc

    found = (function["config"] for function in lambda_svc._functions._data.values())
    return next((config for config in found if config.get("FunctionName") == name), None)
