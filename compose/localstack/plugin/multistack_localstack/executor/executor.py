"""An execution environment of a function: LocalStack's executor, with a child process behind it."""

from __future__ import annotations

import base64
import binascii
import logging
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localstack import config as localstack_config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InitializationType, InvocationResult
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from multistack_localstack.executor.calls import Call, Environment, refuse
from multistack_localstack.executor.delivery import Stream
from multistack_localstack.executor.layers import install
from multistack_localstack.executor.nursery import NURSERY
from multistack_localstack.executor.runtimes import difference, is_python

LOG = logging.getLogger(__name__)

_warned: set[str] = set()


class ProcessExecutor(RuntimeExecutor):
    """
    Runs one function version in one process at a time, as AWS does in one sandbox.

    Attributes:
        client_context: Of the call that comes next.
    """

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self.client_context: str | None = None
        self._environment: Environment | None = None
        self._one_call = threading.Lock()

    def start(self, env_vars: Mapping[str, Any]) -> None:
        """
        Start the process; an environment on demand doesn't wait for it, its first call does.

        Raises:
            StatusErrorException: Provisioned concurrency was asked for and the function fails to initialize.
        """
        config = self.function_version.config
        if not is_python(config.runtime):
            return
        self.prepare_version(self.function_version)
        self._environment = Environment(
            given=env_vars,
            own=config.environment or {},
            runtime=config.runtime,
            installation=install(self.function_version, self._folder()),
            timeout=config.timeout,
            memory_size=config.memory_size,
            stream=self._stream(env_vars),
        )
        self._environment.spawn()
        if env_vars.get("AWS_LAMBDA_INITIALIZATION_TYPE") == InitializationType.provisioned_concurrency:
            failure = self._environment.initialize()
            if failure is not None:
                raise StatusErrorException("the function failed to initialize", payload=failure.payload)

    def stop(self) -> None:
        """Kill the process with all that it started; a call that runs ends with ``Runtime.ExitError``."""
        if self._environment is not None:
            self._environment.kill()
            with self._one_call:
                self._environment.close()
        shutil.rmtree(self._folder(), ignore_errors=True)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Have the function answer one event."""
        request_id = payload["invoke-id"]
        call = Call(
            request_id=request_id,
            event=payload["payload"].encode("utf-8"),
            function_arn=payload["invoked-function-arn"],
            trace_id=payload.get("trace-id", ""),
            client_context=_plain(self.client_context),
        )
        if self._environment is None:
            answer = refuse(call, self.function_version.config.runtime or "")
            return InvocationResult(request_id, answer.payload, is_error=True, logs=answer.log)
        with self._one_call:
            answer = self._environment.call(call)
        return InvocationResult(request_id, answer.payload, is_error=answer.is_error, logs=answer.log)

    def get_logs(self) -> str:
        """Nothing: each call returns its own lines."""
        return ""

    def get_address(self) -> str:
        """Functions have no address of their own."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Where functions find the emulator."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Only LocalStack's own program in a function's container would ask there."""
        return f"http://127.0.0.1:{localstack_config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack a version's code and layers, and say what runs it if that isn't what it declares."""
        config = function_version.config
        if config.code is not None:
            config.code.prepare_for_execution()
        for layer in config.layers or []:
            layer.code.prepare_for_execution()
        if is_python(config.runtime):
            NURSERY.prepare()
        if is_python(config.runtime) and config.runtime not in _warned and (told := difference(config.runtime)):
            _warned.add(config.runtime)
            LOG.warning("%s", told)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing: a version's code is removed with the version."""

    def _stream(self, env_vars: Mapping[str, Any]) -> Stream:
        identity = self.function_version.id
        group = (self.function_version.config.logging_config or {}).get("LogGroup")
        return Stream(
            account_id=identity.account,
            region=identity.region,
            group=group or env_vars["AWS_LAMBDA_LOG_GROUP_NAME"],
            stream=env_vars["AWS_LAMBDA_LOG_STREAM_NAME"],
        )

    def _folder(self) -> Path:
        """For what only this environment has: its layers laid over each other."""
        return Path(tempfile.gettempdir()) / "lambda" / "environments" / self.id


def _plain(client_context: str | None) -> str | None:
    """A client context as the function gets it: callers send it in Base64."""
    if not client_context:
        return None
    try:
        return base64.b64decode(client_context, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return client_context
