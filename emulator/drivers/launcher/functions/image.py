"""
Functions that are container images: a container per execution environment, in the Docker engine of this machine.

A child of the emulator speaks AWS's Runtime API with the container, and with the emulator as a Node function does; it
ends with the emulator, and takes the container with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core import lambda_runtime

from emulator.drivers.launcher.functions import variables
from emulator.drivers.launcher.functions.packages import Packages
from emulator.drivers.launcher.functions.piped import converse
from emulator.drivers.launcher.functions.processes import Started
from emulator.drivers.launcher.functions.results import Result
from emulator.drivers.launcher.functions.variables import Surroundings
from emulator.drivers.launcher.functions.worker import Call, ExecutionEnvironment

# Added to a signal's number.
_SHELL = 128
_BRIDGE = "emulator.drivers.launcher.functions.image_bridge"
_Execute = Callable[[dict[str, Any], Any, str], dict[str, Any]]


class Image:
    """
    The language of whatever is in an image.

    Args:
        engine: The variables that lead to the Docker engine.
    """

    def __init__(self, *, surroundings: Surroundings, packages: Packages, engine: Mapping[str, str]) -> None:
        self._surroundings, self._packages, self._engine = surroundings, packages, engine

    @property
    def packages(self) -> Packages:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`; none is taken."""
        return self._packages

    def start(self, config: Mapping[str, Any], code_zip: bytes, *, stream: str) -> ExecutionEnvironment:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`; *code_zip* is the image's name."""
        mark = f"\x1e{secrets.token_hex(8)}\x1e\n"
        child = subprocess.Popen(
            [sys.executable, "-I", "-m", _BRIDGE],
            # Not marked as the emulator's: who ends what an emulator left behind does it by SIGKILL.
            env={"PATH": self._surroundings.path, "LANG": "C.UTF-8", **self._engine},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        process = _Bridge(child)
        hello = json.dumps(self._hello(config, code_zip.decode(), mark, stream)).encode() + b"\n"
        conversation = converse(child, process, hello=hello, mark=mark.encode(), patience=0.0)
        return ExecutionEnvironment(process, conversation, ())

    def is_debugged(self, name: str) -> bool:
        """Never: only Python functions from a zip are."""
        return False

    def request(self, call: Call) -> bytes:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        return json.dumps(call.fields()).encode() + b"\n"

    def result(self, answer: bytes, log: str) -> Result:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        content = json.loads(answer)
        return Result(content.get("value"), log, content.get("error"))

    def _hello(self, config: Mapping[str, Any], image: str, mark: str, stream: str) -> Mapping[str, Any]:
        _, region = lambda_runtime._account_region_from_function_config(config)
        settings = (config.get("ImageConfigResponse") or {}).get("ImageConfig") or {}
        return {
            "image": image,
            "entrypoint": settings.get("EntryPoint"),
            "command": settings.get("Command"),
            "folder": settings.get("WorkingDirectory"),
            "megabytes": int(config.get("MemorySize", 128)),
            "temporary_megabytes": int((config.get("EphemeralStorage") or {}).get("Size", 512)),
            "function": config.get("FunctionName", ""),
            "environ": variables.of_image(
                config,
                self._surroundings,
                credentials=lambda_runtime.execution_credentials(config),
                region=region,
                stream=stream,
            ),
            "engine": dict(self._engine),
            "mark": mark,
        }


class _Bridge(Started):
    """The child beside a container; asked to end, because nobody else would end the container."""

    def kill(self) -> None:
        """Ask it; what it has to do takes a part of a second, and it does it whoever waits."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    terminate = kill

    def _read_status(self) -> int:
        """The container's own, which says of a signal what a shell says."""
        status = super()._read_status()
        return _SHELL - status if status - _SHELL in signal.valid_signals() else status


def executing(execute: _Execute, otherwise: _Execute) -> _Execute:
    """*execute* for functions that are images, and *otherwise* for what MiniStack runs in containers besides."""

    def executed(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        config = function.get("config") or function
        if config.get("PackageType") != "Image":
            return otherwise(function, event, request_id)
        # A function that gets another image gets other processes by this.
        return execute({**function, "code_zip": str(config.get("ImageUri")).encode()}, event, request_id)

    return executed
