"""What tests are told of environments: what is deployed there, what functions printed, which requests came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from emulator import stack
from emulator.child_environ import environ_for
from emulator.config import aws_environ
from emulator.endpoint import answering
from emulator.errors import MultistackError
from emulator.inspector.finding import Filter, Requests
from emulator.inspector.rows import REQUESTS_FILE
from emulator.logs import EnvironmentLog, LogEntry, merge, system_zone
from emulator.model import Environment, Exchange
from emulator.testing.environment import TOKEN_HEADER
from emulator.workspace import Workspace

_MOST_REQUESTS, _MOST_LINES = 50, 100
_LONGEST = 400
# Seconds after which requests that are not in the proxy's file yet are left out.
_ARRIVAL = 2.0


def now() -> str:
    """This moment, as requests and log lines are dated."""
    return datetime.now(UTC).isoformat()


def environment(workspace: Workspace, environment: Environment) -> dict[str, Any]:
    """Where a running environment is, and the variables that lead to it."""
    endpoint, url = workspace.endpoint(environment.name), workspace.front.environment_url(environment.name)
    return {
        "name": environment.name,
        "url": url,
        "endpoint_url": endpoint.url,
        "account_id": endpoint.account_id,
        "region": endpoint.region,
        "driver": environment.driver.value,
        "variables": {**aws_environ(endpoint), **environ_for(endpoint, url=url, caller={})},
    }


def service(workspace: Workspace, name: str) -> dict[str, Any]:
    """What is deployed into environment *name*."""
    endpoint, current = workspace.endpoint(name), workspace.history.current(name)
    stack_name = workspace.project.stack_name(name)
    with answering(endpoint):
        found = stack.describe(endpoint, stack_name)
        resources = stack.resources(endpoint, stack_name) if found else {}
    return {
        "name": workspace.project.service,
        "environment": name,
        "stack": stack_name,
        "release": current.release.id if current else "",
        "digest": current.release.digest if current else "",
        "config": dict(current.release.config) if current else {},
        "outputs": dict(found.outputs) if found else {},
        "resources": dict(resources),
    }


def logs(workspace: Workspace, name: str, *, since: datetime | None) -> list[dict[str, Any]]:
    """What the functions of environment *name* printed, oldest first."""
    return [{**asdict(entry), "at": entry.at.isoformat()} for entry in _entries(workspace, name, since)]


def _entries(workspace: Workspace, name: str, since: datetime | None) -> list[LogEntry]:
    (environment,) = workspace.environments([name])
    log = EnvironmentLog(workspace.project, environment, workspace.drivers, since=since, zone=system_zone())
    return merge(log.function_entries())


def report(workspace: Workspace, names: Sequence[str], *, since: datetime, token: str) -> list[list[str]]:
    """
    Titles and texts: per environment its requests and the log of its functions, the newest of them.

    Args:
        token: What marks the requests of one test; those with another mark are left out.
    """
    workspace.front.await_exchanges(timeout=_ARRIVAL)
    parts = []
    for name in names:
        parts.append([f"requests to {name}", _text(_requests(workspace, name, since, token), _MOST_REQUESTS)])
        try:
            lines = [_log_line(entry) for entry in _entries(workspace, name, since)]
        except MultistackError as error:
            lines = [error.message]
        parts.append([f"log of {name}", _text(lines, _MOST_LINES)])
    return [[f"multistack: {title}", text] for title, text in parts if text]


def _requests(workspace: Workspace, name: str, since: datetime, token: str) -> list[str]:
    if not workspace.project.rules.inspector.enabled:
        return ["(no requests are kept: inspector.enabled is false in the project file)"]
    kept = Requests(workspace.front.folder / REQUESTS_FILE)
    found = kept.find_whole(Filter(environments=[name], since=since), limit=2 * _MOST_REQUESTS)
    return [_request_line(one) for one in reversed(found) if _mark_of(one) in (None, token)]


def _mark_of(exchange: Exchange) -> str | None:
    return next((value for key, value in exchange.request.headers if key.lower() == TOKEN_HEADER.lower()), None)


def _request_line(exchange: Exchange) -> str:
    request, answer = exchange.request, exchange.answer
    line = f"{request.method} {request.target} -> {answer.status or 'no answer'} in {answer.seconds * 1000:.0f} ms"
    if answer.problem:
        line += f" ({answer.problem})"
    if request.body:
        line += f"\n  sent {_shown(request.body)}"
    return f"{line}\n  got  {_shown(answer.body)}" if answer.body else line


def _shown(body: bytes) -> str:
    text = body.decode(errors="replace")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(body)} bytes)"


def _log_line(entry: LogEntry) -> str:
    return f"{entry.at:%H:%M:%S.%f}"[:-3] + f" {entry.source}: {entry.message}"


def _text(lines: Sequence[str], most: int) -> str:
    left_out = [f"({len(lines) - most} earlier ones left out)"] if len(lines) > most else []
    return "\n".join([*left_out, *lines[-most:]])
