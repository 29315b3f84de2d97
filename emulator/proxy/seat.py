"""Which environment of which space a request asks for, and the tokens that it carries; decided from it alone."""

from __future__ import annotations

import posixpath
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from emulator.environment_names import name_problem
from emulator.model import SEPARATOR, Route
from emulator.proxy.request import Request
from emulator.proxy.resolve import ENVIRONMENT_HEADER, environment_of_host, split_segment
from emulator.proxy.selection import ALL, EVERY
from emulator.space_tokens import JOIN, tokens_in, without_tokens

TOKEN_HEADER = "x-multistack-token"  # noqa: S105 (the header's name)
SPACE_COOKIE = "multistack_space"
# Behind an environment's name: its AWS API.
AWS = "_aws"
_CREDENTIALS = ("authorization", "x-amz-credential")
# As AWS's clients sign URLs; any other parameter would be a link that somebody shares.
_PRESIGNED = re.compile(r"[?&](?:X-Amz-Credential|AWSAccessKeyId)=([^&%/]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """
    What a request asks of a space.

    Attributes:
        space: Its name, in lower case; whether there is such a space is not known yet.
        environment: Empty when the request names none.
        prefix: What the client's path has in front of *target*: ``/<space>/<environment>``, or nothing.
        target: Raw path and query within the environment.
    """

    space: str
    environment: str
    prefix: str
    target: str

    @property
    def is_join(self) -> bool:
        """Whether it is the page where a join token is traded."""
        return self.environment == JOIN and bool(self.prefix) and _path(self.target) == "/"

    @property
    def is_home(self) -> bool:
        """Whether it is the page about the space itself."""
        return not self.environment and bool(self.prefix) and _path(self.target) == "/"

    @property
    def is_for_all(self) -> bool:
        """Whether it asks all environments of the space at once."""
        return self.environment == ALL and bool(self.prefix)

    @property
    def aws_target(self) -> str | None:
        """What it asks of the environment's AWS API; None when it asks the service."""
        first, rest = split_segment(self.target)
        return rest if first == AWS else None


def seat_of(request: Request, routes: Mapping[str, Route], *, listens_on: Callable[[str], bool]) -> Seat | None:
    """
    The seat that *request* asks for; None when it can't be for a space.

    Args:
        routes: The project's own environments: whatever they are called, no space hides them.

    Raises:
        Problem: Its ``Host`` is foreign.
    """
    if request.host is None or not request.target.startswith("/"):
        return None
    named = {_named(name) for name in request.values(ENVIRONMENT_HEADER)}
    if (host := environment_of_host(request.host, listens_on)) is not None:
        environment, _, space = host.rpartition(".")
        named.add((space, environment) if environment else (host, None))
    if not named:
        space, rest = split_segment(request.target)
        if space in routes:
            return None  # nearly all, where no spaces are asked
        environment, target = split_segment(rest)
        prefix = f"/{space}/{environment}" if environment else f"/{space}"
        return _seat(space, environment, prefix, target, routes)
    if len(named) > 1:
        return None  # it is for nobody, and told so
    space, second = named.pop()
    return None if second is None else _seat(space, second, "", request.target, routes)


def _named(name: str) -> tuple[str, str | None]:
    """Space and environment that a header names; for an environment of the project's own its name, and None."""
    space, separator, environment = name.lower().partition(SEPARATOR)
    is_list = "," in name or name.strip() == EVERY
    return (space, environment) if separator and not is_list else (name.lower(), None)


def _seat(space: str, environment: str, prefix: str, target: str, routes: Mapping[str, Route]) -> Seat | None:
    name = space.lower()
    if name == ALL or name_problem(name) is not None:
        return None
    # Those of the lab have two parts, the first of which is no environment by itself.
    if any(own.lower().partition(SEPARATOR)[0] == name for own in routes):
        return None
    return Seat(space=name, environment=environment, prefix=prefix, target=target)


def given_tokens(request: Request) -> list[str]:
    """The tokens that a request carries; what a header of ours says is taken for one, whatever it is."""
    given = [value.strip() for value in request.values(TOKEN_HEADER)]
    for header in _CREDENTIALS:
        given += [token for value in request.values(header) for token in tokens_in(value)]
    given += [token for value in _PRESIGNED.findall(request.target) for token in tokens_in(value)]
    given += [value for cookies in request.values("cookie") for name, value in _pairs(cookies) if name == SPACE_COOKIE]
    return [token for token in given if token]


def without_seat_tokens(request: Request, account_id: str) -> Request:
    """
    The request as an environment may see it, and as it may be kept.

    Args:
        account_id: Of the environment: emulators take it for one when it is the access key id.
    """
    headers = []
    for name, value in request.headers:
        key, kept = name.lower(), value
        if key == TOKEN_HEADER:
            continue
        if key == "cookie" and SPACE_COOKIE in value:
            kept = "; ".join(f"{one}={content}" for one, content in _pairs(value) if one != SPACE_COOKIE)
            if not kept:
                continue
        headers.append((name, without_tokens(kept, account_id)))
    return replace(request, headers=headers, target=without_tokens(request.target, account_id))


def is_emulators_own(target: str) -> bool:
    """Whether a path is a route of the emulator's own, and none of AWS's: theirs begin with no underscore."""
    path = urllib.parse.unquote(_path(target))
    return any(form.lstrip("/").startswith("_") for form in (path, posixpath.normpath(path)))


def _path(target: str) -> str:
    return target.partition("?")[0]


def _pairs(cookies: str) -> list[tuple[str, str]]:
    parts = (pair.strip().partition("=") for pair in cookies.split(";"))
    return [(name, value) for name, _, value in parts]
