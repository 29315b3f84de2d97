"""Commands that call functions and send messages: invoke, send."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from emulator.cli.context import Context
from emulator.cli.environments import raise_first
from emulator.errors import DIFFERENCES, FUNCTION_ERROR, MultistackError

if TYPE_CHECKING:
    from emulator.invoking import Call, Invoked
    from emulator.members import Member
    from emulator.model import Endpoint
    from emulator.workspace import Workspace

T = TypeVar("T")

_environments = click.argument("environments", metavar="ENVIRONMENT[,ENVIRONMENT]...")
_data = click.option(
    "-d", "--data", default="{}", metavar="DATA", help="Send this, with @FILE a file's content, with - that of stdin."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@_environments
@click.argument("function", required=False)
@_data
@click.option("--async", "is_async", is_flag=True, help="Queue the event; wait for no result.")
@click.option("--twice", is_flag=True, help="Call each of several twice: what differs by itself is masked.")
@click.option("--all", "shows_all", is_flag=True, help="Show every place of several results, equal ones too.")
@_json
@click.pass_context
def invoke(
    click_context: click.Context,
    *,
    environments: str,
    function: str | None,
    data: str,
    is_async: bool,
    twice: bool,
    shows_all: bool,
    as_json: bool,
) -> None:
    """
    Call a function, in several environments side by side; without FUNCTION list them.

    FUNCTION is its logical id or its name, with :VERSION or :ALIAS if wanted. Its result goes to stdout, what it prints
    to stderr. Exit code 8 when it ends with an error, 7 when results of environments differ.
    """
    from emulator.invoking import Call, functions, invoke
    from emulator.render import print_json

    workspace, names = _opened(click_context.obj, environments)
    if function is None:
        _print_members(workspace, names, functions, as_json=as_json)
        return
    call = Call(function=function, payload=_json_data(data), is_async=is_async)

    def call_once() -> Mapping[str, Invoked | MultistackError]:
        return _in_each(workspace, names, lambda endpoint, stack: invoke(endpoint, stack, call))

    results = call_once()
    done = [result for result in results.values() if not isinstance(result, MultistackError)]
    _print_logs(done, named=len(names) > 1)
    if not done or is_async or len(names) == 1:
        plain = [_plain(one) for one in done]
        if as_json and done:
            print_json(plain if len(names) > 1 else plain[0])
        else:
            _print_results(done, is_async=is_async)
        raise_first(results)
        click_context.exit(FUNCTION_ERROR if any(one.error for one in done) else 0)
    again = call_once() if twice else None
    click_context.exit(_report(workspace, call, results, again, shows_all=shows_all, as_json=as_json))


def _report(
    workspace: Workspace,
    call: Call,
    results: Mapping[str, Invoked | MultistackError],
    again: Mapping[str, Invoked | MultistackError] | None,
    *,
    shows_all: bool,
    as_json: bool,
) -> int:
    """Print several results side by side; returns the exit code."""
    from emulator.calls_side_by_side import side_by_side
    from emulator.render import print_json
    from emulator.routes import ROUTES_FILE, load_routes
    from emulator.side_by_side_reports import to_terminal

    routes = load_routes(workspace.project.state / ROUTES_FILE)
    document = side_by_side(
        call.function, results, routes=routes, rules=workspace.project.rules.comparison, second=again
    )
    if as_json:
        print_json(document)
    else:
        width = shutil.get_terminal_size((160, 24)).columns
        click.echo(to_terminal(document, width=width, shows_all=shows_all))
    if not document["is_equal"]:
        return DIFFERENCES
    return FUNCTION_ERROR if any(not isinstance(one, MultistackError) and one.error for one in results.values()) else 0


@click.command()
@_environments
@click.argument("target", required=False, metavar="[QUEUE|TOPIC|BUS]")
@_data
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="A message attribute, a string.")
@click.option("--group", metavar="ID", help="Message group, for FIFO queues and topics; default: multistack.")
@click.option("--subject", metavar="TEXT", help="Subject, for topics.")
@click.option("--source", metavar="NAME", help="Source of the event, for buses.")
@click.option("--detail-type", metavar="NAME", help="Detail type of the event, for buses; the data is its detail.")
@_json
@click.pass_obj
def send(
    context: Context,
    *,
    environments: str,
    target: str | None,
    data: str,
    attributes: Sequence[str],
    group: str | None,
    subject: str | None,
    source: str | None,
    detail_type: str | None,
    as_json: bool,
) -> None:
    """
    Send a message to a queue or a topic, or an event to a bus; without a name list them.

    Its logical id or its name says which; "default" is the account's default bus.
    """
    from emulator.render import print_json
    from emulator.sending import WORDS, Message, send, targets

    workspace, names = _opened(context, environments)
    if target is None:
        _print_members(workspace, names, targets, as_json=as_json)
        return
    message = Message(
        body=_text(_read(data)),
        attributes=dict(_attribute(one) for one in attributes),
        group=group,
        subject=subject,
        source=source,
        detail_type=detail_type,
    )
    results = _in_each(workspace, names, lambda endpoint, stack: send(endpoint, stack, target, message))
    sent = {name: result for name, result in results.items() if not isinstance(result, MultistackError)}
    if as_json:
        print_json([_sent(name, member, found) for name, (member, found) in sent.items()])
    else:
        for name, (member, found) in sent.items():
            click.echo(f"{name}: sent {found} to {WORDS[member.type]} {member.logical_id}")
    raise_first(results)


def _sent(environment: str, member: Member, message_id: str) -> Mapping[str, str]:
    return {"environment": environment, "target": member.logical_id, "name": member.name, "message_id": message_id}


def _opened(context: Context, environments: str) -> tuple[Workspace, Sequence[str]]:
    """The workspace, and the environments that *environments* names, in the order given."""
    names = list(dict.fromkeys(name.strip() for name in environments.split(",") if name.strip()))
    if not names:
        raise click.BadParameter("names no environment", param_hint="ENVIRONMENT")
    workspace = context.workspace()
    workspace.environments(names)
    return workspace, names


def _in_each(
    workspace: Workspace, names: Sequence[str], work: Callable[[Endpoint, str], T]
) -> Mapping[str, T | MultistackError]:
    """*work*, with endpoint and stack of each of the environments, at once."""
    from emulator.parallel import run_parallel

    return run_parallel(
        names,
        lambda name: work(workspace.endpoint(name), workspace.project.stack_name(name)),
        workspace.cancellation,
    )


def _print_members(
    workspace: Workspace,
    names: Sequence[str],
    look: Callable[[Endpoint, str], Sequence[Member]],
    *,
    as_json: bool,
) -> None:
    """What could be named."""
    from emulator.render import print_json, table

    found = _in_each(workspace, names, look)
    rows = [(name, one) for name, there in found.items() if not isinstance(there, MultistackError) for one in there]
    if as_json:
        print_json([{"environment": name, "logical_id": one.logical_id, "name": one.name} for name, one in rows])
    elif rows:
        click.echo(
            table(["environment", "logical id", "name"], [[name, one.logical_id, one.name] for name, one in rows])
        )
    else:
        click.echo("the service has none", err=True)
    raise_first(found)


def _print_logs(done: Sequence[Invoked], *, named: bool) -> None:
    """What functions printed, on stderr: each line behind its environment's name when there are several."""
    width = max((len(one.environment) for one in done), default=0)
    for one in done:
        lead = f"{one.environment:{width}}  " if named else ""
        if one.is_log_cut:
            click.echo(f"{lead}(its last 4 KB; `multistack logs {one.environment}` has all)", err=True)
        for line in one.log:
            click.echo(f"{lead}{line}", err=True)


