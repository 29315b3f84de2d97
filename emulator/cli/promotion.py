"""Commands on releases and their way: promote, approve, hold, verify, rollback, history."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context
from emulator.cli.service import changes_table, print_promoted
from emulator.errors import ConfigError, PromotionRefused

if TYPE_CHECKING:
    from emulator.model import Deployment, Gate
    from emulator.promotion.candidates import Candidate
    from emulator.promotion.gates import Consent, Refusal
    from emulator.promotion.promotion import Promoted, Promotion

_no_wait = click.option("--no-wait", is_flag=True, help="Fail instead of waiting for another command.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _one_line(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """What goes on record must not look like another row of it."""
    if value is not None and not value.isprintable():
        raise click.BadParameter("must be one line of text", param=parameter)
    return value


_by = click.option("--by", metavar="NAME", callback=_one_line, help="Who says so; default: the user of this machine.")


def _promotion(context: Context) -> Promotion:
    from emulator.promotion.promotion import Promotion

    return Promotion(context.workspace())


@click.command()
@click.argument("target", metavar="ENVIRONMENT")
@click.option("--from", "start", metavar="ENVIRONMENT", help="Promote from an earlier one than the one before.")
@click.option(
    "--override",
    metavar="REASON",
    default="",
    callback=_one_line,
    help="Skip environments all the same; goes on record.",
)
@click.option("--accept-permissions", is_flag=True, help="Take on permissions that the release gains.")
@click.option("--dry-run", is_flag=True, help="Show gates and changes, and change nothing.")
@_no_wait
@_json
@click.pass_obj
def promote(
    context: Context,
    *,
    target: str,
    start: str | None,
    override: str,
    accept_permissions: bool,
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Put what the environment before serves into an environment: the same artifact, with the config of the target."""
    from emulator.promotion.gates import Consent
    from emulator.render import print_json

    consent = Consent(override=override, accept_permissions=accept_permissions)
    promotion = _promotion(context)
    done: list[Promoted] = []
    with promotion.workspace.changing("promote", wait=not no_wait):
        if dry_run:
            _show_plan(promotion, target, consent, start=start, as_json=as_json)
            return
        try:
            done.append(promotion.promote(target, consent, start=start))
            done.extend(promotion.promote_on(target))
        finally:  # what was done is told, also when the next one failed
            if as_json and done:
                print_json(done)
            else:
                print_promoted(done)


def _show_plan(promotion: Promotion, target: str, consent: Consent, *, start: str | None, as_json: bool) -> None:
    """What would happen; exit 6 when a gate does not hold."""
    from emulator.promotion.gates import judge
    from emulator.render import print_json, table

    candidate, result = promotion.candidates.plan(target, start=start)
    gates = [_judged(one, candidate) for one in judge(promotion.candidates.facts(candidate), consent)]
    release = candidate.release
    if as_json:
        rows = [dict(zip(("gate", "result", "detail"), gate, strict=True)) for gate in gates]
        print_json({"release": release.id, "digest": release.digest, "gates": rows, "changes": result.changes})
    else:
        came_from = candidate.source.environment
        click.echo(f"would promote {release.id} (digest {release.digest[:12]}) from {came_from} to {target}\n")
        click.echo(table(["gate", "result", "detail"], gates))
        click.echo(f"\n{changes_table(result.changes)}")
    if any(result == _REFUSED for _, result, _ in gates):
        sys.exit(PromotionRefused.exit_code)


_REFUSED = "does not hold"


def _judged(one: Gate | Refusal, candidate: Candidate) -> tuple[str, str, str]:
    from emulator.promotion.gates import Refusal

    if not isinstance(one, Refusal):
        return one.name, one.result.value, one.detail
    if one.gate == "source" and not candidate.source.gates_after:
        return one.gate, "unknown", f"`promote` verifies {candidate.source.environment} first"
    return one.gate, _REFUSED, f"{one.reason}; {one.hint}"


