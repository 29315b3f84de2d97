"""Which APIs a stack has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emulator.apis import apis_of, are_there, check_api, default_among
from emulator.errors import ConfigError
from emulator.model import Api, Project

REST, HTTP = "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"


def stage(kind: str, **properties: Any) -> dict[str, Any]:
    """A stage or a deployment."""
    return {"Type": kind, "Properties": properties}


def test_rest_and_http_apis_are_found_with_their_stages() -> None:
    """An API without a stage is not served."""
    template = {
        "Resources": {
            "Rest": {"Type": REST},
            "Http": {"Type": HTTP},
            "Unserved": {"Type": REST},
            "Live": stage("AWS::ApiGateway::Stage", RestApiId={"Ref": "Rest"}, StageName="live"),
            "Default": stage("AWS::ApiGatewayV2::Stage", ApiId={"Ref": "Http"}, StageName="$default"),
        }
    }
    assert apis_of(template, {"Rest": "r1", "Http": "h1", "Unserved": "u1"}) == [
        Api(logical_id="Rest", stage="live", path="/_aws/execute-api/r1/live"),
        Api(logical_id="Http", stage="$default", path="/_aws/execute-api/h1/$default"),
    ]


def test_urls_of_functions_are_served_behind_apis() -> None:
    """By the name of the function; an ARN, as other emulators have it, leads nowhere."""
    template = {"Resources": {"Url": {"Type": "AWS::Lambda::Url"}, "Other": {"Type": "AWS::Lambda::Url"}}}
    physical = {"Url": "shop:live", "Other": "arn:aws:lambda:eu-west-1:111111111111:function:other"}
    found = apis_of(template, physical)
    assert found == [Api(logical_id="Url", stage="", path="/_aws/lambda-url/shop:live")]
    assert are_there(found, physical)
    assert not are_there(found, {})


@pytest.mark.parametrize(
    ("stages", "named", "expected"),
    [
        pytest.param({"A": "v1"}, None, "A", id="the only one"),
        pytest.param({"A": "v1", "B": "v1"}, None, None, id="several"),
        pytest.param({"A": "v1", "B": "v1"}, "B", "B", id="named"),
        pytest.param({"A": "v1", "Url": ""}, None, "A", id="beside a URL"),
        pytest.param({"A": "v1", "Url": ""}, "Url", "Url", id="a named URL"),
        pytest.param({"Url": ""}, None, "Url", id="a URL and nothing else"),
        pytest.param({"Url": ""}, "Gone", "Url", id="named one that is gone"),
        pytest.param({}, None, None, id="none"),
    ],
)
def test_one_api_is_served_at_the_root(stages: dict[str, str], named: str | None, expected: str | None) -> None:
    """What the project names, else the only one."""
    apis = [Api(logical_id=name, stage=stage, path="/a") for name, stage in stages.items()]
    assert default_among(apis, named) == expected


@pytest.mark.parametrize(
    ("physical", "expected"),
    [
        pytest.param({"Rest": "r1", "Table": "t"}, True, id="there"),
        pytest.param({"Rest": "r2"}, False, id="one of that name with another id"),
        pytest.param({}, False, id="gone"),
    ],
)
def test_an_api_is_there_by_its_id(physical: dict[str, str], expected: bool) -> None:
    """Each deployment of a stack that was deleted gives its APIs other ones."""
    assert are_there([Api(logical_id="Rest", stage="live", path="/_aws/execute-api/r1/live")], physical) is expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        pytest.param({"/o/{id}": {"get": {}}, "/h": {"get": {}}, "/b": {"get": {}}}, "b", id="first without parameter"),
        pytest.param({"/": {"get": {}}, "/a/b": {"x-amazon-apigateway-any-method": {}}}, "a/b", id="any method"),
        pytest.param({"/orders": {"post": {}}}, "", id="no GET"),
        pytest.param({"$default": {"x-amazon-apigateway-any-method": {}}}, "", id="default route"),
        pytest.param(None, "", id="no paths"),
    ],
)
def test_a_path_to_try_is_found(paths: Any, expected: str) -> None:
    """One that answers a plain GET, or none."""
    api = {"Type": REST, "Properties": {"Body": {"paths": paths}}}
    live = stage("AWS::ApiGateway::Stage", RestApiId={"Ref": "Rest"}, StageName="live")
    assert apis_of({"Resources": {"Rest": api, "Live": live}}, {"Rest": "r1"})[0].example == expected


def test_a_deployment_may_make_the_stage() -> None:
    """A stage of its own wins."""
    deployment = stage("AWS::ApiGateway::Deployment", RestApiId={"Ref": "Rest"}, StageName="old")
    template = {"Resources": {"Rest": {"Type": REST}, "Deployment": deployment}}
    assert [api.stage for api in apis_of(template, {"Rest": "r1"})] == ["old"]
    template["Resources"]["Live"] = stage("AWS::ApiGateway::Stage", RestApiId={"Ref": "Rest"}, StageName="live")
    assert [api.stage for api in apis_of(template, {"Rest": "r1"})] == ["live"]


def test_a_stage_name_that_is_no_text_is_the_physical_one() -> None:
    """``StageName: !Ref Stage`` is known only after deployment."""
    live = stage("AWS::ApiGateway::Stage", RestApiId={"Ref": "Rest"}, StageName={"Ref": "Parameter"})
    template = {"Resources": {"Rest": {"Type": REST}, "Live": live}}
    assert [api.stage for api in apis_of(template, {"Rest": "r1", "Live": "v2"})] == ["v2"]


@pytest.mark.parametrize(
    ("resources", "hint"),
    [
        pytest.param({"Rest": {"Type": REST}, "Http": {"Type": HTTP}}, "its APIs: Rest, Http", id="others"),
        pytest.param({"Queue": {"Type": "AWS::SQS::Queue"}}, "it has none; remove the key", id="none"),
    ],
)
def test_a_wrong_api_is_refused(resources: dict[str, Any], hint: str) -> None:
    """The hint names those that there are."""
    with pytest.raises(ConfigError, match=r'api = "Nope" is no API of template\.yaml') as caught:
        check_api(_project("Nope"), {"Resources": resources})
    assert caught.value.hint == hint


def test_a_right_api_or_none_passes() -> None:
    """Most services name none."""
    check_api(_project(None), {"Resources": {}})
    check_api(_project("Rest"), {"Resources": {"Rest": {"Type": REST}}})


def _project(api: str | None) -> Project:
    return Project(
        file=Path("multistack.toml"), service="tiny", template=Path("template.yaml"), environments=(), api=api
    )


def test_a_path_of_routes_and_of_methods_is_an_example() -> None:
    """Serverless and CDK write an API's paths as resources of their own."""
    template = {
        "Resources": {
            "Http": {"Type": "AWS::ApiGatewayV2::Api"},
            "HttpStage": {
                "Type": "AWS::ApiGatewayV2::Stage",
                "Properties": {"ApiId": {"Ref": "Http"}, "StageName": "$default"},
            },
            "One": {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {"ApiId": {"Ref": "Http"}, "RouteKey": "GET /one"},
            },
            "Added": {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {"ApiId": {"Ref": "Http"}, "RouteKey": "POST /added"},
            },
            "Rest": {"Type": "AWS::ApiGateway::RestApi"},
            "RestStage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {"RestApiId": {"Ref": "Rest"}, "StageName": "live"},
            },
            "Parent": {
                "Type": "AWS::ApiGateway::Resource",
                "Properties": {"PathPart": "a", "ParentId": {"Fn::GetAtt": ["Rest", "RootResourceId"]}},
            },
            "Child": {
                "Type": "AWS::ApiGateway::Resource",
                "Properties": {"PathPart": "b", "ParentId": {"Ref": "Parent"}},
            },
            "Get": {
                "Type": "AWS::ApiGateway::Method",
                "Properties": {"RestApiId": {"Ref": "Rest"}, "ResourceId": {"Ref": "Child"}, "HttpMethod": "GET"},
            },
        }
    }
    assert [api.example for api in apis_of(template, {"Http": "h1", "Rest": "r1"})] == ["one", "a/b"]