def _print_results(done: Sequence[Invoked], *, is_async: bool) -> None:
    for one in done:
        if is_async:
            click.echo(f"{one.environment}: queued for {one.function}, request {one.request_id}")
            continue
        click.echo(one.payload.decode(errors="replace"))
        if one.error:
            click.echo(f"{one.environment}: {one.function} ended with an error ({one.error})", err=True)


def _plain(one: Invoked) -> Mapping[str, Any]:
    return {
        "environment": one.environment,
        "function": one.function,
        "request_id": one.request_id,
        "error": one.error,
        "result": json.loads(one.payload) if one.payload else None,
        "log": list(one.log),
        "seconds": round(one.seconds, 6),
    }


def _json_data(data: str) -> bytes:
    """
    What ``--data`` means, checked: Lambda takes JSON only.

    Raises:
        BadParameter: It is none.
    """
    content = _read(data)
    try:
        json.loads(content)
    except ValueError as error:
        raise click.BadParameter(f"no JSON: {error}", param_hint="--data") from error
    return content


def _read(data: str) -> bytes:
    if data == "-":
        return sys.stdin.buffer.read()
    if not data.startswith("@"):
        return data.encode()
    try:
        return Path(data[1:]).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.BadParameter(f"{data[1:]} can't be read: {reason}", param_hint="--data") from error


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"no text in UTF-8 (byte {error.start})", param_hint="--data") from error


def _attribute(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{given!r} is not NAME=VALUE", param_hint="--attribute")
    return name, value


COMMANDS = (invoke, send)
