"""Prepares the image's file system: ``python -m multistack_localstack.baking``."""

from __future__ import annotations

from pathlib import Path

import botocore
from localstack.aws import spec

from multistack_localstack.baking.descriptions import shrink
from multistack_localstack.baking.runtime_folder import make
from multistack_localstack.executor.variables import RUNTIME_FOLDER


def main() -> None:
    """Do all of it."""
    shrink(Path(botocore.__file__).parent / "data")
    make(RUNTIME_FOLDER)
    # The catalogue of all APIs: each start would take it together anew, 2 s, and 340 MB that stay.
    spec.main()


if __name__ == "__main__":
    main()