@click.command()
@click.argument("name", metavar="ENVIRONMENT")
@_by
@click.option("--digest", metavar="DIGEST", help="What is approved; default: what the environment before serves.")
@click.option("--for", "span", default="7d", show_default=True, metavar="SPAN", help="How long it is valid.")
@click.pass_obj
def approve(context: Context, name: str, by: str | None, digest: str | None, span: str) -> None:
    """Approve one digest for an environment; it is promoted by `promote` only."""
    from emulator.spans import read_span

    try:
        valid = read_span(span)
    except ValueError as error:
        raise ConfigError(f"--for must be {error}, not {span!r}") from error
    if valid.total_seconds() <= 0:
        raise ConfigError(f"--for must be longer than nothing, not {span!r}")
    promotion = _promotion(context)
    approval = promotion.candidates.approve(name, digest, by=by, valid=valid)
    click.echo(
        f"{approval.by} approved {approval.digest[:12]} for {name} until {approval.expires:%Y-%m-%d %H:%M} UTC;"
        f" next: multistack promote {name}"
    )


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--lift", is_flag=True, help="End the hold.")
@click.option("--reason", default="", metavar="TEXT", callback=_one_line, help="Why, for the ledger.")
@_by
@click.pass_obj
def hold(context: Context, names: Sequence[str], lift: bool, reason: str, by: str | None) -> None:
    """Keep promotions out of environments, or show which are held."""
    workspace = context.workspace()
    permits, who = workspace.permits, by or workspace.project.user
    chosen = workspace.environments(names)
    for environment in chosen if names else ():
        if lift and permits.held(environment.name):
            permits.lift(environment.name, reason=reason, by=who)
        elif not lift and (reason or not permits.held(environment.name)):
            permits.hold(environment.name, reason=reason or "on request", by=who)
    for environment in chosen:
        held = permits.held(environment.name)
        said = f"held since {held.at:%Y-%m-%d %H:%M} UTC by {held.by}: {held.reason}" if held else "not held"
        click.echo(f"{environment.name}: {said}")


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit XML.")
@_no_wait
@_json
@click.pass_obj
def verify(context: Context, names: Sequence[str], junit: Path | None, no_wait: bool, as_json: bool) -> None:
    """Run the service's checks and smoke tests against what environments serve; exit 6 when one fails."""
    from emulator.render import print_json

    promotion = _promotion(context)
    chosen = promotion.workspace.environments(names)
    with promotion.workspace.changing("verify", wait=not no_wait):
        found = {environment.name: promotion.verify(environment.name) for environment in chosen}
        failed = [name for name, gates in found.items() if not _is_good(gates)]
        done = [] if failed else list(promotion.promote_on(chosen[-1].name))
    if junit:
        from emulator.junit import write_verified

        write_verified(found, {name: promotion.last_said(name) for name in failed}, junit)
    if as_json:
        print_json({"verified": found, "promoted": done})
    else:
        for name in found:
            click.echo(f"{name}: {'not verified' if name in failed else 'verified'}")
        print_promoted(done)
    if failed:
        sys.exit(PromotionRefused.exit_code)


def _is_good(gates: Sequence[Gate]) -> bool:
    from emulator.model import GateResult

    return all(gate.result is GateResult.PASSED for gate in gates)


@click.command()
@click.argument("name", metavar="ENVIRONMENT")
@click.option("--to", metavar="RELEASE", help="The release, or its first digits; default: the one before.")
@click.option("--reason", default="", metavar="TEXT", callback=_one_line, help="Why, for the ledger.")
@_no_wait
@click.pass_obj
def rollback(context: Context, name: str, to: str | None, reason: str, no_wait: bool) -> None:
    """Bring back an earlier release with its config, and hold the environment; data stays."""
    promotion = _promotion(context)
    with promotion.workspace.changing("rollback", wait=not no_wait):
        result = promotion.rollback(name, to=to, reason=reason)
    click.echo(f"{name}: serves {result.release.id} again (digest {result.release.digest[:12]}), with its config")
    lost = (one for one in result.changes if one.action == "Remove" or one.replacement)
    if gone := [one.logical_id for one in lost if one.type in _HOLDERS]:
        click.echo(f"removed with the data in it, because that release has no such resource: {', '.join(gone)}")
    click.echo(
        f"{'all other data' if gone else 'data'} is as it was; no promotion until `multistack hold {name} --lift`"
    )


@click.command()
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Only the last so many; 0 for all.",
)
@_json
@click.pass_obj
def history(context: Context, names: Sequence[str], last: int, as_json: bool) -> None:
    """Show what was deployed when, by whom, from where, and how it ended."""
    from emulator.render import print_json, table

    workspace = context.workspace()
    # Also environments that the project no longer has: the ledger knows them for ever. One more tells of older ones.
    found = workspace.history.deployments(last=last + 1 if last and not names else None)
    if names:
        known = {one.environment for one in found}
        for name in set(names) - known:
            workspace.environments([name])
        found = [one for one in found if one.environment in names]
    has_older, found = 0 < last < len(found), found[-last:] if last else found
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("nothing was deployed yet")
        return
    columns = ["at", "environment", "what", "release", "digest", "config", "by", "outcome", "notes"]
    click.echo(table(columns, [_row(one) for one in found]))
    if has_older:
        click.echo(f"the last {last} only; `--last 0` shows all", err=True)


# Resources whose removal loses data.
_HOLDERS = {
    "AWS::DynamoDB::Table",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::Secret",
}
_COLOURS = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "canary": "cyan"}


def _row(one: Deployment) -> list[str]:
    outcome = one.outcome.value if one.outcome else "running" if one.is_running else "interrupted"
    return [
        f"{one.at:%Y-%m-%d %H:%M:%S}",
        one.environment,
        one.cause.kind.value,
        one.release.id,
        one.release.digest[:12],
        one.release.config_hash,
        one.cause.by,
        click.style(outcome, fg=_COLOURS.get(outcome)),
        _notes(one),
    ]


def _notes(one: Deployment) -> str:
    """What a person should know beyond the columns."""
    from emulator.model import GateResult, Phase

    said = [f"from {one.cause.promoted_from}"] if one.cause.promoted_from else []
    said += [text for text in (one.cause.source, one.cause.reason, one.detail) if text]
    gates = [*(gate for gate in one.gates if gate.phase is Phase.BEFORE), *one.gates_after]
    said += [f"{gate.name} {gate.result.value}" for gate in gates if gate.result is not GateResult.PASSED]
    if one.is_verified:
        said.append("verified")
    return "; ".join(said)


COMMANDS = (promote, approve, hold, verify, rollback, history)
