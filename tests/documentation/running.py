"""Run the shell blocks of a page, each page in one bash, and hold what they print against what the page shows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.documentation.blocks import Block, Command

# The port in the pages, and what stands for anything in what they show.
PORT, ANYTHING = "127.0.0.1:8080", "…"
_END, _SHOWN = "\x1e", 40  # lines of what a failed command printed
_PREFACE = rf"""
exec 2>&1
step=0
curl() {{ command curl --fail-with-body --silent --show-error "$@"; }}
trap 'printf "\n{_END}%s %s\n" "$step" "$?"' EXIT
ended() {{
  local code=$?
  printf '\n{_END}%s %s\n' "$1" "$code"
  case "$2" in
    nonzero) [ "$code" != 0 ] ;;
    *) [ "$code" = "$2" ] ;;
  esac || {{ trap - EXIT; exit; }}
  step=$(($1 + 1))
  return "$code"
}}
"""
# What is another one on each machine and at each time; all else has to be printed as it is shown.
_VARYING = (
    (re.compile(r"(?<![\w.])/[\w./-]*(?=/(\.multistack|clone|src|corpora)\b)"), ""),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,64}\b", re.IGNORECASE), "N"),
    (re.compile(r"\d+([.,:]\d+)*"), "N"),
    (re.compile(r"\b(N[dhms] )*N[dhms]\b"), "SPAN"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that did not do what its page says."""

    line: int
    text: str
    why: str

    def __str__(self) -> str:
        """As it is shown with the page's name before it."""
        return f"{self.line}: {self.text}\n  {self.why}"


def run_blocks(
    blocks: Sequence[Block], *, folder: Path, environ: Mapping[str, str], port: int, timeout: float
) -> Failure | None:
    """
    Run blocks in one bash, in their order, until one is not as its page says.

    Args:
        folder: Where the first command runs.
        port: Takes the place of 8080, which only one page at a time could have.
        timeout: Seconds for all of them.

    Raises:
        subprocess.TimeoutExpired: They took longer.
    """
    commands = [command for block in blocks for command in block.commands]
    script = _PREFACE + "".join(_step(number, command) for number, command in enumerate(commands))
    done = subprocess.run(
        ["bash", "-c", script.replace(PORT, f"127.0.0.1:{port}")],
        cwd=folder,
        env=dict(environ),
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
        start_new_session=True,
    )
    return _judge(commands, done.stdout)


def _step(number: int, command: Command) -> str:
    """The lines of the script that run one command and say how it ended; ``$?`` goes from one to the next."""
    text = f"{{ {command.text}\n}} </dev/null"
    if command.wait:
        text = f"for _ in $(seq {command.wait * 5}); do\n{text}\n[ $? = 0 ] && break\nsleep 0.2; false; done"
    return f"{text}\nended {number} {command.exits}\n"


def _judge(commands: Sequence[Command], output: str) -> Failure | None:
    """The first command that failed, or printed something else."""
    parts = re.split(rf"\n{_END}(\d+) (\d+)\n", output)
    ends = {int(parts[at]): (int(parts[at + 1]), parts[at - 1]) for at in range(1, len(parts) - 1, 3)}
    for number, command in enumerate(commands):
        if number not in ends:
            return Failure(command.line, command.text, f"never ended; printed:\n{_last_of(parts[-1])}")
        code, printed = ends[number]
        if not _is_expected(code, command.exits):
            return Failure(
                command.line, command.text, f"ended with {code}, not {command.exits}; printed:\n{_last_of(printed)}"
            )
        missing = lines_missing(command.printed or (), printed.splitlines())
        if missing:
            shown = "\n  ".join(missing)
            return Failure(command.line, command.text, f"did not print:\n  {shown}\nbut:\n{_last_of(printed)}")
    return None


def _last_of(printed: str) -> str:
    return "\n".join(printed.splitlines()[-_SHOWN:])


def _is_expected(code: int, exits: str) -> bool:
    return code != 0 if exits == "nonzero" else code == int(exits)


def lines_missing(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """The lines that a page shows and a command did not print, but for ids, times and numbers; in any order."""
    found = [_normal(line) for line in printed]
    wanted = [line for line in shown if line.strip() not in ("", ANYTHING)]
    return [line for line in wanted if not any(_pattern(line).fullmatch(one) for one in found)]


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(_normal(part)) for part in line.strip().split(ANYTHING)), re.DOTALL)


def _normal(line: str) -> str:
    for varying, stands_for in _VARYING:
        line = varying.sub(stands_for, line)
    return line.strip()
