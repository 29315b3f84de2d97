"""Starts LocalStack: the image's command."""

from __future__ import annotations

import gc
import logging
import os
import sys


def main() -> None:
    """Serve until SIGTERM."""
    # What is imported at the start stays for ever: looking through it again and again is lost time.
    gc.disable()
    from localstack.runtime.main import main as run

    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)
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
