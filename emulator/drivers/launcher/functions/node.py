"""
Node functions: MiniStack's own script on the Node of this machine, spoken to without a wait or a thread.

Its script reads a line of JSON for each call and writes one to stdout; a few lines in front of it make it mark the end
of each call in the log, which is its stderr.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime

from emulator.drivers.launcher.functions import layers, variables
from emulator.drivers.launcher.functions.packages import Package, Packages
from emulator.drivers.launcher.functions.piped import converse
from emulator.drivers.launcher.functions.processes import Started
from emulator.drivers.launcher.functions.results import Result, failed
from emulator.drivers.launcher.functions.variables import Installation, Surroundings
from emulator.drivers.launcher.functions.worker import Call, ExecutionEnvironment

# The script writes to what process.stdout.write is when it starts, and only ever whole answers.
_PRELUDE = """
{
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (...answer) => {
    process.stderr.write(process.argv[2]);
    return write(...answer);
  };
}
"""
# Node queues what a full pipe doesn't take, so that its answer may come first.
_PATIENCE = 0.25
_ERROR_NAME = re.compile(r"([A-Za-z_$][\w$.]*)(?::|$)")


class Node:
    """
    The language.

    Args:
        folder: Where the script is put; packages are below it.
        sdk: Where the AWS SDK is, once a build has installed some of it.
    """

    def __init__(self, *, surroundings: Surroundings, packages: Packages, folder: Path, sdk: Path | None) -> None:
        self._surroundings, self._packages, self._sdk = surroundings, packages, sdk
        self._script = folder / "node.js"

    @property
    def packages(self) -> Packages:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        return self._packages

    def start(self, config: Mapping[str, Any], code_zip: bytes, *, stream: str) -> ExecutionEnvironment:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        taken = layers.take(self._packages, config, code_zip)
        mark = f"\x1e{secrets.token_hex(8)}\x1e\n"
        try:
            child = self._child(self._variables(config, taken, stream), taken[0].folder, mark)
        except BaseException:
            for package in taken:
                self._packages.release(package)
            raise
        process = Started(child)
        conversation = converse(
            child,
            process,
            hello=_hello(config, taken[0].folder),
            mark=mark.encode(),
            patience=_PATIENCE,
        )
        return ExecutionEnvironment(process, conversation, taken)

    def is_debugged(self, name: str) -> bool:
        """Never: only Python functions are."""
        return False

    def request(self, call: Call) -> bytes:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        told = {
            "request_id": call.request_id,
            "invoked_function_arn": call.arn,
            "timeout_ms": int(call.seconds * 1000),
            "trace_id": call.trace_id,
            "depth": call.depth,
            "durable": dict(call.durable),
        }
        return json.dumps({"event": call.event, "ctx": told}).encode() + b"\n"

    def result(self, answer: bytes, log: str) -> Result:
        """See :class:`emulator.drivers.launcher.functions.worker.Language`."""
        content = json.loads(answer)
        if content["status"] != "error":
            return Result(content.get("result"), log)
        message, trace = str(content.get("error", "")), str(content.get("trace") or "").splitlines()
        name = _ERROR_NAME.match(trace[0]) if trace else None
        done = failed(name[1] if name else _kind(message), message, log + "\n".join([*(trace or [message]), ""]))
        return Result(None, done.log, {**(done.error or {}), "trace": trace})

    def _child(self, environ: Mapping[str, str], folder: Path, mark: str) -> subprocess.Popen[bytes]:
        program = shutil.which("node", path=self._surroundings.path)
        if program is None:
            raise FileNotFoundError("there is no node on the PATH")
        found = self._script.with_name("node_modules")
        if self._sdk is not None and self._sdk.is_dir() and not found.is_symlink():
            with contextlib.suppress(FileExistsError):  # another function's start was first
                found.symlink_to(self._sdk / "node_modules")  # Node asks each folder above the code for one
        if not self._script.exists():
            # Node asks the nearest one above whether code is a module: not the project's, which is not in the package.
            self._script.with_name("package.json").write_text("{}")
            self._script.write_text(_PRELUDE + lambda_runtime._NODEJS_WORKER_SCRIPT)
        return subprocess.Popen(
            [program, str(self._script), mark],
            env=dict(environ),
            cwd=folder,
            umask=0o022,  # not the emulator's own, which keeps its state from others
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )

    def _variables(self, config: Mapping[str, Any], taken: Sequence[Package], stream: str) -> dict[str, str]:
        task_root, opt = taken[0].folder, taken[1].folder if len(taken) > 1 else None
        _, region = lambda_runtime._account_region_from_function_config(config)
        found = variables.of_function(
            config,
            self._surroundings,
            Installation(task_root=task_root, opt=opt, runtime_dir=self._script.parent),
            credentials=lambda_runtime.execution_credentials(config),
            region=region,
            stream=stream,
        )
        if opt is not None and "NODE_PATH" not in found:
            found["NODE_PATH"] = f"{opt / 'nodejs/node_modules'}:{opt / 'nodejs'}"
        return found


def _kind(message: str) -> str:
    """AWS's type of an error of which MiniStack's script says no more than the message: one while importing."""
    if message.startswith("Cannot find"):
        return "Runtime.ImportModuleError"
    return "Runtime.HandlerNotFound" if "is not a function in" in message else "Error"


def _hello(config: Mapping[str, Any], folder: Path) -> bytes:
    """The line that tells MiniStack's script what it is."""
    module, _, function = str(config.get("Handler", "")).rpartition(".")
    content = {
        "code_dir": str(folder),
        "module": module,
        "handler": function,
        "env": {},
        "function_name": config.get("FunctionName", ""),
        "memory": config.get("MemorySize", 128),
        "arn": config.get("FunctionArn", ""),
    }
    return json.dumps(content).encode() + b"\n"
