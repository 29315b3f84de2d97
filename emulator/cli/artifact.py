"""Commands on artifacts: build, artifact list, show, export, import."""

from __future__ import annotations

from pathlib import Path

import click

from emulator.cli.context import Context

_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@_json
@click.pass_obj
def build(context: Context, as_json: bool) -> None:
    """Build the service into an artifact and print its digest; the same source has the same digest."""
    from emulator import provenance
    from emulator.render import print_json

    workspace = context.workspace(needs_template=True)
    with workspace.changing("build"):
        artifact = workspace.build()
    if as_json:
        origin = provenance.read(workspace.store.folder(artifact.digest))
        code = {one.sha256: list(one.functions) for one in artifact.code}
        print_json({"digest": artifact.digest, "code": code, "provenance": origin})
    else:
        click.echo(artifact.digest)


@click.group()
def artifact() -> None:
    """Look at stored artifacts, and carry them to other machines."""


@artifact.command("list")
@_json
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """Show every stored artifact, and which environments serve it."""
    from emulator import provenance
    from emulator.render import print_json, table

    workspace = context.workspace()
    serving: dict[str, list[str]] = {}
    for environment in workspace.project.environments:
        if current := workspace.history.current(environment.name):
            serving.setdefault(current.release.digest, []).append(environment.name)
    found = [(digest, provenance.read(workspace.store.folder(digest))) for digest in workspace.store.digests()]
    found.sort(key=lambda one: one[1].at if one[1] else "")
    if as_json:
        print_json([{"digest": one, "provenance": origin, "served_by": serving.get(one, [])} for one, origin in found])
    elif not found:
        click.echo("nothing was built yet")
    else:
        rows = [
            [
                digest[:12],
                origin.at.replace("T", " ")[:19] if origin else "",
                ((origin.commit or "")[:12] + ("+changes" if origin.is_dirty else "")) if origin else "",
                origin.by if origin else "",
                " ".join(serving.get(digest, [])),
            ]
            for digest, origin in found
        ]
        click.echo(table(["digest", "built", "commit", "by", "served by"], rows))


@artifact.command()
@click.argument("digest")
@click.pass_obj
def show(context: Context, digest: str) -> None:
    """Print what an artifact consists of and where it came from, as JSON; its bytes are hashed again."""
    from emulator import provenance
    from emulator.render import print_json

    store = context.workspace().store
    found = store.open(store.find(digest))
    code = {one.sha256: list(one.functions) for one in found.code}
    print_json({"digest": found.digest, "code": code, "provenance": provenance.read(store.folder(found.digest))})


@artifact.command()
@click.argument("digest")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def export(context: Context, digest: str, file: Path) -> None:
    """Write an artifact into one file."""
    from emulator.artifact_transfer import export as write
    from emulator.bundle.meter import readable

    store = context.workspace().store
    whole = store.find(digest)
    size = write(store, whole, file)
    click.echo(f"wrote {whole[:12]} to {file}, {readable(size)}")


@artifact.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def import_(context: Context, file: Path) -> None:
    """Take an artifact from a file into the store."""
    from emulator.artifact_transfer import import_ as read

    workspace = context.workspace()
    with workspace.changing("artifact import"):
        digest = read(workspace.store, file)
    click.echo(f"{digest}\nnext: multistack deploy ENVIRONMENT --artifact {digest[:12]}")


COMMANDS = (build, artifact)
