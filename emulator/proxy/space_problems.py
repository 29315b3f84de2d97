"""What the proxy says about spaces and their tokens."""

from __future__ import annotations

from emulator.proxy.problems import Problem
from emulator.space_tokens import Flaw

_ASK = "ask whoever runs it for a new link"
_NEEDS = "needs its token"
_FLAWS = {
    None: (401, f": open the link to join, or {_ASK}"),
    Flaw.MALFORMED: (401, f", which this is not; {_ASK}"),
    Flaw.OTHER_SPACE: (403, "; this one is of another space"),
    Flaw.EARLIER: (401, f"; this one is void, since a newer link was made or the space removed: {_ASK}"),
    Flaw.EXPIRED: (401, f"; this one has expired: {_ASK}"),
}


def token_problem(name: str, flaw: Flaw | None) -> Problem:
    """
    A request has no good token: the same whether there is such a space or not, so that nobody can guess names.

    Args:
        flaw: None when it has no token at all.
    """
    status, detail = _FLAWS[flaw]
    kind = f"token-{flaw.value}" if flaw else "token-missing"
    problem = Problem(status, kind, "Token needed", f"space {name!r} {_NEEDS}{detail}", next_command=_new_link(name))
    if status == 401:
        # Of this scheme browsers make no dialog.
        problem.headers.append(("WWW-Authenticate", 'Multistack realm="multistack"'))
    return problem


def used_problem(name: str) -> Problem:
    """The join token was traded before."""
    detail = f"this join token was used: it works once; {_ASK}"
    return Problem(403, "token-used", "Token was used", detail, next_command=_new_link(name))


def busy_problem() -> Problem:
    """A command holds the project's lock for long."""
    detail = "another command changes the project just now; the token is still good, try again in a moment"
    problem = Problem(503, "busy", "Something else runs", detail)
    problem.headers.append(("Retry-After", "5"))
    return problem


def away_problem() -> Problem:
    """Whether a join token was used can't be asked now."""
    detail = "the store that knows which links were used is away; the link is still good, try again in a moment"
    problem = Problem(503, "store-away", "Store away", detail)
    problem.headers.append(("Retry-After", "10"))
    return problem


def no_lists_problem() -> Problem:
    """Both the path and a header say which environments are meant."""
    detail = "the path asks all environments of the space: leave X-Multistack-Environment out"
    return Problem(400, "ambiguous-environment", "Ambiguous environment", detail)


def own_route_problem(environment: str) -> Problem:
    """A path leads to what commands ask of the emulator."""
    detail = "paths that begin with _ are the emulator's own: only AWS's are open here"
    return Problem(403, "emulators-own", "Not AWS's", detail, environment=environment)


def in_space(problem: Problem, space: str) -> Problem:
    """*problem* of an environment as of one in a space: with the command that helps there, and no address beside it."""
    command = problem.next_command or ""
    if command.startswith("multistack ") and " --space " not in command:
        inside = command.removeprefix("multistack ").replace(f" {space}/", " ")
        problem.next_command = f"multistack --space {space} {inside}"
    problem.extra.pop("endpoint", None)
    return problem


def _new_link(name: str) -> str:
    return f"multistack space url {name} --new"
