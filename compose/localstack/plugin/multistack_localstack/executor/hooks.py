"""Puts the executor's surroundings in place when LocalStack starts."""

from __future__ import annotations

from typing import Any

from localstack.runtime import hooks

from multistack_localstack.supported import is_supported


@hooks.on_infra_start(priority=800)
def take_over_function_logs() -> None:
    """The executor delivers its lines itself, and LocalStack's thread per function version is not started."""
    if not is_supported("log lines with their times"):
        return
    from localstack.aws import handlers
    from localstack.services.lambda_.invocation import version_manager

    from multistack_localstack.executor.delivery import DELIVERY

    def deliver_what_is_pending(chain: Any, context: Any, response: Any) -> None:
        if context.service.service_name == "logs" and not context.is_internal_call:
            DELIVERY.flush()

    version_manager.LogHandler = _NoHandler
    handlers.serve_custom_service_request_handlers.append(deliver_what_is_pending)


@hooks.on_infra_start(priority=800)
def mend_lambda() -> None:
    """What is wrong or slow in LocalStack's Lambda."""
    if is_supported("weighted aliases and quick calls from API Gateway"):
        from multistack_localstack.executor import patches
        from multistack_localstack.server import bodies

        patches.apply()
        bodies.keep()


@hooks.on_infra_shutdown(priority=200)
def deliver_last_lines() -> None:
    """Before the services stop."""
    from multistack_localstack.executor.delivery import DELIVERY

    DELIVERY.flush()


@hooks.on_infra_shutdown(priority=-200)
def end_functions() -> None:
    """After the services have stopped calling them."""
    from multistack_localstack.executor.nursery import NURSERY

    NURSERY.close()


class _NoHandler:
    """Stands for LocalStack's ``LogHandler``."""

    def __init__(self, role_arn: str, region: str) -> None:
        """Needs neither."""

    def start_subscriber(self) -> None:
        """Nothing to start."""

    def add_logs(self, log_item: object) -> None:
        """The executor has delivered them."""

    def stop(self) -> None:
        """Nothing to stop."""
