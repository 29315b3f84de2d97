"""Commands that write a project in the words of what else can run it."""

from __future__ import annotations

from pathlib import Path

import click

from emulator.cli.context import Context


@click.group()
def render() -> None:
    """Write the project for what else can run it."""


@render.command()
@click.option("--spaces", type=int, metavar="NUMBER", help="So many spaces, a namespace for each.")
@click.option("--prefix", default="learner", show_default=True, help="What the names of spaces begin with.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    default="-",
    metavar="DIR",
    help="The folder to write kustomizations into; default: - for everything as one file on stdout.",
)
@click.option("--image", metavar="IMAGE", help="The emulator's image; default: multistack/embedded of this version.")
@click.option(
    "--namespace-prefix", metavar="NAME", help="What the names of namespaces begin with; default: the service's name."
)
@click.option(
    "--proxy-namespace",
    default="multistack",
    show_default=True,
    metavar="NAME",
    help="The namespace whose pods reach the emulators.",
)
@click.option(
    "--storage",
    default="1Gi",
    show_default=True,
    metavar="SIZE",
    help="Of the volume that keeps an environment's state; none: it goes with its pod.",
)
@click.pass_obj
def kubernetes(
    context: Context,
    *,
    spaces: int | None,
    prefix: str,
    output: Path,
    image: str | None,
    namespace_prefix: str | None,
    proxy_namespace: str,
    storage: str,
) -> None:
    """Write manifests for Kubernetes: a namespace per space, an emulator per environment."""
    from emulator.config import load_project
    from emulator.images.recipe import embedded_image
    from emulator.kubernetes.files import files_of, mark_of, one_file
    from emulator.kubernetes.folder import write_files
    from emulator.kubernetes.options import Options
    from emulator.kubernetes.seat import seats_of, spaces_called
    from emulator.space_list import read_spaces
    from emulator.spaces.creating import series

    options = Options(
        image=embedded_image() if image is None else image,
        namespace_prefix=namespace_prefix,
        proxy_namespace=proxy_namespace,
        storage=None if storage == "none" else storage,
    )
    project = load_project(
        file=context.file,
        environ=context.caller_environ(),
        cwd=Path.cwd(),
        overrides=context.overrides,
        needs_template=False,
    )
    chosen = None
    if spaces is not None:
        chosen = spaces_called(series(prefix, spaces, option="--spaces"), read_spaces(project.state))
    seats = seats_of(project, chosen, options)
    if str(output) == "-":
        click.echo(one_file(project, seats, options), nl=False)
        return
    folder = (Path.cwd() / output.expanduser()).absolute()
    write_files(folder, files_of(project, seats, options), mark=mark_of(project))
    click.echo(str(folder))


COMMANDS = (render,)
