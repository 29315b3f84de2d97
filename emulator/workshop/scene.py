"""What a check can look at: environments, their ledger, what they answer, and the learner's files."""

from __future__ import annotations

import functools
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from emulator.model import Deployment, Status
from emulator.workshop.answers import Answers
from emulator.workspace import Workspace

NAMES = ("test", "staging", "prod")
# Seconds that one answer may take: a check is something a learner waits for.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What an environment answered; *body* is None unless it is JSON, *status* 0 when nothing answered."""

    status: int
    body: Any = None

    def value(self, *keys: str) -> Any:
        """What stands in the body under *keys*; None when it isn't there: a learner may have changed the service."""
        found = self.body
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found


class Scene:
    """
    A lab as the learner left it.

    Args:
        folder: The lab's.
        open_workspace: Loads the project in it.
    """

    def __init__(self, folder: Path, *, open_workspace: Callable[[Path], Workspace]) -> None:
        self.folder = folder
        self._open = open_workspace

    @functools.cached_property
    def workspace(self) -> Workspace:
        """
        The lab's project.

        Raises:
            ConfigError: The learner's project file is wrong.
        """
        return self._open(self.folder)

    @functools.cached_property
    def answers(self) -> Answers:
        """What the learner answered."""
        return Answers(self.folder)

    def current(self) -> Mapping[str, Deployment]:
        """Environment to what is on record as deployed there, for those of the three that have something."""
        found = {name: self.workspace.history.current(name) for name in NAMES}
        return {name: deployment for name, deployment in found.items() if deployment is not None}

    def past(self, environment: str) -> list[Deployment]:
        """Every deployment into *environment*, oldest first."""
        return self.workspace.history.deployments(environment)

    def not_ready(self) -> list[str]:
        """Those of the three that don't run."""
        observed = self.workspace.lifecycle.observe(self.workspace.environments(NAMES))
        return [name for name in NAMES if observed[name].status is not Status.READY]

    def get(self, environment: str, path: str) -> Reply:
        """What *environment* answers at *path*, through the proxy."""
        url = self.workspace.front.environment_url(environment)
        if url is None:
            return Reply(0)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{url.rstrip('/')}{path}", timeout=_PATIENCE) as response:
                return Reply(response.status, _json(response.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, _json(error.read()))
        except (OSError, HTTPException):
            return Reply(0)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def ready(scene: Scene) -> str | None:
    """Test, staging and prod run, with something deployed into each."""
    if missing := scene.not_ready():
        return f"{', '.join(missing)}: not running; `multistack up`"
    current = scene.current()
    if missing := [name for name in NAMES if name not in current]:
        return f"{', '.join(missing)}: nothing is deployed; `multistack up`"
    return None


def one_digest(scene: Scene) -> str | None:
    """The same artifact serves everywhere."""
    found = {name: deployment.release.digest for name, deployment in scene.current().items()}
    if len(set(found.values())) == 1:
        return None
    told = ", ".join(f"{name} {digest[:12]}" for name, digest in found.items())
    return f"not one digest but several: {told}"
