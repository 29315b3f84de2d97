"""
The packages that AWS's Python runtime offers to every function, and none besides, as a folder of links to ours.

Without it a function would find Flask or hypercorn because multistack has them, and fail on AWS.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html: the runtime includes the SDK for Python (Boto3).
"""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

# boto3 and all that it needs; single modules have a suffix.
_NAMES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


def make(folder: Path) -> Path:
    """Link the packages into *folder*; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _NAMES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        module = Path(found.origin)
        source = module.parent if module.name == "__init__.py" else module
        with contextlib.suppress(FileExistsError):
            (folder / source.name).symlink_to(source)
    return folder
