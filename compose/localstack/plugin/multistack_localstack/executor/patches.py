"""What is wrong or slow in LocalStack 4.14's Lambda, mended in place."""

from __future__ import annotations

import collections
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from localstack.aws.api.lambda_ import InvocationType, RequestTooLargeException
from localstack.services.apigateway.next_gen.execute_api.integrations.aws import RestApiAwsProxyIntegration
from localstack.services.lambda_.invocation import execution_environment
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, Invocation, InvocationResult, S3Code
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager
from localstack.services.lambda_.provider import LambdaProvider
from localstack.utils.patch import patch
from localstack.utils.strings import long_uid

from multistack_localstack import tracing
from multistack_localstack.executor.timers import SharedTimer

# Bytes of an event. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_SYNCHRONOUS = 6 * 1024 * 1024
MAX_ASYNCHRONOUS = 1024 * 1024
# Seconds between two looks at whether calls of a replaced version have ended; the first look is as late.
_LOOK = 0.1
# Not below /tmp, which is memory in our containers; nothing of it needs to be kept.
CODE = "/var/lib/localstack/code"


def apply() -> None:
    """Put all of them in place."""
    weighted_aliases()
    payload_limits()
    tracing.note_calls()
    client_context()
    direct_calls()
    updates_without_a_gap()
    execution_environment.Timer = SharedTimer
    code_on_disk(Path(os.environ.get("MULTISTACK_CODE") or CODE))


def weighted_aliases() -> None:
    """``UpdateAlias`` with weights fails in LocalStack: it doesn't say whose weights they are."""
    updated = threading.local()

    @patch(LambdaProvider.update_alias)
    def update_alias(original: Any, self: Any, context: Any, function_name: str, name: str, **given: Any) -> Any:
        from localstack.services.lambda_ import api_utils

        account_id, region = api_utils.get_account_and_region(function_name, context)
        plain_name = api_utils.get_function_name(function_name, context)
        function = self._get_function(function_name=plain_name, region=region, account_id=account_id)
        alias = function.aliases.get(name)
        target = given.get("function_version") or (alias.function_version if alias else None)
        updated.version = function.versions.get(target) if target else None
        return original(self, context, function_name=function_name, name=name, **given)

    @patch(LambdaProvider._create_routing_config_model)
    def create_routing_config_model(
        original: Any, self: Any, weights: dict[str, float], function_version: FunctionVersion | None = None
    ) -> Any:
        return original(self, weights, function_version or updated.version)


def payload_limits() -> None:
    """AWS refuses an event that is too large before it looks at the function."""

    @patch(LambdaService.invoke)
    def invoke(original: Any, self: Any, *args: Any, **given: Any) -> Any:
        size = len(given.get("payload") or b"")
        is_event = given.get("invocation_type") == InvocationType.Event
        limit = MAX_ASYNCHRONOUS if is_event else MAX_SYNCHRONOUS
        if size > limit:
            operation = "InvokeAsync" if is_event else "InvokeFunction"
            message = f"Request must be smaller than {limit} bytes for the {operation} operation"
            raise RequestTooLargeException(message, Type="User")
        return original(self, *args, **given)


def client_context() -> None:
    """A caller's client context reaches the function; LocalStack drops it."""

    @patch(ExecutionEnvironment.invoke)
    def invoke(original: Any, self: Any, invocation: Invocation) -> InvocationResult:
        # An environment has one call at a time.
        self.runtime_executor.client_context = invocation.client_context
        return original(self, invocation)


def direct_calls() -> None:
    """API Gateway calls a function without a request to LocalStack itself: half the time of a call."""
    original = RestApiAwsProxyIntegration.call_lambda

    def call_lambda(function_arn: str, event: bytes, source_arn: str, credentials: str | None = None) -> bytes:
        service = _lambda_service()
        parts = function_arn.split(":")
        if credentials or service is None or len(parts) < 7:
            return original(function_arn=function_arn, event=event, source_arn=source_arn, credentials=credentials)
        result = service.invoke(
            function_name=parts[6],
            qualifier=parts[7] if len(parts) > 7 else None,
            region=parts[3],
            account_id=parts[4],
            invocation_type=InvocationType.RequestResponse,
            client_context=None,
            request_id=long_uid(),
            payload=event,
            trace_context={},
        )
        return result.payload

    RestApiAwsProxyIntegration.call_lambda = staticmethod(call_lambda)


def updates_without_a_gap() -> None:
    """Calls that run while a function is updated end on what they began with, as on AWS; LocalStack kills them."""
    running: collections.Counter[str] = collections.Counter()
    lock = threading.Lock()

    def count(manager: LambdaVersionManager, calls: int) -> None:
        with lock:
            running[manager.id] += calls
            if not running[manager.id]:
                del running[manager.id]

    @patch(LambdaVersionManager.invoke)
    def invoke(original: Any, self: Any, **given: Any) -> InvocationResult:
        count(self, 1)
        try:
            return original(self, **given)
        finally:
            count(self, -1)

    @patch(LambdaVersionManager.stop)
    def stop(original: Any, self: Any) -> None:
        def stop_later() -> None:
            deadline = time.monotonic() + self.function_version.config.timeout + _LOOK
            time.sleep(_LOOK)
            while self.id in running and _is_replaced(self) and time.monotonic() < deadline:
                time.sleep(_LOOK)
            original(self)

        if _is_replaced(self):
            # LocalStack's own threads for such work are few, and what waits for a call may wait for long.
            threading.Thread(target=stop_later, name="replaced-version", daemon=True).start()
        else:
            original(self)


def _is_replaced(manager: LambdaVersionManager) -> bool:
    """Whether an update put another version in its place; else the function is deleted, or Lambda stops."""
    service = _lambda_service()
    now = service.lambda_running_versions.get(manager.function_arn) if service else None
    return now is not None and now is not manager


def code_on_disk(folder: Path) -> None:
    """Functions are unpacked into *folder*; what a former start left there goes."""
    shutil.rmtree(folder, ignore_errors=True)

    def get_unzipped_code_location(self: S3Code) -> Path:
        return folder / self.s3_bucket / self.id / "code"

    S3Code.get_unzipped_code_location = get_unzipped_code_location


def _lambda_service() -> LambdaService | None:
    """The one that runs; None while Lambda has not been started."""
    from localstack.services.plugins import SERVICE_PLUGINS, ServiceState

    container = SERVICE_PLUGINS.get_service_container("lambda")
    if container is None or container.state != ServiceState.RUNNING:
        return None
    return getattr(container.service._provider, "lambda_service", None)
