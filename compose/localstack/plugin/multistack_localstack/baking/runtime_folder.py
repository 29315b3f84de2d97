"""
Fills ``/var/runtime`` while the image is built: AWS's runtime client and SDK, and nothing besides.

Without it a function would find requests or yaml because LocalStack has them, and fail on AWS.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html: the runtime includes the SDK for Python (Boto3).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

# boto3 and awslambdaric with all that they need; single modules have a suffix.
_NAMES = (
    "awslambdaric",
    "runtime_client",
    "simplejson",
    "snapshot_restore_py",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "six",
    "urllib3",
)


def make(folder: Path) -> None:
    """
    Link the packages into *folder*.

    Raises:
        ModuleNotFoundError: One is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _NAMES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(name)
        module = Path(found.origin)
        source = module.parent if module.name == "__init__.py" else module
        (folder / source.name).symlink_to(source)
