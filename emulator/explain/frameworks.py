"""Files that people take for CloudFormation templates, and how to get one out of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SERVERLESS = (
    "a configuration of the Serverless Framework",
    "run `serverless package`, then explain .serverless/cloudformation-template-update-stack.json",
)
_CDK = ("a CDK app", "run `cdk synth`, then explain cdk.out/NAME.template.json")
_TERRAFORM = ("Terraform", "explain reads CloudFormation and SAM only")
_BY_NAME: Mapping[str, tuple[str, str]] = {
    "cdk.json": _CDK,
    "samconfig.toml": ("the settings of SAM's command", "explain the template beside it"),
    "multistack.toml": ("a project file", "explain the template that it names"),
    "Pulumi.yaml": ("a Pulumi project", "explain reads CloudFormation and SAM only"),
}
_BY_SUFFIX: Mapping[str, tuple[str, str]] = {
    ".tf": _TERRAFORM,
    ".hcl": _TERRAFORM,
    ".arc": ("an Architect app", "run `arc deploy --dry-run`, then explain the sam.json that it writes"),
    ".bicep": ("an Azure template", "explain reads CloudFormation and SAM only"),
    ".ts": ("source code", "if it is a CDK app, run `cdk synth`, then explain cdk.out/NAME.template.json"),
    ".js": ("source code", "if it is a CDK app, run `cdk synth`, then explain cdk.out/NAME.template.json"),
    ".py": ("source code", "if it is a CDK app, run `cdk synth`, then explain cdk.out/NAME.template.json"),
}
_BY_CONTENT: tuple[tuple[Callable[[Mapping[str, Any]], bool], tuple[str, str]], ...] = (
    (lambda content: {"service", "provider"} <= content.keys(), _SERVERLESS),
    (lambda content: {"app", "context"} <= content.keys(), _CDK),
    (
        lambda content: {"app_name", "stages"} <= content.keys(),
        ("a configuration of Chalice", "run `chalice package out`, then explain out/sam.json"),
    ),
    (lambda content: isinstance(content.get("services"), dict), ("a Compose file", "explain the service's template")),
    (
        lambda content: "openapi" in content or "swagger" in content,
        ("an OpenAPI document", "explain the template that deploys it"),
    ),
    (
        lambda content: {"apiVersion", "kind"} <= content.keys(),
        ("a Kubernetes manifest", "explain reads CloudFormation and SAM only"),
    ),
    (
        lambda content: "$schema" in content and "resources" in content,
        ("an Azure template", "explain reads CloudFormation and SAM only"),
    ),
    (
        lambda content: "terraform" in content or ("resource" in content and "provider" in content),
        _TERRAFORM,
    ),
    (
        lambda content: {"name", "runtime"} <= content.keys(),
        ("a Pulumi project", "explain reads CloudFormation and SAM only"),
    ),
)


def by_name(path: Path) -> tuple[str, str] | None:
    """What a file is, as its name says, and what to do instead; None when it may be a template."""
    return _BY_NAME.get(path.name) or _BY_SUFFIX.get(path.suffix.lower())


def by_content(content: object) -> tuple[str, str] | None:
    """The same by what stands in it; *content* is parsed."""
    if not isinstance(content, dict) or "Resources" in content:
        return None
    return next((known for is_one, known in _BY_CONTENT if is_one(content)), None)
