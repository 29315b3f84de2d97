"""What a command asks of the functions in a running emulator of ours; other drivers' emulators can't be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from emulator.drivers import control
from emulator.model import Endpoint

TRY = "functions/try"
# Seconds; importing a function may take ten, and as long as its own Timeout.
_TRYING = 960.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCode:
    """
    A zip that a function may get.

    Attributes:
        called: The function, for whoever reads what is wrong.
        function: Its name in the emulator.
    """

    called: str
    function: str
    archive: Path


def try_code(endpoint: Endpoint, folder: Path, code: Iterable[NewCode]) -> None:
    """
    Find out whether functions can be imported from new code.

    Args:
        folder: The environment's.

    Raises:
        MultistackError: One can't; says which and why.
        NotReady: The emulator doesn't answer.
    """
    content = {one.called: {"function": one.function, "archive": str(one.archive)} for one in code}
    control.ask(endpoint, folder, TRY, content, timeout=_TRYING)
