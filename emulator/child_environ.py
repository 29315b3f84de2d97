"""The variables of a command that works with one environment."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.config import aws_environ, scrubbed_environ
from emulator.model import Endpoint
from emulator.shell import child_environ


def environ_for(endpoint: Endpoint, *, url: str | None, caller: Mapping[str, str]) -> Mapping[str, str]:
    """
    None of the caller's AWS variables, and all that lead to *endpoint*.

    Args:
        url: Where the proxy serves the environment, if it runs.
        caller: The caller's variables; an outer ``multistack exec`` may have told of another environment.
    """
    variables = {**aws_environ(endpoint), "MULTISTACK_ENVIRONMENT": endpoint.environment}
    if url:
        variables["MULTISTACK_URL"] = url
    own = {name: value for name, value in caller.items() if name != "MULTISTACK_URL"}
    return child_environ(scrubbed_environ(own), variables=variables)
