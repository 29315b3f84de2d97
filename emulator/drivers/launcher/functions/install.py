"""Puts the processes of this package in the place of MiniStack's; its pool, its bookkeeping and its API stay."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator import interpreters
from emulator.drivers.functions import DEBUG, TRY, UNDEBUG
from emulator.drivers.launcher.control_routes import Action
from emulator.drivers.launcher.functions import calls, idle, reentrant, sdk_folder, trying, websockets
from emulator.drivers.launcher.functions.debugging import Debugging
from emulator.drivers.launcher.functions.image import Image
from emulator.drivers.launcher.functions.nursery import Nursery
from emulator.drivers.launcher.functions.packages import Packages
from emulator.drivers.launcher.functions.python import Python
from emulator.drivers.launcher.functions.variables import Surroundings
from emulator.drivers.launcher.functions.worker import FunctionWorker, Language
from emulator.interpreters import Interpreter
from emulator.process import LABEL

_log = logging.getLogger("multistack.functions")


def install(
    surroundings: Surroundings, folders: Sequence[str], *, engine: Mapping[str, str] = {}, node_sdk: Path | None = None
) -> Mapping[str, Action]:
    """
    Run functions as this package does; once per process, before the first request.

    Args:
        folders: Where interpreters are searched.
        engine: The variables that lead to the Docker engine.
        node_sdk: Where builds install the AWS SDK for Node functions.

    Returns:
        What commands may ask of functions.
    """
    from ministack.core import lambda_runtime

    from emulator.drivers.launcher.functions.node import Node

    work = surroundings.temporary / "functions"
    packages = Packages(work)
    sdk = sdk_folder.make(work / "runtime")
    environ = {"PATH": surroundings.path, "LANG": "C.UTF-8", "HOME": str(surroundings.home), LABEL: surroundings.label}
    nursery = Nursery(sdk=sdk, environ=environ, folder=work)
    choose = _chooser(interpreters.find(folders))
    debugging = Debugging(work)
    python = Python(
        surroundings=surroundings, packages=packages, sdk=sdk, nursery=nursery, choose=choose, debugging=debugging
    )
    languages: Mapping[str, Language] = {
        "python": python,
        "nodejs": Node(surroundings=surroundings, packages=packages, folder=work, sdk=node_sdk),
    }
    image = Image(surroundings=surroundings, packages=packages, engine=engine)
    otherwise = lambda_runtime._worker_class_for

    def worker_class_for(config: Mapping[str, Any]) -> Callable[..., Any]:
        if config.get("PackageType") == "Image":
            return functools.partial(FunctionWorker, language=image)
        runtime = str(config.get("Runtime", ""))
        for prefix, language in languages.items():
            if runtime.startswith(prefix):
                return functools.partial(FunctionWorker, language=language)
        found: Callable[..., Any] = otherwise(config)
        return found

    lambda_runtime._worker_class_for = worker_class_for
    _warm_when_there_are_functions(python.warm)
    reentrant.apply()
    calls.apply()
    websockets.apply()
    idle.apply(nursery.end_idle)
    return {TRY: trying.try_code, DEBUG: debugging.begin, UNDEBUG: debugging.end}


def _warm_when_there_are_functions(warm: Callable[[str], None]) -> None:
    """While a deployment or a start goes on there is time for what the first request would wait for."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    create, provision = lambda_svc._create_function, provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]["create"]

    def creating(data: dict[str, Any]) -> Any:
        warm(str(data.get("Runtime", "")))
        return create(data)

    def provisioning(logical_id: str, properties: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        warm(str(properties.get("Runtime", "")))
        return provision(logical_id, properties, *args, **kwargs)

    restore = lambda_svc.load_persisted_state

    def restoring(state: Any) -> None:
        restore(state)
        for function in lambda_svc._functions._data.values():
            warm(str(function["config"].get("Runtime", "")))

    lambda_svc._create_function = creating
    lambda_svc.load_persisted_state = restoring
    provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]["create"] = provisioning


def _chooser(found: Sequence[Interpreter]) -> Callable[[str], Interpreter]:
    """Chooses the interpreter for a runtime, and warns of each that isn't there, once."""

    @functools.cache
    def choose(runtime: str) -> Interpreter:
        chosen = interpreters.choose(runtime, found)
        if said := interpreters.warning(runtime, chosen):
            _log.warning("%s", said)
        return chosen

    return choose
