"""Which runtimes this image can run, and on what."""

from __future__ import annotations

import re
import sys

_PYTHON = re.compile(r"python3\.\d+")


def is_python(runtime: str | None) -> bool:
    """Whether *runtime*, e.g. ``python3.12``, is a Python of any version."""
    return bool(runtime and _PYTHON.fullmatch(runtime))


def difference(runtime: str) -> str:
    """What is to be said of running *runtime* here; empty when it is this image's own Python."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return "" if runtime == own else f"{runtime} runs on the image's {own}"
