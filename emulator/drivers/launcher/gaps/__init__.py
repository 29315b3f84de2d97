"""
What MiniStack lacks, and what a test of ``tests/conformance`` or ``tests/unit`` therefore wants.

Each module is one gap: its first line names it, ``apply()`` fills it in the running process.
"""

from __future__ import annotations

from importlib import import_module

GAPS = (
    # First: the others import CloudFormation.
    "lazy_services",
    "alias_rules",
    "alias_weights",
    "any_method",
    "assumable_role",
    "async_invocations",
    "batch_window",
    "change_set_names",
    "custom_resources",
    "drift_properties",
    "drift_types",
    "full_buckets",
    "function_urls",
    "function_names",
    "function_properties",
    "http_api_body",
    "inline_modules",
    "interrupted_stacks",
    "missing_code",
    "network_attributes",
    "parameter_resources",
    "parameter_values",
    "paused_stacks",
    "payload_limits",
    "request_validators",
    "reserved_concurrency",
    "rollback_failed",
    "rule_creation",
    "secret_ref",
    "service_models",
    "shared_properties",
    "stack_exports",
    "table_properties",
    "table_replacement",
    "taken_names",
    "template_references",
    "unbounded_metrics",
    "unstored_objects",
    "unusable_stacks",
    "version_rules",
    # The first replaces what the second wraps.
    "log_streams",
    "unbounded_logs",
    # Each of these wraps what the ones before it wrapped: a request meets the last one first.
    "rest_api_import",
    "rest_api_id",
    "mapping_templates",
    "service_integrations",
    "mock_integrations",
    "unknown_guards",
    "unsigned_calls",
    "policy_of_guarded",
    "context_identity",
    "proxy_event",
    "gateway_errors",
    "http_api_services",
    "invoke_permission",
    "stage_snapshot",
    "http_api_throttling",
    "http_api_deployments",
    "stage_variables",
    "stage_canary",
)


def apply() -> None:
    """Fill every gap; once per process, before the first request."""
    for gap in GAPS:
        import_module(f"{__name__}.{gap}").apply()
