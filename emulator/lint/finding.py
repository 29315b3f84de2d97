"""What lint looks for, and what it found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator.model import Project

BRANCH = "environment-branch"
RESOURCE = "environment-resource"
SECRET = "secret"  # noqa: S105 (the name of a rule)
UNREADABLE = "unreadable"
RULES: Mapping[str, str] = {
    BRANCH: "code that does one thing in one environment and another in the next",
    RESOURCE: "the name, account or ARN of one environment's resource",
    SECRET: "a secret in source",
    UNREADABLE: "a file that can't be checked",
}
CONFIG_ADVICE = "declare a config key, give each environment its value, and read that"

# A name that says environment, as the last words of an identifier: ENV, app_env, stageName, settings.environment.
_TELLING = re.compile(r"(?:^|_)(?:environment|env|stage)(?:_?name)?$")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """
    One line of source that breaks a rule.

    Attributes:
        file: As a person reads it from where they are.
        message: What is there.
        advice: What to do instead.
    """

    file: str
    line: int
    rule: str
    message: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """
    What gives an environment of the project away.

    Attributes:
        environments: Names, lower case.
        stacks: Name of a stack to its environment.
        accounts: Account id to its environment.
    """

    environments: frozenset[str]
    stacks: Mapping[str, str]
    accounts: Mapping[str, str]

    @classmethod
    def of(cls, project: Project) -> Words:
        """The words of *project*."""
        names = [environment.name for environment in project.promotion_order]
        return cls(
            environments=frozenset(names),
            stacks={project.stack_name(name): name for name in names},
            accounts={environment.account_id: environment.name for environment in project.promotion_order},
        )

    def named(self, texts: Iterable[str]) -> list[str]:
        """Those of *texts* that are names of environments, in any case, once each."""
        return list(dict.fromkeys(text for text in texts if text.lower() in self.environments))


@dataclass(frozen=True, slots=True)
class Source:
    """A file to check: where it is, how findings name it, and its text."""

    path: Path
    shown: str
    text: str

    def finding(self, line: int, rule: str, message: str, advice: str) -> Finding:
        """What is wrong on *line*."""
        return Finding(self.shown, line, rule, message, advice)


def tells_environment(identifier: str) -> bool:
    """Whether a variable, key or attribute of that name holds an environment's name, as far as its name says."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier).lower().replace("-", "_")
    return bool(_TELLING.search(snake))


def branch_message(subject: str, names: Iterable[str]) -> str:
    """What a branch does, in the words of its line."""
    return f"branches on the environment: {subject} against {', '.join(sorted(set(names)))}"
