"""
Installs multistack from an unpacked bundle, without a network.

This file goes into every bundle as install.py and runs where nothing is installed yet: it needs a Python that the
bundle has wheels for, and nothing else. It makes FOLDER/.venv, then lets the multistack in it load the bundle's images.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# What Docker calls a processor, by what Python does.
_PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}
_WRONG, _BROKEN, _NO_ENGINE = 2, 5, 3


class Refused(Exception):
    """
    What is wrong, and what to do.

    Args:
        code: The exit code.
    """

    def __init__(self, message: str, hint: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    """Install, and say how to go on: the exit code."""
    parser = argparse.ArgumentParser(prog="sh install.sh", description="Install multistack without a network.")
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="where .venv is made; default: beside this")
    parser.add_argument("--no-images", action="store_true", help="leave the Docker engine alone")
    parser.add_argument("--force", action="store_true", help="replace a .venv that this didn't make")
    given = parser.parse_args(arguments)
    folder = Path(given.folder).resolve()
    try:
        manifest = read_manifest(HERE)
        check_machine(manifest, this_machine())
        check_wheels(manifest, HERE)
        install(manifest, HERE, folder, force=given.force)
    except Refused as error:
        say(f"error: {error.message}")
        say(f"hint: {error.hint}")
        return error.code
    except OSError as error:
        say(f"error: {error.strerror or error}: {error.filename or folder}")
        say("hint: free some space, or install into another folder: sh install.sh FOLDER")
        return 1
    command = folder / ".venv" / "bin" / "multistack"
    code = load(command, HERE, with_images=not given.no_images)
    tell(manifest, command, code)
    return code


def read_manifest(folder: Path) -> dict[str, Any]:
    """The bundle's manifest; that its format is known here goes without saying, as they come together."""
    try:
        found = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise Refused(f"{folder} is no whole bundle: {error}", "unpack it again", _BROKEN) from error
    return dict(found)


def this_machine() -> dict[str, str]:
    """The target that this Python is."""
    processor = _PROCESSORS.get(platform.machine().lower(), platform.machine())
    return {"python": "{}.{}".format(*sys.version_info), "platform": f"{sys.platform}/{processor}"}


def check_machine(manifest: Mapping[str, Any], machine: Mapping[str, str]) -> None:
    """Refuse a machine that the bundle has no wheels for."""
    if dict(machine) in manifest["targets"]:
        return
    known = ", ".join(f"Python {target['python']} on {target['platform']}" for target in manifest["targets"])
    raise Refused(
        f"this is Python {machine['python']} on {machine['platform']}; the bundle is for {known}",
        f"name another Python (PYTHON=/path/to/python sh install.sh), or ask for a bundle saved with "
        f"--python {machine['python']} --platform {machine['platform']}",
        _WRONG,
    )


def check_wheels(manifest: Mapping[str, Any], folder: Path) -> None:
    """Refuse wheels that are not as they were saved."""
    for name, member in manifest["members"].items():
        if not name.startswith("wheels/"):
            continue
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != member["sha256"]:
            raise Refused(f"{path} is not as it was saved", "copy the bundle again, and unpack it again", _BROKEN)


def install(manifest: Mapping[str, Any], bundle: Path, folder: Path, *, force: bool) -> None:
    """Make FOLDER/.venv, unless it is there already as this bundle makes it."""
    target = folder / ".venv"
    mark = target / "multistack-bundle.json"
    wanted = json.dumps({"bundle": manifest["sha256"], "python": sys.version, "path": str(target)})
    if mark.is_file() and mark.read_text() == wanted:
        say(f"multistack {manifest['version']} is installed in {target}")
        return
    if target.exists() and not mark.exists() and not force:
        raise Refused(f"{target} is there, and is not of a bundle", "name another folder, or add --force", _WRONG)
    say(f"installing multistack {manifest['version']} into {target}")
    folder.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.exists():
        shutil.rmtree(target)
    target.mkdir()
    mark.write_text("{}")  # from here on it is ours to replace, however this ends
    venv.EnvBuilder(symlinks=True).create(target)
    _run_pip(manifest, bundle, target)
    mark.write_text(wanted)


def _run_pip(manifest: Mapping[str, Any], bundle: Path, target: Path) -> None:
    """pip out of the bundle: many a Linux has no `ensurepip` with its Python."""
    (pip,) = (bundle / "wheels").glob("pip-*.whl")
    options = ["--isolated", "--quiet", "--no-index", "--only-binary", ":all:", "--no-warn-script-location"]
    options += ["--disable-pip-version-check", "--find-links", str(bundle / "wheels")]
    done = subprocess.run(
        [str(target / "bin" / "python"), "-I", str(pip / "pip"), "install", *options, *manifest["packages"]],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        libc = " ".join(platform.libc_ver()).strip() or "another C library than glibc"
        raise Refused(
            f"the wheels can't be installed: {said[-1] if said else f'pip ended with {done.returncode}'}",
            f"the bundle is for glibc 2.28 or later, this is {libc}; free some space if the disk is full",
            1,
        )


def load(command: Path, bundle: Path, *, with_images: bool) -> int:
    """Let multistack load the images: its exit code."""
    options = [] if with_images else ["--no-images"]
    return subprocess.run([str(command), "bundle", "load", *options, str(bundle)], check=False).returncode


def tell(manifest: Mapping[str, Any], command: Path, code: int) -> None:
    """How to go on."""
    if code == _NO_ENGINE:
        say("multistack itself is installed; once the engine is there, run this again")
        say('or go without: `driver = "embedded"`, or MULTISTACK_DRIVER=embedded, needs no Docker')
    elif code != 0:
        return
    say("")
    say("next:")
    projects = [name for name in manifest["members"] if name.endswith("/multistack.toml")]
    for name in projects[:1]:
        say(f"  cd {HERE / Path(name).parent}")
    say(f"  . {command.parent / 'activate'}")
    say("  multistack up")


def say(line: str) -> None:
    """One line for whoever installs."""
    print(line, file=sys.stderr)  # noqa: T201 (there is no click yet)


if __name__ == "__main__":
    sys.exit(main())
