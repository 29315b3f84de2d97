"""Starts LocalStack: the image's command."""

from __future__ import annotations

import gc


def main() -> None:
    """Serve until SIGTERM."""
    # What is imported at the start stays for ever: looking through it again and again is lost time.
    gc.disable()
    from localstack.runtime.main import main as run

    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 20)
    run()


if __name__ == "__main__":
    main()
