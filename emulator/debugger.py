"""A debugger in the process of one function: what is needed for it, and how an editor gets to it."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from emulator import ports
from emulator.drivers.functions import Debugged, debug, debugged_code, undebug
from emulator.endpoint import answering, client
from emulator.errors import ConfigError
from emulator.including import read_whole
from emulator.members import find, members, of_types
from emulator.model import DriverName, Endpoint, Environment, Project
from emulator.template import local_code
from emulator.workspace import Workspace

_FUNCTION = "AWS::Lambda::Function"
# The first is what editors offer by themselves.
_PORTS = range(5678, 5778)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """
    A function that is debugged.

    Attributes:
        source: Where its code is edited; the project's folder where that can't be told.
        running: Where its process has it from.
    """

    endpoint: Endpoint
    folder: Path
    debugged: Debugged
    source: Path
    running: Path

    def begin(self) -> None:
        """Let the debugger in; raises as :func:`emulator.drivers.functions.debug` does."""
        debug(self.endpoint, self.folder, self.debugged)

    def end(self) -> None:
        """Put the function's own processes back."""
        undebug(self.endpoint, self.folder, self.debugged.function)

    def launch_json(self) -> str:
        """One configuration for the ``configurations`` of VS Code's ``launch.json``."""
        configuration = {
            "name": f"{self.debugged.called} in {self.endpoint.environment}",
            "type": "debugpy",
            "request": "attach",
            "connect": {"host": ports.HOST, "port": self.debugged.port},
            "pathMappings": [{"localRoot": str(self.source), "remoteRoot": str(self.running)}],
        }
        return json.dumps(configuration, indent=2)


def session(workspace: Workspace, environment: Environment, function: str, *, port: int | None) -> Session:
    """
    What debugging *function* takes; nothing is done yet.

    Args:
        function: Its logical id or its name.
        port: Where the debugger is to listen on 127.0.0.1; None for a free one.

    Raises:
        ConfigError: debugpy is missing, there is no such function, it isn't Python, or its driver can't do that.
        NotReady: The environment doesn't run, nothing is deployed, or the port is taken.
    """
    library = _library()
    if environment.driver is not DriverName.EMBEDDED:
        raise ConfigError(
            f"functions in {environment.name} can't be debugged: its driver is {environment.driver.value}",
            hint='debug them in an environment with driver = "embedded"',
        )
    project, endpoint = workspace.project, workspace.endpoint(environment.name)
    with answering(endpoint):
        there = of_types(members(endpoint, project.stack_name(environment.name)), {_FUNCTION})
        member = find(there, function, environment=environment.name, what="function")
        found = client(endpoint, "lambda").get_function_configuration(FunctionName=member.name)
    if not str(found.get("Runtime")).startswith("python"):
        raise ConfigError(f"{member.logical_id} can't be debugged: debugpy is for Python, it is {found.get('Runtime')}")
    with ports.listen(port=port, candidates=_PORTS, purpose="the debugger") as free:
        chosen = int(free.getsockname()[1])
    folder = project.environment_state(environment.name)
    return Session(
        endpoint=endpoint,
        folder=folder,
        debugged=Debugged(called=member.logical_id, function=member.name, port=chosen, library=library),
        source=_source(project, member.logical_id),
        running=debugged_code(folder, member.logical_id),
    )


def _library() -> Path:
    found = importlib.util.find_spec("debugpy")
    if found is None or found.origin is None:
        raise ConfigError("debugpy is not installed", hint=f"{sys.executable} -m pip install debugpy")
    return Path(found.origin).parent.parent


def _source(project: Project, logical_id: str) -> Path:
    """The folder of its code, as far as a template says so; frameworks that package code themselves don't."""
    try:
        sources = local_code(read_whole(project.template), project.template.parent)
        found = next((one.path for one in sources if one.logical_id == logical_id), project.root)
    except ConfigError:
        return project.root
    return found if found.is_dir() else found.parent
