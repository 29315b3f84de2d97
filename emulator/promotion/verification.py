"""Whether a release works where it was deployed: declared requests, a replay, and the service's own smoke tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from emulator.command import last_lines, run_command
from emulator.errors import ConfigError
from emulator.model import Gate, GateResult, HttpCheck, Phase, Verification

_CHECK_TIMEOUT = 30.0
COMMAND = "smoke tests"
# What has a meaning in a path and its query, and what is encoded already. Source: RFC 3986, 2.2.
_KEPT = "%/:?#[]@!$&'()*+,;=~"


# A gate, and lines for people if it failed.
Checked = tuple[Gate, list[str]]


def verify(
    verification: Verification,
    *,
    url: str,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
    cancelled: Callable[[], None],
    replay: Callable[[], Checked] | None = None,
) -> tuple[list[Gate], list[str]]:
    """
    Run all checks, then the replay, then the command; what comes after one that failed is not run.

    Args:
        url: Of the environment's API, with a slash at its end.
        folder: Where the command runs.
        environ: Its variables.
        log: Where all that it says is kept.
        replay: Sends a corpus, if the project says so.

    Returns:
        A gate for each, and the last lines of what failed.
    """
    log.unlink(missing_ok=True)  # what an earlier verification said would be taken for what this one says
    gates = [_check(check, url) for check in verification.checks]
    lines: list[str] = []
    if replay is not None and all(gate.result is GateResult.PASSED for gate in gates):
        gate, lines = replay()
        gates.append(gate)
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="replace")
    if verification.command is not None and all(gate.result is GateResult.PASSED for gate in gates):
        gate, lines = _run(
            verification.command, timeout=verification.timeout, folder=folder, environ=environ, log=log,
            cancelled=cancelled,
        )  # fmt: skip
        gates.append(gate)
    return gates, lines


def _gate(name: str, problem: str, detail: str) -> Gate:
    result = GateResult.FAILED if problem else GateResult.PASSED
    return Gate(name=name, phase=Phase.AFTER, result=result, detail=problem or detail)


def _check(check: HttpCheck, url: str) -> Gate:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.parse import quote
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(f"{url.rstrip('/')}{quote(check.path, safe=_KEPT)}", timeout=_CHECK_TIMEOUT) as answer:
            status, body = answer.status, answer.read()
    except HTTPError as error:
        with error:
            status, body = error.code, error.read()
    except (URLError, OSError, HTTPException) as error:
        return _gate(f"GET {check.path}", f"no answer: {getattr(error, 'reason', error)}", "")
    problem = ""
    if status != check.status:
        problem = f"answered {status}, wanted {check.status}"
    elif check.contains.encode() not in body:
        problem = f"its answer does not contain {check.contains!r}"
    return _gate(f"GET {check.path}", problem, str(status))


def _run(
    command: str,
    *,
    timeout: float,
    folder: Path,
    environ: Mapping[str, str],
    log: Path,
    cancelled: Callable[[], None],
) -> tuple[Gate, list[str]]:
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("w+b") as said:
        try:
            code = run_command(
                ["/bin/sh", "-c", command],
                folder=folder, environ=environ, said=said, timeout=timeout, cancelled=cancelled,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise ConfigError(f"verify.command can't be run in {folder}: {error}") from error
        lines = last_lines(said)
    took = f"{time.monotonic() - started:.1f} s"
    if code is None:
        return _gate(COMMAND, f"did not end within {timeout:g} s: {command}", ""), lines
    problem = f"ended with {code} after {took}: {command}" if code else ""
    if code == 127:
        problem = f"command not found: {command}"
    return _gate(COMMAND, problem, f"passed in {took}"), lines if code else []
