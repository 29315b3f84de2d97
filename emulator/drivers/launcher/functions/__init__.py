"""
The processes that run Lambda functions: started, called and ended without a wait, and with AWS's environ and errors.

``install`` puts them in the place of MiniStack's; its pool, its bookkeeping and its API stay.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.drivers.launcher.functions import calls, idle, interpreters, sdk_folder
from emulator.drivers.launcher.functions.interpreters import Interpreter
from emulator.drivers.launcher.functions.nursery import Nursery
from emulator.drivers.launcher.functions.packages import Packages
from emulator.drivers.launcher.functions.python import Python
from emulator.drivers.launcher.functions.variables import Surroundings
from emulator.drivers.launcher.functions.worker import FunctionWorker, Language
from emulator.process import LABEL

_log = logging.getLogger("multistack.functions")


def install(surroundings: Surroundings, folders: Sequence[str]) -> None:
    """
    Run functions as this package does; once per process, before the first request.

    Args:
        folders: Where interpreters are searched.
    """
    from ministack.core import lambda_runtime

    from emulator.drivers.launcher.functions.node import Node

    work = surroundings.temporary / "functions"
    packages = Packages(work)
    sdk = sdk_folder.make(work / "runtime")
    environ = {"PATH": surroundings.path, "LANG": "C.UTF-8", "HOME": str(surroundings.home), LABEL: surroundings.label}
    nursery = Nursery(sdk=sdk, environ=environ, folder=work)
    choose = _chooser(interpreters.find(folders))
    languages: Mapping[str, Language] = {
        "python": Python(surroundings=surroundings, packages=packages, sdk=sdk, nursery=nursery, choose=choose),
        "nodejs": Node(surroundings=surroundings, packages=packages, folder=work),
    }
    otherwise = lambda_runtime._worker_class_for

    def worker_class_for(config: Mapping[str, Any]) -> Callable[..., Any]:
        runtime = str(config.get("Runtime", ""))
        for prefix, language in languages.items():
            if runtime.startswith(prefix):
                return functools.partial(FunctionWorker, language=language)
        found: Callable[..., Any] = otherwise(config)
        return found

    lambda_runtime._worker_class_for = worker_class_for
    calls.apply()
    idle.apply(nursery.end_idle)


def _chooser(found: Sequence[Interpreter]) -> Callable[[str], Interpreter]:
    """Chooses the interpreter for a runtime, and warns of each that isn't there, once."""

    @functools.cache
    def choose(runtime: str) -> Interpreter:
        chosen = interpreters.choose(runtime, found)
        if said := interpreters.warning(runtime, chosen):
            _log.warning("%s", said)
        return chosen

    return choose


__all__ = ["Path", "Surroundings", "install"]
