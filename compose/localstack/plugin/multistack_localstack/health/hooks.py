"""Makes ``/_localstack/health`` say ``error`` of a service that was to be loaded and isn't there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from localstack import config
from localstack.runtime import hooks

from multistack_localstack.supported import is_supported


@hooks.on_infra_start(priority=700)
def tell_the_truth() -> None:
    """LocalStack leaves out a service whose plugin is not found, and calls one available whose start failed."""
    if not config.EAGER_SERVICE_LOADING or not is_supported("the health of missing services"):
        return
    from localstack.services.plugins import ServicePluginManager, ServiceState
    from localstack.utils.bootstrap import get_preloaded_services
    from localstack.utils.patch import patch

    @patch(ServicePluginManager.get_states)
    def get_states(original: Any, self: Any) -> dict[str, Any]:
        return true_states(
            original(self), get_preloaded_services(), missing=ServiceState.ERROR, idle=ServiceState.AVAILABLE
        )


def true_states(states: Mapping[str, Any], loaded: Collection[str], *, missing: Any, idle: Any) -> dict[str, Any]:
    """*states*, where each of the services *loaded* at the start that is unknown or still *idle* is *missing*."""
    return {**states, **{name: missing for name in loaded if states.get(name) in (None, idle)}}
