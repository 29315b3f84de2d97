"""What ``${{ }}`` and conditions can ask for while a step runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.pipelines.expressions import fill, is_true, names_in
from emulator.pipelines.plan import ALWAYS

_STATES = frozenset({"always()", "success()", "failure()"})


@dataclass(kw_only=True)
class Contexts:
    """
    Attributes:
        facts: ``github.*`` and ``runner.*``.
        caller: Where ``secrets.*`` and ``vars.*`` come from here: the caller's variables.
        outputs: By ``steps.ID`` or ``needs.JOB``.
        variables: ``env.*``.
        secrets: Those that were asked for; never to be shown.
    """

    facts: Mapping[str, str]
    caller: Mapping[str, str]
    outputs: dict[str, Mapping[str, str]]
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    _has_failed: bool = False

    def holds(self, condition: str, *, has_failed: bool) -> bool:
        """Whether an action with that condition is due."""
        if condition in {"", ALWAYS}:
            return condition == ALWAYS or not has_failed
        self._has_failed = has_failed
        asks_for_state = any(name in _STATES for name in names_in(condition))
        return (asks_for_state or not has_failed) and is_true(condition, self.lookup)

    def fill(self, text: str) -> str:
        """*text* with every ``${{ }}`` replaced."""
        return fill(text, self.lookup) if "${{" in text else text

    def lookup(self, name: str) -> str | None:
        """The value of one name; None when it has none."""
        if name in _STATES:
            return str(name != ("success()" if self._has_failed else "failure()")).lower()
        context, _, rest = name.partition(".")
        if context == "env":
            return self.variables.get(rest)
        if context == "secrets":
            self.secrets[rest] = self.caller.get(rest, "")
        if context in {"secrets", "vars"}:
            return self.caller.get(rest)
        if context in {"steps", "needs"}:
            owner, _, output = rest.partition(".outputs.")
            return self.outputs.get(f"{context}.{owner}", {}).get(output)
        return self.facts.get(name)
