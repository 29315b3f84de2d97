"""Which release a rollback goes back to."""

from __future__ import annotations

from emulator.errors import ConfigError, PromotionRefused
from emulator.model import Deployment
from emulator.served import line_of
from emulator.workspace import Workspace


def earlier(workspace: Workspace, name: str, *, to: str | None) -> Deployment:
    """The deployment that a rollback goes back to; raises PromotionRefused when there is none."""
    (environment,) = workspace.environments([name])
    done = workspace.history.of_now(environment.name)
    if not done:
        raise PromotionRefused(f"nothing was deployed into {name} yet", hint=f"multistack up {name}")
    if to is None:
        before = line_of(done)[:-1]
        none = f"{name} served no other release before {done[-1].release.id}"
    else:
        before = [one for one in done if one.release.id.startswith(to)]
        none = f"{name} never served {to}"
        if len(found := {one.release.id for one in before}) > 1:
            raise ConfigError(f"{to} may be any of {', '.join(sorted(found))}", hint="give more of its digits")
    if not before:
        raise PromotionRefused(none, hint=f"multistack history {name}")
    return before[-1]
