"""What a command asks of the functions in a running emulator of ours; other drivers' emulators can't be asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from emulator.drivers import control
from emulator.model import Endpoint

TRY = "functions/try"
# Seconds; importing a function may take ten, and as long as its own Timeout.
_TRYING = 960.0


def try_code(endpoint: Endpoint, folder: Path, code: Mapping[str, Path]) -> None:
    """
    Find out whether functions can be imported from new code.

    Args:
        folder: The environment's.
        code: Function name to a zip.

    Raises:
        MultistackError: One can't; says which and why.
        NotReady: The emulator doesn't answer.
    """
    control.ask(endpoint, folder, TRY, {name: str(path) for name, path in code.items()}, timeout=_TRYING)
