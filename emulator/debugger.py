"""A debugger in the process of one function: what is needed for it, and how an editor gets to it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from emulator import ports
from emulator.drivers.functions import Debugged, debug, debugged_code, undebug
from emulator.endpoint import answering, client
from emulator.errors import ArtifactError, ConfigError
from emulator.frameworks.registry import reader_of
from emulator.including import read_whole
from emulator.members import find, members, of_types
from emulator.model import DriverName, Endpoint, Environment
from emulator.template import local_code
from emulator.watching.folders import folders_to_watch
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
    runtime = found.get("Runtime") or "a container image"
    if not runtime.startswith("python"):
        raise ConfigError(f"{member.logical_id} can't be debugged: debugpy is for Python, it is {runtime}")
    with ports.listen(port=port, candidates=_PORTS, purpose="the debugger") as free:
        chosen = int(free.getsockname()[1])
    folder = project.environment_state(environment.name)
    return Session(
        endpoint=endpoint,
        folder=folder,
        debugged=Debugged(called=member.logical_id, function=member.name, port=chosen, library=library),
        source=_source(workspace, environment.name, member.logical_id, str(found.get("Handler"))),
        running=debugged_code(folder, member.logical_id),
    )


def _library() -> Path:
    found = importlib.util.find_spec("debugpy")
    if found is None or found.origin is None:
        raise ConfigError("debugpy is not installed", hint=f"{sys.executable} -m pip install debugpy")
    return Path(found.origin).parent.parent


def _source(workspace: Workspace, environment: str, logical_id: str, handler: str) -> Path:
    """
    The folder in which a function's code is edited.

    A template says so. Where a framework's tool packaged the code, it is a folder of the project in which the handler's
    file is what it is in the package; edited since, one in which there is such a file.
    """
    project = workspace.project
    with contextlib.suppress(ConfigError):
        for one in local_code(read_whole(project.template), project.template.parent):
            if one.logical_id == logical_id and one.path.is_dir():
                return one.path
    module = f"{handler.rpartition('.')[0].replace('.', '/')}.py"
    sources = reader_of(project.template).sources(project.template)
    folders = folders_to_watch(sources, project.root)
    return folder_with(folders, module, _packaged(workspace, environment, logical_id, module)) or project.root


def folder_with(folders: Iterable[Path], name: str, content: bytes | None) -> Path | None:
    """The folder in which the file *name* has this *content*, else the first in which there is one of that name."""
    found = [folder for folder in sorted(folders) if (folder / name).is_file()]
    same = [folder for folder in found if (folder / name).read_bytes() == content]
    return next(iter([*same, *found]), None)


def _packaged(workspace: Workspace, environment: str, logical_id: str, name: str) -> bytes | None:
    """A file of a function's package as it was deployed last; None when it can't be had."""
    current = workspace.history.current(environment)
    if current is None:
        return None
    with contextlib.suppress(ArtifactError, KeyError):
        code = workspace.store.open(current.release.digest).code
        archive = next((one.path for one in code if logical_id in one.functions), None)
        if archive is not None:
            with zipfile.ZipFile(archive) as content:
                return content.read(name)
    return None
