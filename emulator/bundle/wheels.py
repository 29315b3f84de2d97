"""
Gets the wheels of multistack and of all it needs, for each kind of machine.

pip collects them once for the Python that runs here: most are for any machine. What a target needs beyond those, pip
downloads for it. pip itself judges requirements by the Python that runs it; what is missing is therefore read from the
wheels.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from emulator.bundle import own_wheel
from emulator.bundle.closure import Wheel, needed, read_wheel
from emulator.bundle.meter import readable
from emulator.bundle.targets import Target
from emulator.errors import ArtifactError
from emulator.events import Emit, Event

# Come with Python, in whatever version; older ones don't run on newer Pythons.
_UNPINNED = {"pip", "setuptools", "wheel", own_wheel.DISTRIBUTION}
# Rounds in which what was downloaded turns out to need more.
_MOST_ROUNDS = 12

Pip = Callable[[Sequence[str]], None]


def collect(
    targets: Sequence[Target], packages: Sequence[str], work: Path, *, environ: Mapping[str, str], emit: Emit
) -> list[Wheel]:
    """
    All wheels that *packages* need on *targets*.

    Args:
        packages: Requirements; multistack itself is always one of them, and pip, for whoever has none.
        work: An empty folder for them.
        environ: The caller's variables: pip's settings, proxies.

    Raises:
        ArtifactError: One can't be had, or doesn't exist for a target.
    """
    if importlib.util.find_spec("pip") is None:
        raise ArtifactError(f"there is no pip in {sys.prefix} to collect wheels", hint=f"{sys.executable} -m ensurepip")

    def pip(arguments: Sequence[str]) -> None:
        _run_pip(arguments, environ)

    distribution = own_wheel.find()
    source = own_wheel.source_of(distribution) or own_wheel.pack(distribution, work)
    emit(Event(None, "collecting", "wheels of multistack and of what it needs"))
    pins = _pins()
    constraints = work / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
    (base := work / "base").mkdir()
    pip(["wheel", "--wheel-dir", str(base), "--constraint", str(constraints), str(source), *packages])
    common = _read(base)
    pins |= {wheel.name: str(wheel.version) for wheel in common if wheel.name not in _UNPINNED}
    roots = [own_wheel.DISTRIBUTION, *packages]
    found: dict[str, Wheel] = {}
    for number, target in enumerate(targets):
        folder = work / str(number)
        emit(Event(None, "collecting", f"wheels for {target}"))
        found |= {wheel.path.name: wheel for wheel in complete(roots, common, target, folder, pins=pins, pip=pip)}
    wheels = [found[name] for name in sorted(found)]
    size = sum(wheel.path.stat().st_size for wheel in wheels)
    emit(Event(None, "collected", f"{len(wheels)} wheels, {readable(size)}"))
    return wheels


def _pins() -> dict[str, str]:
    """The versions that are installed here, which are those that were tried."""
    return {
        name: distribution.version
        for distribution in importlib.metadata.distributions()
        if (name := canonicalize_name(distribution.metadata["Name"] or "")) and name not in _UNPINNED
    }


def complete(
    roots: Sequence[str],
    common: Collection[Wheel],
    target: Target,
    folder: Path,
    *,
    pins: Mapping[str, str],
    pip: Pip,
) -> list[Wheel]:
    """The wheels for *target*: of *common* what fits, and what is missing downloaded into *folder*."""
    folder.mkdir()
    asked: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        wheels, missing = needed(roots, [*common, *_read(folder)], target)
        if not missing:
            return wheels
        wanted = [_pinned(requirement, pins) for requirement in missing]
        if not set(wanted) - asked:
            break
        asked.update(wanted)
        try:
            pip(_download(wanted, target, folder))
        except ArtifactError as error:
            raise ArtifactError(f"{target}: {error.message}", hint=error.hint, details=error.details) from error
    raise ArtifactError(
        f"{target}: there is no wheel that meets {', '.join(str(one) for one in missing)}",
        hint="name another --python or --platform",
    )


def _pinned(requirement: Requirement, pins: Mapping[str, str]) -> str:
    pin = pins.get(canonicalize_name(requirement.name))
    return f"{requirement.name}=={pin}" if pin else f"{requirement.name}{requirement.specifier}"


def _download(wanted: Sequence[str], target: Target, folder: Path) -> list[str]:
    platforms = [option for tag in target.platform_tags for option in ("--platform", tag)]
    machine = ["--implementation", "cp", "--python-version", target.python, *platforms]
    return ["download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), *machine, *wanted]


def _read(folder: Path) -> list[Wheel]:
    return [read_wheel(path) for path in sorted(folder.glob("*.whl"))]


def _run_pip(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """
    Run pip of this Python.

    Raises:
        ArtifactError: It fails; its own last error is the message.
    """
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:]],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return
    said = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    if any("No space left on device" in line for line in done.stderr.splitlines()):
        raise ArtifactError("the disk is full", hint="free some space (also where TMPDIR is), then run it again")
    raise ArtifactError(
        f"pip can't get the wheels: {said[-1] if said else f'exit code {done.returncode}'}",
        hint="it needs a package index, and the versions that are installed here",
        details=said[:-1],
    )
