"""Commands on the image that containers are made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context

if TYPE_CHECKING:
    from docker import DockerClient


@click.group()
def image() -> None:
    """Build or list the images that containers are made of."""


@image.command()
@click.option("--base", metavar="IMAGE", help="Build on this image: Debian with Python 3.13, or Debian 13.")
@click.option("--no-cache", "is_fresh", is_flag=True, help="Build everything anew, also what is there already.")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    envvar="MULTISTACK_IMAGE_CACHE",
    help="Keep a base made with debootstrap in this folder. Also MULTISTACK_IMAGE_CACHE.",
)
@click.option("--proxy", "is_proxy", is_flag=True, help="Build the image of the Compose file's proxy instead.")
@click.option("--embedded", "is_embedded", is_flag=True, help="Build the image of the embedded emulator instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def build(
    context: Context,
    *,
    base: str | None,
    is_fresh: bool,
    cache: Path | None,
    is_proxy: bool,
    is_embedded: bool,
    as_json: bool,
) -> None:
    """Build the image for containers, unless it is there and current."""
    from emulator.images.build import build as build_image
    from emulator.images.recipe import read_embedded_recipe, read_proxy_recipe, read_recipe
    from emulator.render import Progress, print_json

    if is_proxy and is_embedded:
        raise click.UsageError("--proxy and --embedded are two images: build one after the other")
    read = read_proxy_recipe if is_proxy else read_embedded_recipe if is_embedded else read_recipe
    environ = context.caller_environ()
    built = build_image(
        _engine(context),
        environ=environ,
        emit=Progress([]),
        base=base,
        cache=cache,
        is_fresh=is_fresh,
        recipe=read(),
    )
    if as_json:
        print_json(built)
    else:
        click.echo(built.name)


@image.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_images(context: Context, *, as_json: bool) -> None:
    """List the images that were built, and whether they are current."""
    from emulator.images.build import list_images as images_of
    from emulator.render import print_json, table

    found = images_of(_engine(context))
    if as_json:
        print_json(found)
        return
    rows = [
        [one.name, one.id.removeprefix("sha256:")[:12], f"{one.size / 1e6:.0f} MB", one.base, _state(one.is_current)]
        for one in found
    ]
    click.echo(table(["image", "id", "size", "base", "state"], rows))


def _state(is_current: bool) -> str:
    return click.style("current", fg="green") if is_current else click.style("outdated", fg="yellow")


def _engine(context: Context) -> DockerClient:
    from emulator.drivers.engine import connect

    return connect(context.caller_environ(), allow_remote=context.allow_remote())


COMMANDS = (image,)
