"""Which APIs a deployed stack has, and where its emulator serves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.errors import ConfigError
from emulator.model import Api, Project
from emulator.template import Template

_TYPES = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api")
# Keys of a path in an OpenAPI document that answer GET.
_GET = {"get", "x-amazon-apigateway-any-method"}


def check_api(project: Project, template: Template) -> None:
    """
    Compare the project's ``api`` with the APIs of its plain template.

    Raises:
        ConfigError: It names none of them.
    """
    names = [logical_id for logical_id, resource in template["Resources"].items() if resource["Type"] in _TYPES]
    if project.api is not None and project.api not in names:
        raise ConfigError(
            f'{project.file.name}: api = "{project.api}" is no API of {project.template.name}',
            hint=f"its APIs: {', '.join(names)}" if names else "it has none; remove the key",
        )


def apis_of(template: Template, physical: Mapping[str, str]) -> list[Api]:
    """The REST and HTTP APIs of a deployed stack that have a stage, in the template's order."""
    resources = template["Resources"]
    stages: dict[str, str] = {}
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        owner = properties.get("RestApiId") or properties.get("ApiId")
        api = owner.get("Ref") if isinstance(owner, dict) else None
        if resource["Type"] in ("AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage"):
            named = properties.get("StageName")
            stages.setdefault(str(api), named if isinstance(named, str) else physical.get(logical_id, ""))
    for resource in resources.values():  # a deployment may make a stage of its own
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::ApiGateway::Deployment" and isinstance(properties.get("StageName"), str):
            stages.setdefault(str((properties.get("RestApiId") or {}).get("Ref")), properties["StageName"])
    return [
        Api(
            logical_id=api,
            stage=stages[api],
            path=f"/_aws/execute-api/{physical[api]}/{stages[api]}",
            example=_example(resource.get("Properties", {}).get("Body")),
        )
        for api, resource in resources.items()
        if api in stages and api in physical
    ]


def are_there(apis: Sequence[Api], physical: Mapping[str, str]) -> bool:
    """Whether a stack with the resources *physical* has *apis*, as :func:`apis_of` found them in its template."""
    return all(f"/{physical.get(api.logical_id)}/" in api.path for api in apis)


def _example(body: object) -> str:
    """A path of an OpenAPI *body* that answers GET and takes no parameter: the first by name, so always the same."""
    paths = body.get("paths") if isinstance(body, dict) else None
    candidates = [
        path.lstrip("/")
        for path, methods in (paths or {}).items()
        if isinstance(methods, dict) and "{" not in path and path.startswith("/") and _GET & methods.keys()
    ]
    return min((path for path in candidates if path), default="")
