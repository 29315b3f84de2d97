"""A learner's side of the board: joins it, and reports after each check."""

from __future__ import annotations

import json
import re
import secrets
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from emulator.errors import ConfigError, MultistackError
from emulator.workshop.board.learners import CODE_HEADER, PROGRESS, Report
from emulator.workshop.progress import Membership, Progress

# Seconds: a check must not wait for a machine that has left the room.
_PATIENCE = 2.0


def membership(url: str, code: str, name: str) -> Membership:
    """
    What a learner typed, checked.

    Raises:
        ConfigError: It is no URL, or no name.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigError(f"{url!r} is not the address of a board", hint="it looks like http://192.0.2.7:8090")
    shown = " ".join(name.split())
    if not shown or len(shown) > 40 or not shown.isprintable():
        raise ConfigError("--name must be 1 to 40 printable characters")
    return Membership(url=f"http://{parts.netloc}", code=_as_printed(code), name=shown, id=secrets.token_hex(16))


def _as_printed(code: str) -> str:
    """A code as the board prints it, e.g. ``K7QM-2XNP``, however it was typed."""
    letters = re.sub(r"[\s-]", "", code).upper()
    return f"{letters[:4]}-{letters[4:]}"


def report(to: Membership, progress: Progress) -> None:
    """
    Send how far the learner is.

    Raises:
        MultistackError: The board isn't there, or refuses.
    """
    content = Report(id=to.id, name=to.name, labs=progress.labs).model_dump_json().encode()
    request = urllib.request.Request(f"{to.url}{PROGRESS}", data=content, method="POST")  # noqa: S310 (http only)
    request.add_header("Content-Type", "application/json")
    request.add_header(CODE_HEADER, to.code)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=_PATIENCE):
            return
    except urllib.error.HTTPError as error:
        with error:
            raise MultistackError(f"the board at {to.url} refuses: {_reason(error.read())}") from error
    except (OSError, ValueError) as error:
        raise MultistackError(
            f"the board at {to.url} does not answer", hint="your progress is kept, and sent with the next check"
        ) from error


def _reason(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        return "no reason given"
