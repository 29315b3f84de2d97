"""Takes a bundle in: all of it verified first, then its images into the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emulator.bundle import images
from emulator.bundle.manifest import Manifest
from emulator.bundle.reader import Bundle, open_bundle
from emulator.bundle.targets import this_machine
from emulator.drivers.engine import connect
from emulator.errors import ArtifactError, NotReady
from emulator.events import Emit


def load(path: Path, *, with_images: bool, environ: Mapping[str, str], allow_remote: bool, emit: Emit) -> Manifest:
    """
    Load the bundle *path*, a file or the folder it was unpacked to.

    Args:
        environ: The caller's variables: where the engine is.

    Raises:
        ArtifactError: It is broken, or for another kind of machine; nothing was loaded.
        NotReady: The engine can't be used, or fails; the images that were loaded before stay.
    """
    bundle = open_bundle(path)
    try:
        check_platform(bundle.manifest, this_machine().platform, where=str(path))
        bundle.verify(emit)
        if with_images and bundle.manifest.images:
            _load_images(bundle, environ=environ, allow_remote=allow_remote, emit=emit)
        return bundle.manifest
    finally:
        bundle.close()


def _load_images(bundle: Bundle, *, environ: Mapping[str, str], allow_remote: bool, emit: Emit) -> None:
    try:
        client = connect(environ, allow_remote=allow_remote, timeout=images.PATIENCE)
    except NotReady as error:
        hint = f"{error.hint}; or use `--no-images`: embedded environments need none"
        raise NotReady(f"the bundle's images can't be loaded: {error.message}", hint=hint) from error
    images.load(client, bundle, emit=emit)


def check_platform(manifest: Manifest, platform: str, *, where: str) -> None:
    """
    Refuse a bundle for another kind of machine.

    Raises:
        ArtifactError: It has nothing for *platform*.
    """
    if platform not in manifest.platforms:
        raise ArtifactError(
            f"bundle {where} is for {', '.join(manifest.platforms)}, this machine is {platform}",
            hint=f"ask for one that was saved with --platform {platform}",
        )
