"""How LocalStack finds the executor: ``LAMBDA_RUNTIME_EXECUTOR=process``."""

from __future__ import annotations

from typing import Any

from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Names the executor ``process``."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type:
        """The executor's class; imported when the first function is made."""
        from multistack_localstack.executor.executor import ProcessExecutor

        return ProcessExecutor
