"""Which wheels a machine needs, and which of them are missing: as the wheels themselves say; nothing is installed."""

from __future__ import annotations

import email
import zipfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from emulator.bundle.targets import Target, wheel_tags
from emulator.errors import ArtifactError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """
    A wheel as its name and metadata describe it.

    Attributes:
        name: Normalised, e.g. ``pydantic-core``.
        requires: With their markers.
        requires_python: The versions of Python it is for.
    """

    path: Path
    name: str
    version: Version
    tags: frozenset[Tag]
    requires: tuple[Requirement, ...] = ()
    requires_python: SpecifierSet = field(default_factory=SpecifierSet)

    def fits(self, target: Target) -> bool:
        """Whether it can be installed on *target*."""
        return bool(self.tags & wheel_tags(target)) and self.requires_python.contains(f"{target.python}.0")


def read_wheel(path: Path) -> Wheel:
    """
    Read the wheel *path*.

    Raises:
        ArtifactError: It is none.
    """
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            (member,) = (
                one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1
            )
            told = email.message_from_bytes(archive.read(member))
        return Wheel(
            path=path,
            name=str(name),
            version=version,
            tags=tags,
            requires=tuple(Requirement(text) for text in told.get_all("Requires-Dist") or ()),
            requires_python=SpecifierSet(str(told.get("Requires-Python") or "")),
        )
    except (
        OSError,
        ValueError,
        zipfile.BadZipFile,
        InvalidWheelFilename,
        InvalidRequirement,
        InvalidSpecifier,
    ) as error:
        raise ArtifactError(f"wheel {path.name} can't be read: {error}") from error


def needed(packages: Iterable[str], wheels: Collection[Wheel], target: Target) -> tuple[list[Wheel], list[Requirement]]:
    """
    What installing *packages* on *target* takes.

    Returns:
        The wheels, and the requirements that no wheel meets; what those would need in turn is not known.
    """
    fitting = [wheel for wheel in wheels if wheel.fits(target)]
    found: dict[str, Wheel] = {}
    missing: dict[str, Requirement] = {}
    seen: set[tuple[str, str, str]] = set()
    waiting = [Requirement(package) for package in packages]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra, str(requirement.specifier)) in seen:
                continue
            seen.add((name, extra, str(requirement.specifier)))
            wheel = _best(name, requirement, fitting)
            if wheel is None:
                missing[name] = requirement
                continue
            found[name] = wheel
            waiting += _required(wheel, extra, target)
    return sorted(found.values(), key=lambda wheel: wheel.name), [missing[name] for name in sorted(missing)]


def _best(name: str, requirement: Requirement, wheels: Sequence[Wheel]) -> Wheel | None:
    fitting = [
        wheel
        for wheel in wheels
        if wheel.name == name and requirement.specifier.contains(wheel.version, prereleases=True)
    ]
    return max(fitting, key=lambda wheel: (wheel.version, wheel.path.name), default=None)


def _required(wheel: Wheel, extra: str, target: Target) -> list[Requirement]:
    markers = {**target.markers, "extra": extra}
    return [one for one in wheel.requires if one.marker is None or one.marker.evaluate(markers)]
