"""The emulator's process with checkpoints left out, to tell what they cost: nothing else ever runs it."""

from __future__ import annotations

from emulator.drivers.launcher.__main__ import main
from emulator.drivers.launcher.checkpoints import Checkpointer


def _nothing(_self: Checkpointer) -> None:
    """Don't."""


if __name__ == "__main__":
    Checkpointer.start = Checkpointer.mark = _nothing  # type: ignore[method-assign]
    main()
