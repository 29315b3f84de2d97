"""
Answer requests for environments, one JSON document per line, until nobody asks any more.

The tests' process may do anything: change ``os.environ`` and the clock, leave threads, be killed. This one was started
before with the variables of that time, and sees the end of its stdin whatever happened; then it cleans up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from pathlib import Path
from typing import IO, Any

from emulator.config import isolate_process
from emulator.errors import MultistackError
from emulator.interruption import Interruption
from emulator.testing.keeper.environment_set import EnvironmentSet, Options

_REQUESTS = frozenset(
    {
        "names",
        "prepare",
        "up",
        "begin",
        "end",
        "save",
        "restore",
        "service",
        "logs",
        "report",
        "invoke",
        "send",
        "create",
        "destroy",
    }
)


def main() -> None:
    """Read requests from stdin, write an answer to each to stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", type=Path)
    parser.add_argument("--driver")
    parser.add_argument("--endpoint")
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed is no answer
    options = Options(
        file=arguments.file,
        driver=arguments.driver,
        endpoint=arguments.endpoint,
        is_reused=arguments.reuse,
        is_kept=arguments.keep,
    )
    kept = EnvironmentSet(options, environ=isolate_process(), cwd=Path.cwd())
    Interruption().catch()  # SIGTERM, too, ends it in good order
    try:
        for line in sys.stdin:
            request: dict[str, Any] = json.loads(line)
            _answer(answers, kept, request)
    except KeyboardInterrupt:
        pass
    finally:
        _answer(answers, kept, {"do": "close", "number": None})


def _answer(answers: IO[str], kept: EnvironmentSet, arguments: dict[str, Any]) -> None:
    """Each answer has the number of its request: who asked may have been interrupted, and asks for something else."""
    do, number = arguments.pop("do"), arguments.pop("number")
    answer: dict[str, Any]
    try:
        if do not in _REQUESTS and do != "close":
            raise MultistackError(f"there is no request {do}")
        answer = {"answer": getattr(kept, do)(**arguments)}
    except MultistackError as error:
        told = {"type": type(error).__name__, "message": error.message, "hint": error.hint, "details": error.details}
        answer = {"error": told}
    except Exception as error:  # a bug of ours: the tests go on, and one of them shows it
        traceback.print_exc()
        message = "".join(traceback.format_exception_only(error)).strip()
        answer = {"error": {"type": "MultistackError", "message": message, "hint": None, "details": ()}}
    try:
        print(json.dumps({"number": number, **answer}), file=answers, flush=True)
    except BrokenPipeError:
        return  # it was killed


if __name__ == "__main__":
    main()
