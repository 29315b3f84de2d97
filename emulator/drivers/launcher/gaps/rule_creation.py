"""
Gap: MiniStack 1.5.33 forgets when a stack made a rule, so its schedule counts from a later look, anew after a restart.

On AWS the countdown of a rate begins when the rule is made.

Source:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import time

from emulator.drivers.launcher.resource_types import Properties, set_also


def apply() -> None:
    """Let creating a rule note the time, as PutRule does."""
    set_also("AWS::Events::Rule", _note)


def _note(name: str, _old: Properties, new: Properties) -> None:
    from ministack.services import eventbridge
    from ministack.services.cloudformation import provisioners

    rule = eventbridge._rules[eventbridge._rule_key(name, provisioners._eb_rule_bus_name(new))]
    rule.setdefault("CreationTime", time.time())
