"""
Tokens of spaces: one to join, which is used once, and the access token that it is traded for.

Both are readable text with a signature. Nobody keeps a list of them: the key that signs them is all that is kept, and a
space's generation, by which earlier ones are void. A join code is for people who type what they read on paper; it does
what the join token does, as long as whoever takes it counts wrong ones.
"""

from __future__ import annotations

import base64
import contextlib
import enum
import hmac
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from emulator.errors import MultistackError, file_hint
from emulator.model import Space
from emulator.state import make_state_folder

KEY_FILE = "spaces.key"
# Behind a space's name: the path where a join token is traded.
JOIN = "_join"
# Signs of a token: it may stand in a URL, and be the access key id of AWS's clients, as it is.
LONGEST = 128
_KEY_BYTES = 32
_FORM = r"(ms[ja])\.([a-z0-9-]{1,30})\.([0-9]{1,9})\.([0-9]{1,11})\.([A-Za-z0-9_-]{43})"
_TOKEN = re.compile(_FORM)
# Digits and letters that nobody takes for each other; those that people type instead.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE = str.maketrans("OILU", "011V", "- ")
_CODE_SIGNS = 8


class Purpose(enum.Enum):
    """What a token is for; it begins with that."""

    JOIN = "msj"
    ACCESS = "msa"


class Flaw(enum.Enum):
    """Why a token lets nobody in."""

    MALFORMED = "malformed"
    OTHER_SPACE = "other-space"
    EARLIER = "earlier"
    EXPIRED = "expired"


def make_token(key: bytes, purpose: Purpose, space: Space, *, expires: datetime | None) -> str:
    """
    A token of the space's generation.

    Args:
        expires: When it ends by itself; None for never.
    """
    ends = int(expires.timestamp()) if expires else 0
    text = f"{purpose.value}.{space.name}.{space.generation}.{ends}"
    return f"{text}.{_signature(key, text)}"


def join_url(url: str, state: Path, space: Space) -> str:
    """
    The link by which *space* is joined, once; with the first one the key is made.

    Args:
        url: The proxy's.

    Raises:
        MultistackError: The key can't be read or written.
    """
    token = make_token(keep_key(state), Purpose.JOIN, space, expires=space.expires)
    return f"{url}/{space.name}/{JOIN}?token={token}"


def make_code(key: bytes, space: Space) -> str:
    """The join code of the space's generation, e.g. ``K7QM-2XNP``."""
    digest = hmac.digest(key, f"code.{space.name}.{space.generation}".encode("ascii"), "sha256")
    signs = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:_CODE_SIGNS])
    return f"{signs[:4]}-{signs[4:]}"


def flaw_of(
    token: str, *, key: bytes | None, purpose: Purpose, name: str, space: Space | None, now: datetime
) -> Flaw | None:
    """
    What is wrong with *token* as one of space *name*; None when it is good.

    It ends with its space, however often that is extended, and by itself only where the space has no end.

    Args:
        key: None where there is none yet: then no token can be one.
        space: None when there is no such space: a token that was made for one of that name is of an earlier one.
    """
    match = _TOKEN.fullmatch(token)
    if (
        match is None
        and purpose is Purpose.JOIN
        and key is not None
        and space is not None
        and _is_code(token, key, space)
    ):
        return Flaw.EXPIRED if space.expires is not None and space.expires <= now else None
    if key is None or match is None or match[1] != purpose.value:
        return Flaw.MALFORMED
    text, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature, _signature(key, text)):
        return Flaw.MALFORMED
    if match[2] != name:
        return Flaw.OTHER_SPACE
    if space is None or int(match[3]) != space.generation:
        return Flaw.EARLIER
    ends = space.expires.timestamp() if space.expires else int(match[4])
    return Flaw.EXPIRED if 0 < ends <= now.timestamp() else None


def _is_code(text: str, key: bytes, space: Space) -> bool:
    typed = text.upper().translate(_ALIKE)
    return hmac.compare_digest(typed.encode(errors="replace"), make_code(key, space).replace("-", "").encode())


def expiry_of(token: str) -> datetime | None:
    """When a good token ends; None for never."""
    match = _TOKEN.fullmatch(token)
    return datetime.fromtimestamp(int(match[4]), UTC) if match and int(match[4]) else None


def tokens_in(text: str) -> list[str]:
    """What looks like a token of ours in *text*, good or not."""
    return [match[0] for match in _TOKEN.finditer(text)] if "ms" in text else []


def without_tokens(text: str, instead: str) -> str:
    """*text* with *instead* in the place of each token."""
    return _TOKEN.sub(instead, text) if "ms" in text else text


def keep_key(state: Path) -> bytes:
    """
    The key that signs the project's tokens; made the first time, by whichever command comes first.

    Raises:
        MultistackError: It can't be read or written, or is none.
    """
    path = state / KEY_FILE
    try:
        with contextlib.suppress(FileNotFoundError):
            return read_key(path)
        make_state_folder(state)
        aside = _write_aside(path, secrets.token_bytes(_KEY_BYTES))
        try:
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        finally:
            aside.unlink()
        return read_key(path)
    except OSError as error:
        raise MultistackError(
            f"{path}, the key of the spaces' tokens, can't be kept: {error.strerror}", hint=file_hint(error)
        ) from error
    except ValueError as error:
        raise MultistackError(
            f"{path}, the key of the spaces' tokens, is damaged", hint="remove it: all tokens are void then"
        ) from error


def write_key(path: Path, key: bytes) -> None:
    """
    Put *key*, which was made elsewhere, into the file *path*.

    Raises:
        OSError: It can't be written; the old one stays.
    """
    _write_aside(path, key).replace(path)


def _write_aside(path: Path, key: bytes) -> Path:
    """Never readable for others, not even for a moment; whole from the first moment on that it has its name."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{key.hex()}\n")
    return aside


def read_key(path: Path) -> bytes:
    """
    The key in *path*.

    Raises:
        FileNotFoundError: None was made yet.
        ValueError: It is none.
    """
    key = bytes.fromhex(path.read_text("ascii").strip())
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{len(key)} bytes")
    return key


def _signature(key: bytes, text: str) -> str:
    digest = hmac.digest(key, text.encode("ascii"), "sha256")
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")
