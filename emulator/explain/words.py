"""Names of environments, in texts and in logical ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

# What people call environments. Not `live`, which is a good name for an alias or a stage inside one stack.
_USUAL = (
    "acceptance dev develop development integration nonprod preprod prd preproduction prod production qa sandbox stage "
    "staging stg test testing tst uat"
)
_SYNONYMS = {
    "develop": "dev",
    "development": "dev",
    "prd": "prod",
    "preproduction": "preprod",
    "production": "prod",
    "stage": "staging",
    "stg": "staging",
    "testing": "test",
    "tst": "test",
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# CDK ends logical ids with a hash of the construct's path.
_CDK_HASH = re.compile(r"(?<=[A-Za-z])[0-9A-F]{8}$")


@dataclass(frozen=True, slots=True)
class Words:
    """
    What counts as an environment's name.

    Attributes:
        declared: Those of the project; they are what its environments are called, whatever is usual.
    """

    declared: frozenset[str]

    @classmethod
    def of(cls, declared: Iterable[str] = ()) -> Words:
        """The usual names, and those that a project declares."""
        return cls(frozenset(name.lower() for name in declared))

    def environment(self, text: object) -> str | None:
        """The environment that *text* as a whole names, e.g. ``prod`` for ``Production``; None if it names none."""
        word = text.lower() if isinstance(text, str) else ""
        if word in self.declared:
            return word
        return _SYNONYMS.get(word, word) if word in _USUAL.split() else None

    def split(self, identifier: str) -> tuple[str, str] | None:
        """
        The environment in an identifier and the rest of it.

        ``ProdOrdersTable`` is ``("prod", "OrdersTable")``; None if no word of it is an environment's name. The rest is
        empty when nothing else is there.
        """
        plain = _CDK_HASH.sub("", identifier)
        spans = [match.span() for match in _WORD.finditer(plain)]
        pairs = [(one[0], two[1]) for one, two in pairwise(spans)]
        found = [span for span in (*pairs, *spans) if self.environment(plain[slice(*span)])]
        # `stage` is also the AWS word: TestStage is of test.
        found.sort(key=lambda span: plain[slice(*span)].lower() == "stage")
        if not found:
            return None
        start, end = found[0]
        name = self.environment(plain[start:end])
        return (name, plain[:start] + plain[end:]) if name else None


def without_word(text: str, environment: str) -> str | None:
    """
    *text* with NUL wherever it has the environment's very name as a word; None if it has none.

    Names of AWS resources are not CamelCase: ``orders-test`` has the word, ``latest`` has not. Another spelling is
    none: what takes its place is the name as it is.
    """
    replaced, count = re.subn(rf"(?<![A-Za-z0-9]){re.escape(environment)}(?![A-Za-z0-9])", "\0", text)
    return replaced if count else None
