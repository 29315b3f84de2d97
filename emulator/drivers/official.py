"""What is laid into containers of LocalStack's official image, so that their stacks can be updated."""

from __future__ import annotations

import re
from collections.abc import Mapping

from emulator.drivers.container_functions import socket_path
from emulator.images.recipe import recipe_folder

# The one release whose code the patches fit, and no other edition; a digest alone doesn't tell which it is.
_FITS = re.compile(r"(?:.+/)?localstack/localstack:4\.14(?:\.\d+)?(?:-(?:amd64|arm64))?(?:@.+)?")
# LocalStack runs what is in the first while it starts; the second is where that looks for the rest.
_SCRIPT, _PACKAGE = "/etc/localstack/init/start.d/multistack_patches.py", "/opt/multistack"


def patches(image: str, address: str) -> Mapping[str, str]:
    """
    Paths of this machine to where they belong in a container of *image*; none where it is another image.

    Args:
        address: The engine's; one of another machine would find no such paths.
    """
    folder = recipe_folder()
    if folder is None or not _FITS.fullmatch(image) or socket_path(address) is None:
        return {}
    script, package = folder / "init" / "multistack_patches.py", folder / "plugin"
    return {str(script): _SCRIPT, str(package): _PACKAGE} if script.is_file() else {}
