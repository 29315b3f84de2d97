"""Commands on bundles, for machines without a network: bundle save, show, load."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emulator.cli.context import Context

if TYPE_CHECKING:
    from emulator.bundle.manifest import Manifest

_path = click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def bundle() -> None:
    """Carry multistack and its images to machines without a network, as one file."""


@bundle.command()
@_path
@click.option("--python", "pythons", multiple=True, metavar="VERSION", help="For that Python, e.g. 3.12; several.")
@click.option(
    "--platform", "platforms", multiple=True, metavar="PLATFORM", help="For linux/amd64 or linux/arm64; several."
)
@click.option("--image", "images", multiple=True, metavar="NAME", help="That image too; may be given several times.")
@click.option("--no-images", is_flag=True, help="Wheels only: embedded environments need no image.")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="That package too, e.g. awscli; several.")
@click.option(
    "--with",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="That folder too, e.g. a service or slides; several.",
)
@click.pass_obj
def save(
    context: Context,
    *,
    path: Path,
    pythons: Sequence[str],
    platforms: Sequence[str],
    images: Sequence[str],
    no_images: bool,
    packages: Sequence[str],
    folders: Sequence[Path],
) -> None:
    """Write images, wheels and an installer into one file."""
    from emulator.bundle import saving, targets
    from emulator.bundle.meter import readable
    from emulator.config import scrubbed_environ
    from emulator.errors import ConfigError
    from emulator.events import Event
    from emulator.render import Progress

    if no_images and images:
        raise ConfigError("--no-images and --image exclude each other")
    project = context.project()
    wanted, optional = ([], []) if no_images else saving.images_of(project)
    emit = Progress([])
    if project is not None and not (wanted or optional or images or no_images):
        emit(Event(None, "no images:", f"no environment of {project.file.name} runs in a container; --image adds one"))
    contents = saving.Contents(
        targets=targets.choose(pythons, platforms),
        wanted=sorted({*wanted, *images}),
        optional=[name for name in optional if name not in images],
        packages=packages,
        folders=folders,
    )
    manifest = saving.save(
        path,
        contents,
        environ=scrubbed_environ(context.caller_environ()),
        allow_remote=context.allow_remote(),
        emit=emit,
    )
    click.echo(f"saved {path} ({readable(path.stat().st_size)}): {_summary(manifest)}")


@bundle.command()
@_path
@click.option("--verify", is_flag=True, help="Read all of it and hold it against its digests.")
@_json
def show(path: Path, verify: bool, as_json: bool) -> None:
    """List what is in a bundle."""
    from emulator.bundle.reader import open_bundle
    from emulator.bundle.targets import describe
    from emulator.render import Progress, print_json, table

    found = open_bundle(path)
    try:
        if verify:
            found.verify(Progress([]))
    finally:
        found.close()
    manifest = found.manifest
    if as_json:
        print_json({**dataclasses.asdict(manifest), "at": manifest.at.isoformat(), "size": manifest.size})
        return
    click.echo(
        f"multistack {manifest.version}, saved {manifest.at:%Y-%m-%d %H:%M} UTC for {describe(manifest.targets)}"
    )
    click.echo(table(["kind", "name", "version", "size"], _rows(manifest)))
    if verify:
        click.echo("whole: every file is as it was saved", err=True)


@bundle.command()
@_path
@click.option("--no-images", is_flag=True, help="Verify it only, and leave the Docker engine alone.")
@click.pass_obj
def load(context: Context, path: Path, no_images: bool) -> None:
    """Verify a bundle, and load its images into the Docker engine."""
    from emulator.bundle import loading
    from emulator.bundle.own_wheel import find
    from emulator.config import scrubbed_environ
    from emulator.render import Progress

    manifest = loading.load(
        path,
        with_images=not no_images,
        environ=scrubbed_environ(context.caller_environ()),
        allow_remote=context.allow_remote(),
        emit=Progress([]),
    )
    did = "verified" if no_images or not manifest.images else "loaded"
    click.echo(f"{did} {path}: {_summary(manifest)}")
    if manifest.version != (here := find().version):
        click.echo(
            f"it is of multistack {manifest.version}, this is {here}; its install.sh installs that one", err=True
        )


def _summary(manifest: Manifest) -> str:
    """What is in a bundle, in half a line."""
    from emulator.bundle.manifest import WHEELS
    from emulator.bundle.targets import describe

    images = ", ".join(image.name for image in manifest.images) or "no images"
    wheels = f"{len(manifest.under(WHEELS))} wheels for {describe(manifest.targets)}"
    return f"multistack {manifest.version}, {images}, {wheels}"


def _rows(manifest: Manifest) -> list[list[str]]:
    """One for each image and wheel, and one for each folder that comes along."""
    from emulator.bundle.manifest import IMAGES, WHEELS
    from emulator.bundle.meter import readable

    members = manifest.members
    rows = [
        ["image", image.name, image.architecture, readable(members[image.member].size)] for image in manifest.images
    ]
    for name, member in manifest.under(WHEELS).items():
        distribution, version = name.removeprefix(f"{WHEELS}/").split("-")[:2]
        rows.append(["wheel", distribution.replace("_", "-"), version, readable(member.size)])
    folders = {name.partition("/")[0] for name in members if "/" in name} - {IMAGES, WHEELS}
    for folder in sorted(folders):
        inside = manifest.under(folder).values()
        size = readable(sum(member.size for member in inside))
        rows.append(["folder", f"{folder} ({len(inside)} files)", "", size])
    return rows


COMMANDS = (bundle,)
