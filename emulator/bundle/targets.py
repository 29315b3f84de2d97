"""Which machines a bundle is for: a version of Python and a platform, and which wheels they take."""

from __future__ import annotations

import functools
import platform as machine
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from packaging import tags
from packaging.tags import Tag

from emulator.errors import ConfigError

# What Docker calls a processor, and what Python does.
_PROCESSORS = {"amd64": "x86_64", "arm64": "aarch64"}
# The C library of Debian 10, Ubuntu 18.10, RHEL 8 and all later ones. Wheels for newer ones would leave machines out.
GLIBC = (2, 28)
# Older names of platform tags, by what they are called now. Source: PEP 600.
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    One kind of machine.

    Attributes:
        python: E.g. ``3.12``.
        platform: As Docker says it, e.g. ``linux/amd64``.
    """

    python: str
    platform: str

    def __str__(self) -> str:
        return f"Python {self.python} on {self.platform}"

    @property
    def numbers(self) -> tuple[int, int]:
        """The version of Python as numbers."""
        major, minor = self.python.split(".")
        return int(major), int(minor)

    @property
    def processor(self) -> str:
        """As Python says it, e.g. ``x86_64``."""
        return _PROCESSORS[self.platform.partition("/")[2]]

    @property
    def platform_tags(self) -> list[str]:
        """Tags of wheels with compiled code that run there, best first."""
        found = []
        for minor in range(GLIBC[1], 4, -1):
            found.append(f"manylinux_2_{minor}_{self.processor}")
            if old := _OLD_NAMES.get(minor):
                found.append(f"{old}_{self.processor}")
        return found

    @property
    def markers(self) -> dict[str, str]:
        """What requirements may depend on. Source: PEP 508."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.processor,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


@functools.cache
def wheel_tags(target: Target) -> frozenset[Tag]:
    """Tags of all wheels that can be installed on *target*."""
    abi = "cp{}{}".format(*target.numbers)
    return frozenset(
        [
            *tags.cpython_tags(target.numbers, [abi], target.platform_tags),
            *tags.compatible_tags(target.numbers, abi, target.platform_tags),
        ]
    )


def this_machine() -> Target:
    """
    The target that this process runs on.

    Raises:
        ConfigError: Its processor is none that bundles are for.
    """
    processor = machine.machine().lower().replace("arm64", "aarch64")
    for name, known in _PROCESSORS.items():
        if processor in (known, name):
            return Target(python="{}.{}".format(*sys.version_info), platform=f"linux/{name}")
    raise ConfigError(f"no bundle is for the processor {processor}", hint=f"known are {', '.join(_PROCESSORS)}")


def choose(pythons: Sequence[str], platforms: Sequence[str]) -> list[Target]:
    """
    The targets a user asks for: every Python on every platform; where none is named, this machine's.

    Raises:
        ConfigError: No such Python or platform.
    """
    for python in pythons:
        if not re.fullmatch(r"3\.\d{1,2}", python) or tuple(map(int, python.split("."))) < OLDEST_PYTHON:
            raise ConfigError(
                f"--python {python}: no Python that multistack runs on",
                hint="e.g. --python {}.{}, or a later one".format(*OLDEST_PYTHON),
            )
    for platform in platforms:
        if platform.removeprefix("linux/") not in _PROCESSORS or not platform.startswith("linux/"):
            known = ", ".join(f"linux/{name}" for name in _PROCESSORS)
            raise ConfigError(f"--platform {platform}: no platform that multistack runs on", hint=f"one of {known}")
    if pythons and platforms:
        chosen_pythons, chosen_platforms = pythons, platforms
    else:
        this = this_machine()
        chosen_pythons, chosen_platforms = pythons or [this.python], platforms or [this.platform]
    return [
        Target(python=python, platform=platform)
        for platform in sorted(set(chosen_platforms))
        for python in sorted(set(chosen_pythons), key=lambda text: int(text.partition(".")[2]))
    ]


def describe(targets: Sequence[Target]) -> str:
    """Targets for a sentence, e.g. ``Python 3.11, 3.12 on linux/amd64``."""
    platforms = dict.fromkeys(target.platform for target in targets)
    return " and ".join(
        f"Python {', '.join(target.python for target in targets if target.platform == platform)} on {platform}"
        for platform in platforms
    )
