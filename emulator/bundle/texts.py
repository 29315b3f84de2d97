"""What a bundle says to whoever unpacks it: README.txt, and install.sh, which finds the Python for install.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from emulator.bundle.manifest import FOLDER, BundledImage
from emulator.bundle.targets import GLIBC, Target, describe

_README = """\
multistack {version}, to be installed without a network
saved {at:%Y-%m-%d %H:%M} UTC
for {targets}

Install it:

    tar xf THIS-BUNDLE.tar
    sh {folder}/install.sh

{does}
Run it again at any time: what is done is not done again. It needs Linux with
glibc {glibc} or later and one of these Pythons, and no rights but your own.

    sh install.sh FOLDER                     makes FOLDER/.venv instead
    sh install.sh --no-images                leaves Docker alone
    PYTHON=/path/to/python3 sh install.sh    takes that Python

Then, in a folder with a multistack.toml:

    . {folder}/.venv/bin/activate
    multistack up

Where multistack is installed already, `multistack bundle load THIS-BUNDLE.tar`
is enough, and `multistack bundle show THIS-BUNDLE.tar` lists what is in it.
"""
_WITHOUT = "That makes {folder}/.venv with multistack in it."
_WITH = "That makes {folder}/.venv with multistack in it, and loads\nimages into Docker."
_IMAGES = """
The images are for {architectures}. Docker takes them without multistack, too:

{commands}
"""
_INSTALL = """\
#!/bin/sh
# Finds a Python that this bundle has packages for, and lets install.py do the rest. Nothing is downloaded.
here=$(dirname "$0")
for version in {versions}; do
  for python in ${{PYTHON:-"python$version" python3 python}}; do
    found=$("$python" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    if [ "$found" = "$version" ]; then
      exec "$python" -I "$here/install.py" "$@"
    fi
  done
done
echo "error: no Python {versions_or} found; this bundle has packages for no other" >&2
echo "hint: name one with PYTHON=/path/to/python sh install.sh, or ask for a bundle saved with --python VERSION" >&2
exit 2
"""


def readme(version: str, at: datetime, targets: Sequence[Target], images: Sequence[BundledImage]) -> bytes:
    """README.txt."""
    text = _README.format(
        version=version,
        at=at,
        targets=describe(targets),
        folder=FOLDER,
        does=(_WITH if images else _WITHOUT).format(folder=FOLDER),
        glibc="{}.{}".format(*GLIBC),
    )
    if images:
        architectures = ", ".join(sorted({image.architecture for image in images if image.architecture}))
        commands = "\n".join(f"    docker load -i {FOLDER}/{image.member}" for image in images)
        text += _IMAGES.format(architectures=architectures, commands=commands)
    return text.encode()


def install_script(targets: Sequence[Target]) -> bytes:
    """install.sh; the newest Python of the machine that fits is taken."""
    versions = sorted({target.numbers for target in targets}, reverse=True)
    told = ["{}.{}".format(*version) for version in versions]
    return _INSTALL.format(versions=" ".join(told), versions_or=" or ".join(told)).encode()
