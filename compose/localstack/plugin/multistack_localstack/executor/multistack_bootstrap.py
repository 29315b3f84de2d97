"""
Where a function's process starts: AWS's search path, then AWS's runtime client.

Run by path and without this package, so that a function finds nothing but what AWS offers.

Source:
    https://docs.aws.amazon.com/lambda/latest/dg/python-package.html: the function's folder, then its layers, then the
    interpreter's own, then the runtime's.
"""

from __future__ import annotations

import os
import sys


def search_path(own: list[str], *, task: str, opt: str | None, runtime: str) -> list[str]:
    """Where a function's imports are looked for."""
    layers = [f"{opt}/python/lib/python3.{sys.version_info.minor}/site-packages", f"{opt}/python"] if opt else []
    return [task, *layers, *own, runtime]


def main() -> None:
    """Answer calls until killed."""
    # Records of logging come in frames of their own, in one pipe with what is printed: in order, and whole.
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(os.dup(1))
    runtime = os.environ["LAMBDA_RUNTIME_DIR"]
    ours = (os.path.dirname(os.path.abspath(__file__)), runtime)  # noqa: PTH100, PTH120 - pathlib takes long to import
    own = [folder for folder in sys.path if folder not in ours]
    sys.path = [*own, runtime]
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_client import LambdaRuntimeClient

    opt = os.environ.pop("_MULTISTACK_OPT", None)
    sys.path = search_path(own, task=os.environ["LAMBDA_TASK_ROOT"], opt=opt, runtime=runtime)
    client = LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"], False)
    bootstrap.run(os.environ["_HANDLER"], client)


if __name__ == "__main__":
    main()
