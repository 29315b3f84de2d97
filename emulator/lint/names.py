"""Hard-coded names of an environment's resources, in any text that stands in source."""

from __future__ import annotations

import re
from collections.abc import Iterator

from emulator.lint.finding import RESOURCE, Finding, Source, Words

# Parameters of AWS's APIs and properties of templates that name a resource; as keyword, key or method.
_NAMING = re.compile(
    r"(?:Table|Queue|Bucket|Function|Topic|Stream|DeliveryStream|Stack|Cluster|EventBus|StateMachine|Secret|Key|Role|User)"
    r"(?:Name|Url|Arn|Id)|Table|Queue|Bucket|Topic|Object|SecretId|Name|Names|Path|BucketName|QueueUrl",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(r"(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z])")
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):\S*")
_ADVICE = "pass it in: a variable of the function that the template fills with !Ref or !GetAtt"


def names_in(source: Source, words: Words, text: str, line: int, *, called: str = "") -> Iterator[Finding]:
    """
    What *text* gives away, at most one finding for each environment.

    Args:
        called: The parameter, property or method that *text* is for, e.g. ``TableName``; empty when unknown.
    """
    told = set()
    for environment, what in (*_accounts(words, text), *_stacks(words, text), *_resources(words, text, called)):
        if environment not in told:
            told.add(environment)
            yield source.finding(line, RESOURCE, f"{what} belongs to {environment}", _ADVICE)


def _accounts(words: Words, text: str) -> Iterator[tuple[str, str]]:
    for match in _ARN.finditer(text):
        if match[1] in words.accounts:
            yield words.accounts[match[1]], f"the ARN {_short(match[0])}"
    for match in _ACCOUNT.finditer(text):
        if match[0] in words.accounts:
            yield words.accounts[match[0]], f"the account id {match[0]}"


def _stacks(words: Words, text: str) -> Iterator[tuple[str, str]]:
    for stack, environment in words.stacks.items():
        match = re.search(rf"(?<![\w-]){re.escape(stack)}(?![a-z0-9])[\w.-]*", text)
        if match:
            yield environment, f'"{_short(match[0])}"'


def _resources(words: Words, text: str, called: str) -> Iterator[tuple[str, str]]:
    """Names such as ``uploads-prod`` or ``/prod/db/url``, where it is known that a resource is named."""
    if not _NAMING.fullmatch(called) or re.search(r"\s", text):
        return
    parts = [part for part in re.split(r"[-_./:]", text) if part]
    if len(parts) > 1:
        for part in (parts[0], parts[-1]):
            if part in words.environments:
                yield part, f'"{_short(text)}" as {called}'


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
