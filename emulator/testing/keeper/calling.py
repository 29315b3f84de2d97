"""What tests do in an environment beside its API: they call functions, and send messages."""

from __future__ import annotations

import json
from typing import Any

from emulator import invoking, sending
from emulator.workspace import Workspace


def invoke(workspace: Workspace, name: str, function: str, event: Any) -> dict[str, Any]:
    """Call a function of environment *name*, and wait for it."""
    call = invoking.Call(function=function, payload=json.dumps(event).encode())
    done = invoking.invoke(workspace.endpoint(name), workspace.project.stack_name(name), call)
    value = json.loads(done.payload) if done.payload else None
    return {"value": value, "error": done.error, "log": list(done.log)}


def send(workspace: Workspace, name: str, target: str, body: str, options: dict[str, Any]) -> str:
    """Send a message to a queue, topic or bus of environment *name*; returns its id."""
    message = sending.Message(body=body, **options)
    return sending.send(workspace.endpoint(name), workspace.project.stack_name(name), target, message)[1]
