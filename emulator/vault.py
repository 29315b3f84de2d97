"""Values of secrets on this machine: known elsewhere only by a salted hash."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from emulator.errors import ConfigError, MultistackError, file_hint
from emulator.process import write_atomically
from emulator.state import make_state_folder

_SALT = "salt"
_LENGTH = 24


class Vault:
    """
    The secrets of one project's releases, a file per value, for its owner only.

    An earlier release comes back with its own secrets, so values stay here as long as the ledger.

    Args:
        state: The project's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / "secrets"

    def hashes(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """
        Key to the salted hash of its value: equal within this project when the values are, and of no use elsewhere.

        Raises:
            MultistackError: The salt can't be read or written.
        """
        if not values:
            return {}
        salt = self._salt()
        return {key: _hash(salt, value) for key, value in values.items()}

    def keep(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """Remember *values*; returns their hashes. Raises MultistackError when they can't be written."""
        hashes = self.hashes(values)
        for key, found in hashes.items():
            with self._written():
                if not (self._folder / found).exists():
                    write_atomically(self._folder / found, values[key].encode())
                    (self._folder / found).chmod(0o600)
        return hashes

    def value(self, key: str, hashed: str) -> str:
        """
        The value of *key* whose hash is *hashed*.

        Raises:
            ConfigError: It isn't here, or was changed by hand.
        """
        try:
            value = (self._folder / hashed).read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the value of secret {key} with hash {hashed[:8]} is no longer in {self._folder}",
                hint="set it again with `multistack config set`, then deploy: that is a new release",
            ) from error
        if not hmac.compare_digest(_hash(self._salt(), value), hashed):
            raise ConfigError(
                f"the value of secret {key} in {self._folder / hashed} was changed by hand",
                hint=f"remove that file, set {key} again with `multistack config set`, then deploy",
            )
        return value

    def _salt(self) -> bytes:
        path = self._folder / _SALT
        try:
            return path.read_bytes()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._error(error) from error
        with self._written():
            make_state_folder(self._state)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            aside = self._folder / f".{_SALT}.{os.getpid()}.{threading.get_ident()}"
            aside.write_bytes(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):  # another command made it first
                os.link(aside, path)
            aside.unlink()
            return path.read_bytes()

    @contextlib.contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> MultistackError:
        return MultistackError(f"secrets can't be kept in {self._folder}: {error.strerror}", hint=file_hint(error))


def _hash(salt: bytes, value: str) -> str:
    return hmac.digest(salt, value.encode(), hashlib.sha256).hex()[:_LENGTH]
