"""Which APIs a deployed stack has, and where its emulator serves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from emulator.errors import ConfigError
from emulator.model import Api, Project
from emulator.template import Template

_URL = "AWS::Lambda::Url"
_TYPES = ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api", _URL)
# Keys of a path in an OpenAPI document that answer GET.
_GET = {"get", "x-amazon-apigateway-any-method"}
# The same as routes and methods have it.
_METHODS = {"GET", "ANY"}


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
    """The REST and HTTP APIs of a deployed stack that have a stage, in the template's order; then URLs of functions."""
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
    gateways = [
        Api(
            logical_id=api,
            stage=stages[api],
            path=f"/_aws/execute-api/{physical[api]}/{stages[api]}",
            example=_example([*_in_body(resource), *_in_routes(resources, api), *_in_methods(resources, api)]),
        )
        for api, resource in resources.items()
        if api in stages and api in physical
    ]
    urls = [
        Api(logical_id=name, stage="", path=f"/_aws/lambda-url/{physical[name]}")
        for name, resource in resources.items()
        if resource["Type"] == _URL and ":function:" not in physical.get(name, ":function:")  # an ARN leads nowhere
    ]
    return gateways + urls


def default_among(apis: Sequence[Api], named: str | None) -> str | None:
    """
    Which of *apis* is served at the root of its environment.

    The one that is *named*, else the only one, where URLs of functions count only if there is nothing else.
    """
    candidates = [api.logical_id for api in apis if api.stage] or [api.logical_id for api in apis]
    if named in {api.logical_id for api in apis}:
        return named
    return candidates[0] if len(candidates) == 1 else None


def are_there(apis: Sequence[Api], physical: Mapping[str, str]) -> bool:
    """Whether a stack with the resources *physical* has *apis*, as :func:`apis_of` found them in its template."""
    return all(f"/{physical.get(api.logical_id)}/" in f"{api.path}/" for api in apis)


def _example(paths: Iterable[str]) -> str:
    """Of *paths* that answer GET one that takes no parameter: the first by name, so always the same."""
    candidates = [path.lstrip("/") for path in paths if "{" not in path and path.startswith("/")]
    return min((path for path in candidates if path), default="")


def _in_body(resource: Mapping[str, Any]) -> Iterator[str]:
    """Paths of an API's OpenAPI body that answer GET."""
    body = resource.get("Properties", {}).get("Body")
    paths = body.get("paths") if isinstance(body, dict) else None
    for path, methods in (paths or {}).items():
        if isinstance(methods, dict) and _GET & methods.keys():
            yield path


def _in_routes(resources: Mapping[str, Any], api: str) -> Iterator[str]:
    """The same of the routes that an HTTP API has as resources of their own."""
    for properties in _parts(resources, "AWS::ApiGatewayV2::Route", "ApiId", api):
        method, _, path = str(properties.get("RouteKey")).partition(" ")
        if method in _METHODS:
            yield path


def _in_methods(resources: Mapping[str, Any], api: str) -> Iterator[str]:
    """The same of the methods that a REST API has as resources of their own."""
    for properties in _parts(resources, "AWS::ApiGateway::Method", "RestApiId", api):
        if properties.get("HttpMethod") in _METHODS:
            yield _path_of(resources, _reference(properties.get("ResourceId")))


def _path_of(resources: Mapping[str, Any], logical_id: str | None) -> str:
    """Of a REST API's resource, from its parents; a template whose resources go in circles was refused before."""
    path = ""
    while logical_id is not None and logical_id in resources:
        properties = resources[logical_id].get("Properties", {})
        if "PathPart" not in properties:
            break
        path, logical_id = f"/{properties['PathPart']}{path}", _reference(properties.get("ParentId"))
    return path


def _parts(resources: Mapping[str, Any], kind: str, key: str, api: str) -> Iterator[Mapping[str, Any]]:
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == kind and _reference(properties.get(key)) == api:
            yield properties


def _reference(value: object) -> str | None:
    return value.get("Ref") if isinstance(value, dict) else None
