"""Puts the savings in place when LocalStack starts, before it loads a service."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from typing import Any

from localstack import config
from localstack.runtime import hooks

from multistack_localstack.supported import is_supported


@hooks.on_infra_start(priority=1000)
def share_model_files() -> None:
    """Before anything makes a session."""
    if is_supported("sharing parsed files"):
        from multistack_localstack.lean.model_files import share

        share()


@hooks.on_infra_start(priority=990)
def load_late() -> None:
    """What services import at their start and few need is imported when it is used."""
    if not config.EAGER_SERVICE_LOADING or not is_supported("late imports"):
        return
    from localstack.utils.bootstrap import get_preloaded_services

    from multistack_localstack.lean import late

    wanted = get_preloaded_services()
    if "ssm" in wanted:
        late.load_ssm()
    if "cloudformation" in wanted:
        late.load_cloudformation()


@hooks.on_infra_ready(priority=-1000)
def collect_garbage_again() -> None:
    """It was left alone since the image's command began: all that is there now stays."""
    gc.freeze()
    gc.enable()


@hooks.on_infra_start(priority=900)
def keep_metrics() -> None:
    """CloudWatch is not started by what functions and queues do."""
    if is_supported("keeping metrics"):
        from localstack.aws import handlers
        from localstack.services.lambda_.invocation import version_manager
        from localstack.services.sqs import provider as sqs_provider

        from multistack_localstack.lean.metrics import PendingMetrics, lambda_recorders, sqs_recorders

        pending = PendingMetrics(_put_metrics)
        for name, recorder in lambda_recorders(pending).items():
            setattr(version_manager, name, recorder)
        for name, recorder in sqs_recorders(pending).items():
            setattr(sqs_provider, name, recorder)
        version_manager.start_thread = _without_threads_for_metrics(version_manager.start_thread)

        def send_what_is_pending(chain: Any, context: Any, response: Any) -> None:
            if context.service.service_name == "cloudwatch" and context.operation.name != "PutMetricData":
                pending.flush()

        handlers.serve_custom_service_request_handlers.append(send_what_is_pending)


def _without_threads_for_metrics(start_thread: Any) -> Any:
    """LocalStack starts a thread for each metric."""

    def start(method: Any, *args: Any, **options: Any) -> Any:
        if str(options.get("name", "")).startswith("record-cloudwatch-metric"):
            return method()
        return start_thread(method, *args, **options)

    return start


def _put_metrics(account_id: str, region: str, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
    from localstack.aws.connect import connect_to

    connect_to(aws_access_key_id=account_id, region_name=region).cloudwatch.put_metric_data(
        Namespace=namespace, MetricData=data
    )
