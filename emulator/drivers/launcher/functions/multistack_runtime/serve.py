"""One function: its handler is imported once, then called once for every frame."""

from __future__ import annotations

import importlib
import json
import os
import site
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from . import logs, outcomes
from .context import LambdaContext
from .frames import Frames
from .lineage import Lineage
from .outcomes import Failure
from .output import Log

# Variables that change with every call.
_TRACE_ID = "_X_AMZN_TRACE_ID"


def main(control: int, log: str) -> None:
    """Serve the emulator at the other end of *control* until it hangs up."""
    serve(socket.socket(fileno=control), int(log))


def serve(control: socket.socket, log: int) -> None:
    """Read what the function is, import it, say how that went, then answer calls."""
    for fd in (control.fileno(), log):
        os.set_inheritable(fd, False)  # not for what the function starts
    frames = Frames(control)
    function = frames.read()
    log_pipe = Log(log)
    Calls(frames, log_pipe, function).run()


class Calls:
    """The calls of one process."""

    def __init__(self, frames: Frames, log: Log, function: Any) -> None:
        self._frames = frames
        self._log = log
        self._function = function
        self._mark = function["mark"].encode()
        self._pid = os.getpid()
        self._lineage = Lineage(function["depth_header"])
        logging = function["logging"]
        self._handler = logs.install(as_json=logging["format"] == "JSON", level=logging["level"])

    def run(self) -> None:
        """Until the emulator hangs up, which ends the process without ceremony: it is idle."""
        sys.path[:] = [*self._function["path"], *sys.path, *self._function["runtime_path"]]
        site.setquit()  # exit() and quit(), which an interpreter without site-packages lacks
        for folder in self._function["site_path"]:
            site.addsitedir(folder)
        self._lineage.install()
        try:
            if self._function["debug"]:
                _listen(**self._function["debug"])
            handler = self._initialize()
        except Exception as error:  # whatever importing the function raises is its init error
            description = outcomes.describe(error, "")
            self._log.write(outcomes.lines(description))
            self._answer(b"F" + json.dumps(description).encode())
            return
        self._answer(b"R")
        while True:
            try:
                call = self._frames.read()
            except EOFError:
                os._exit(0)
            self._answer(self._one(handler, call))

    def _answer(self, content: bytes) -> None:
        if os.getpid() != self._pid:
            # A child that the handler forked and that came back from it: the call is not its to answer.
            os._exit(0)
        self._log.mark(self._mark)
        self._frames.write(content)

    def _initialize(self) -> Callable[[Any, Any], Any]:
        handler = _load(self._function["handler"])
        if self._function["snapstart"]:
            _run_snapshot_hooks()
        return handler

    def _one(self, handler: Callable[[Any, Any], Any], call: Any) -> bytes:
        """One call: ``R`` and its result, or ``F`` and what went wrong."""
        self._log.restore()
        self._prepare(call)
        try:
            return b"R" + outcomes.marshal(handler(call["event"], LambdaContext(self._function["function"], call)))
        except Exception as error:  # whatever the handler raises is its answer
            description = outcomes.describe(error, call["request_id"])
            self._log.write(outcomes.lines(description))
            return b"F" + json.dumps(description).encode()

    def _prepare(self, call: Any) -> None:
        self._handler.request_id = call["request_id"]
        self._lineage.depth = call["depth"]
        _set_variable(_TRACE_ID, call["trace_id"])
        for name in self._function["durable"]:
            _set_variable(name, call["durable"].get(name))


def _listen(port: int, library: str) -> None:
    """Let a debugger in, with the debugpy in *library*, of which the function sees nothing else."""
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # it would warn of what the interpreter was told already
    sys.path.append(library)
    debugpy = importlib.import_module("debugpy")
    sys.path.remove(library)
    debugpy.listen(("127.0.0.1", port))


def _set_variable(name: str, value: Any) -> None:
    if value:
        os.environ[name] = str(value)
    elif name in os.environ:
        del os.environ[name]


def _load(name: str) -> Callable[[Any, Any], Any]:
    """
    The function that *name* means: ``package/module.function``.

    Raises:
        Failure: There is none; the messages are those of AWS.
    """
    module_name, separator, function = name.rpartition(".")
    if not separator:
        raise Failure("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        # Where it was raised helps only when a module of the function's own imported something it lacks.
        raise Failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        raise Failure("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}") from error
    try:
        found: Callable[[Any, Any], Any] = getattr(module, function)
    except AttributeError as error:
        raise Failure("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'") from error
    return found


def _run_snapshot_hooks() -> None:
    """
    What a function registered for SnapStart: before the snapshot in reverse order, after it in order.

    Source:
        https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
    """
    hooks = sys.modules.get("snapshot_restore_py")
    if hooks is None:
        return
    for function, args, kwargs in [*reversed(hooks.get_before_snapshot()), *hooks.get_after_restore()]:
        function(*args, **kwargs)


def adopt(variables: dict[str, str], folder: str) -> None:
    """Make a forked process what a started one would be: its variables, time zone and folder."""
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    os.chdir(folder)
