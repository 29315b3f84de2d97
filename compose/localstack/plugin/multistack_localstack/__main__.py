"""Starts LocalStack: the image's command."""

from __future__ import annotations

import gc
import logging
import os
import sys

from multistack_localstack.lean.late import load_gateway
from multistack_localstack.lean.routes import compile_builders_late
from multistack_localstack.supported import is_supported


def main() -> None:
    """Serve until SIGTERM."""
    # Nearly all that is made at the start stays: looking through it again and again is lost time, see lean.hooks.
    gc.disable()
    gc.set_threshold(20_000, 10, 10)
    from localstack import config

    if is_supported("late imports"):
        compile_builders_late()
        load_gateway(validates=config.OPENAPI_VALIDATE_REQUEST or config.OPENAPI_VALIDATE_RESPONSE)
    from localstack.runtime.main import main as run

    status = 1
    try:
        run()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else 0
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # All services have stopped and state is saved; threads that still wait for something would hold it up for seconds.
    os._exit(status)


if __name__ == "__main__":
    main()
