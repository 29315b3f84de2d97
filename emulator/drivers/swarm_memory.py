"""What this machine must know of an environment in a swarm: nothing else could tell it. In the environment's folder."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from emulator.process import write_atomically

_FILE, _KEY = "swarm.json", "swarm.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """
    Attributes:
        may_run: A service was made, and not removed by us.
        node: Id of the node whose volume has the state.
        port: The published one.
        volume: Ends its volume's name; empty before the first start, and once the state was erased.
    """

    may_run: bool = False
    node: str = ""
    port: int | None = None
    volume: str = ""


class Memory:
    """
    Of one environment.

    Args:
        folder: See :meth:`emulator.model.Project.environment_state`; it need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> Remembered:
        """What was noted last; broken notes are none."""
        try:
            return Remembered(**json.loads((self._folder / _FILE).read_bytes()))
        except (OSError, ValueError, TypeError):
            return Remembered()

    def note(self, **changes: object) -> Remembered:
        """
        Note what changed.

        Raises:
            OSError: It can't be written.
        """
        noted = replace(self.read(), **changes)  # type: ignore[arg-type]
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._folder / _FILE, json.dumps(asdict(noted)).encode())
        return noted

    def need_volume(self) -> str:
        """
        How its volume's name ends, made at the first call.

        By chance: notes go with their folder, and on some node there may still be the volume of an erased state.

        Raises:
            OSError: It can't be written.
        """
        return self.read().volume or self.note(volume=secrets.token_hex(8)).volume

    def key(self) -> str:
        """The emulator's key; empty where there is none."""
        try:
            return (self._folder / _KEY).read_text()
        except OSError:
            return ""

    def need_key(self) -> str:
        """
        The same, made at the first call.

        Raises:
            OSError: It can't be written.
        """
        if not self.key():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self._folder / _KEY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
        return self.key()
