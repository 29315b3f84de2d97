"""What an emulator can't do is told before anything is deployed, resource by resource."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emulator.closest import closest_to, inert
from emulator.errors import DeployError
from emulator.events import Event
from emulator.limitations import LimitCheck, Unsupported, left_of, limitations, of_types
from emulator.model import ContainerSettings, DriverName, Environment, Functions

EMBEDDED = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="us-east-1")
DOCKER = replace(EMBEDDED, driver=DriverName.LOCALSTACK, container=ContainerSettings(functions=Functions.DOCKER))
FUNCTION = "AWS::Lambda::Function"
APP_CONFIG = {"Application": "a", "Environment": "e", "Configuration": "c", "ClientId": "i"}


def template(kind: str, **properties: Any) -> dict[str, Any]:
    """A template of one resource and a queue that needs it."""
    return {
        "Resources": {
            "One": {"Type": kind, "Properties": properties},
            "Queue": {"Type": "AWS::SQS::Queue", "DependsOn": "One"},
            "Other": {"Type": "AWS::SQS::Queue"},
        }
    }


@pytest.mark.parametrize(
    ("kind", "properties", "said", "is_refused"),
    [
        pytest.param(FUNCTION, {"PackageType": "Image"}, "container image, and none is named", True, id="no image"),
        pytest.param(
            FUNCTION, {"Code": {"ImageUri": "a:b"}}, "container image, and no Docker engine has a:b", True, id="image"
        ),
        pytest.param(FUNCTION, {"FileSystemConfigs": [{}]}, "its file system is not mounted", False, id="EFS"),
        pytest.param(
            FUNCTION,
            {"Layers": ["arn:aws:lambda:us-east-1:017000801446:layer:Powertools:3"]},
            "layer Powertools:3 is on AWS only",
            False,
            id="layer of somebody else",
        ),
        pytest.param(
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": {"Ref": "Cluster"}, "Topics": ["orders"]},
            "only SQS, Kinesis and streams of DynamoDB reach functions",
            False,
            id="Kafka",
        ),
        pytest.param(
            "AWS::CloudFormation::Stack",
            {"TemplateURL": {"ApplicationId": "arn", "SemanticVersion": "1"}},
            "Serverless Application Repository only",
            True,
            id="application",
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Api",
            {"Body": {"paths": {"/": {"get": {"security": [{"a": []}]}}}}},
            "can't guard it by a",
            True,
            id="authorizer that is not there",
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Route", {"AuthorizationType": "AWS_IAM"}, "any signature is let in", False, id="IAM"
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Authorizer",
            {"JwtConfiguration": {"Issuer": "https://login.example.com"}},
            "with the keys that https://login.example.com publishes",
            False,
            id="issuer elsewhere",
        ),
        pytest.param(
            "AWS::Lambda::Url", {"InvokeMode": "RESPONSE_STREAM"}, "nothing is streamed", False, id="streaming"
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Integration",
            {"IntegrationSubtype": "AppConfig-GetConfiguration", "RequestParameters": APP_CONFIG},
            "HTTP APIs can't ask for AppConfig-GetConfiguration",
            False,
            id="service behind an HTTP API",
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Api",
            {
                "Body": {
                    "paths": {
                        "/a": {
                            "post": {
                                "x-amazon-apigateway-integration": {
                                    "subtype": "AppConfig-GetConfiguration",
                                    "requestParameters": APP_CONFIG,
                                }
                            }
                        }
                    }
                }
            },
            "HTTP APIs can't ask for AppConfig-GetConfiguration",
            False,
            id="service in the definition of an HTTP API",
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Integration",
            {
                "IntegrationSubtype": "SQS-SendMessage",
                "RequestParameters": {"QueueUrl": {"Ref": "Q"}, "MessageBody": "$context.status"},
            },
            "its calls get 400: $context.status is not known here",
            False,
            id="variable of an HTTP API",
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Integration",
            {"IntegrationSubtype": "SQS-SendMessage", "RequestParameters": {"QueueUrl": "u"}},
            "its creation fails, as on AWS: Missing required parameters of SQS-SendMessage: MessageBody",
            False,
            id="parameter that is missing",
        ),
        pytest.param(
            "AWS::ApiGateway::Method",
            {"Integration": {"Type": "MOCK", "IntegrationResponses": [{"StatusCode": 200}]}},
            "its calls get 500, as on AWS: no request template",
            False,
            id="mock without a template",
        ),
        pytest.param(
            "AWS::ApiGateway::Method",
            {"Integration": {"Type": "HTTP", "IntegrationResponses": [{"ResponseTemplates": {"a/b": "$input"}}]}},
            "templates of HTTP integrations aren't evaluated",
            False,
            id="template of an HTTP integration",
        ),
        pytest.param(
            "AWS::ApiGateway::RestApi",
            {
                "Body": {
                    "paths": {
                        path: {
                            "get": {
                                "x-amazon-apigateway-integration": {"type": "http", "requestTemplates": {"a/b": ""}}
                            }
                        }
                        for path in ("/a", "/b")
                    }
                }
            },
            "templates of HTTP integrations aren't evaluated",
            False,
            id="template of an HTTP integration in a definition",
        ),
        pytest.param(
            "AWS::ApiGateway::GatewayResponse",
            {"ResponseTemplates": {"application/json": '{"a": "$context.error.validationErrorString"}'}},
            "don't fill in $context.error.validationErrorString",
            False,
            id="variable of a gateway response",
        ),
        pytest.param(
            "AWS::StepFunctions::StateMachine",
            {"LoggingConfiguration": {"Level": "ALL"}},
            "its executions aren't logged",
            False,
            id="log of a state machine",
        ),
        pytest.param("AWS::SNS::Subscription", {"Protocol": "email"}, "nothing is sent by email", False, id="mail"),
        pytest.param(
            "AWS::SNS::Topic", {"Subscription": [{"Protocol": "sms"}]}, "nothing is sent by sms", False, id="SMS"
        ),
        pytest.param(
            "AWS::Events::Rule",
            {"Targets": [{"Id": "a", "Arn": "arn:aws:logs:eu-west-1:111111111111:log-group:a"}]},
            "nothing reaches its target in logs",
            False,
            id="target of a rule",
        ),
        pytest.param(
            "AWS::Pipes::Pipe",
            {"Source": {"Fn::GetAtt": ["Other", "Arn"]}, "Target": {"Ref": "Topic"}},
            "nothing leaves sqs: only streams of DynamoDB are piped",
            False,
            id="source of a pipe",
        ),
        pytest.param(
            "AWS::Pipes::Pipe",
            {"Source": "arn:aws:dynamodb:a:1:table/t/stream/s", "Target": {"Fn::GetAtt": ["Other", "Arn"]}},
            "nothing reaches sqs",
            False,
            id="target of a pipe",
        ),
        pytest.param("AWS::CloudWatch::Alarm", {"Namespace": "AWS/SQS"}, "it never goes off", False, id="alarm"),
        pytest.param(
            "AWS::CloudWatch::Alarm", {"Namespace": "AWS/Lambda"}, "only direct ones", False, id="alarm of calls"
        ),
        pytest.param(
            FUNCTION,
            {"Runtime": "nodejs22.x", "LoggingConfig": {"LogFormat": "JSON"}},
            "its log is text",
            False,
            id="JSON log",
        ),
        pytest.param(
            "AWS::ApiGatewayV2::Stage",
            {"AccessLogSettings": {"DestinationArn": "arn"}},
            "its calls aren't logged in CloudWatch",
            False,
            id="access log",
        ),
        pytest.param(
            "AWS::ApiGateway::Stage",
            {"MethodSettings": [{"LoggingLevel": "INFO"}]},
            "its calls aren't logged in CloudWatch",
            False,
            id="log of methods",
        ),
        pytest.param(
            "AWS::ApiGateway::Stage", {"CacheClusterEnabled": True}, "nothing is cached", False, id="cache of a stage"
        ),
        pytest.param("AWS::Logs::MetricFilter", {}, "it counts nothing", False, id="metric filter"),
        pytest.param("AWS::WAFv2::WebACL", {}, "it blocks nothing; closest: try its rules on AWS", False, id="inert"),
    ],
)
def test_each_resource_is_told_with_what_comes_closest(
    kind: str, properties: dict[str, Any], said: str, is_refused: bool
) -> None:
    """Logical id, type, what it lacks here, and what to do instead."""
    (found,) = limitations(template(kind, **properties), EMBEDDED)
    assert str(found).startswith(f"One ({kind}): ")
    assert said in str(found)
    assert "; closest: " in str(found)
    assert found.is_refused is is_refused


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        pytest.param(
            FUNCTION, {"Layers": ["arn:aws:lambda:us-east-1:111111111111:layer:own:1", {"Ref": "L"}]}, id="own"
        ),
        pytest.param("AWS::ApiGatewayV2::Api", {"Body": {"paths": {"/": {"get": {}}}}}, id="open API"),
        pytest.param(
            "AWS::ApiGatewayV2::Authorizer",
            {"JwtConfiguration": {"Issuer": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_1"}},
            id="user pool",
        ),
        pytest.param("AWS::ApiGatewayV2::Api", {"Body": {"paths": [1]}}, id="API of wrong shape"),
        pytest.param(
            "AWS::ApiGateway::Method",
            {"Integration": {"Type": "MOCK", "RequestTemplates": {"application/json": '{"statusCode": 200}'}}},
            id="mock",
        ),
        pytest.param(FUNCTION, {"Layers": 3, "Code": "a"}, id="function of wrong shape"),
        pytest.param("AWS::CloudFormation::Stack", {"TemplateURL": "https://a/b"}, id="nested stack in a bucket"),
        pytest.param("AWS::DynamoDB::Table", {}, id="table"),
    ],
)
def test_what_works_is_not_told(kind: str, properties: dict[str, Any]) -> None:
    """No line without a reason."""
    assert list(limitations(template(kind, **properties), EMBEDDED)) == []


def test_an_image_may_go_where_an_engine_has_it() -> None:
    """One whose name is made of parameters is found when it is called."""
    for uri in ("sha256:1", {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.amazonaws.com/a:b"}):
        image = template(FUNCTION, PackageType="Image", Code={"ImageUri": uri})
        assert list(limitations(image, EMBEDDED, image_fault=lambda _: None)) == []


def test_an_image_goes_into_no_localstack() -> None:
    """Its Pro version runs them."""
    image = template(FUNCTION, Code={"ImageUri": "a:b"})
    (one,) = limitations(image, DOCKER, image_fault=lambda _: None)
    assert (one.is_refused, "Pro" in one.lacks, 'driver = "embedded"' in one.closest) == (True, True, True)


def test_an_image_goes_into_no_swarm() -> None:
    """No node lets an environment start containers; what else the emulator lacks, it lacks there, too."""
    swarm = replace(EMBEDDED, driver=DriverName.SWARM)
    image = template(FUNCTION, Code={"ImageUri": "a:b"})
    (one,) = limitations(image, swarm, image_fault=lambda _: None)
    assert (one.is_refused, 'driver = "embedded"' in one.closest) == (True, True)
    acl = template("AWS::WAFv2::WebACL")
    assert list(limitations(acl, swarm)) == list(limitations(acl, EMBEDDED)) != []


def test_warnings_are_given_once_however_many_environments() -> None:
    """And what is refused comes back to whoever deploys."""
    events: list[Event] = []
    check = LimitCheck({"test": EMBEDDED, "prod": replace(EMBEDDED, name="prod")}, emit=events.append)
    both = template("AWS::WAFv2::WebACL")
    both["Resources"]["Image"] = {"Type": FUNCTION, "Properties": {"PackageType": "Image"}}
    refused = [check(name, both) for name in ("test", "prod")]
    assert [one.environment for one in events] == ["test"]
    assert [[one.logical_id for one in found] for found in refused] == [["Image"], ["Image"]]


def test_unknown_types_are_refused_by_name_or_left_out() -> None:
    """With all that needs them, if somebody asks for it."""
    unknown = template("AWS::Timestream::Table")
    refused = of_types(unknown, ["AWS::Timestream::Table"])
    with pytest.raises(
        Unsupported, match=r"environment test: its emulator can't deploy AWS::Timestream::Table"
    ) as caught:
        left_of(unknown, "test", refused, skips=False)
    assert caught.value.details == (
        "One (AWS::Timestream::Table): the emulator does not know it; closest: AWS::DynamoDB::Table",
    )
    smaller, skipped = left_of(unknown, "test", refused, skips=True)
    assert list(smaller["Resources"]) == ["Other"]
    assert skipped == ["One (AWS::Timestream::Table)", "Queue (AWS::SQS::Queue, needs One)"]
    del unknown["Resources"]["Other"]
    with pytest.raises(DeployError, match="nothing is left to deploy"):
        left_of(unknown, "test", refused, skips=True)


def test_the_nearest_entry_of_the_table_counts() -> None:
    """The longest beginning of a type's name; without one, it can be left out."""
    assert closest_to("AWS::Nobody::Knows") == "leave it out with --skip-unsupported"
    launch, network = inert("AWS::EC2::LaunchTemplate"), inert("AWS::EC2::VPC")
    assert launch is not None
    assert network is not None
    assert launch.lacks != network.lacks
    assert inert("AWS::SQS::Queue") is None


def test_what_only_watches_is_left_out_without_being_asked() -> None:
    """`sam init`'s choice of Application Insights brings such; the service does the same without them."""
    resources = {
        "Group": {"Type": "AWS::ResourceGroups::Group"},
        "Insights": {"Type": "AWS::ApplicationInsights::Application", "DependsOn": "Group"},
        "Queue": {"Type": "AWS::SQS::Queue"},
    }
    refused = of_types({"Resources": resources}, {"AWS::ResourceGroups::Group"})
    smaller, skipped = left_of({"Resources": resources}, "test", refused, skips=False)
    assert list(smaller["Resources"]) == ["Queue"]
    assert len(skipped) == 2


def test_what_something_else_needs_is_refused_though_it_only_watches() -> None:
    """Nothing of the service itself goes unasked."""
    whole = template("AWS::ResourceGroups::Group")
    refused = of_types(whole, {"AWS::ResourceGroups::Group"})
    with pytest.raises(Unsupported):
        left_of(whole, "test", refused, skips=False)


def test_a_rollout_by_codedeploy_goes_without_the_alias() -> None:
    """SAM's `DeploymentPreference` names its application in the alias' UpdatePolicy, and the API calls the alias."""
    resources: dict[str, Any] = {
        "App": {"Type": "AWS::CodeDeploy::Application"},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": {"ApplicationName": {"Ref": "App"}}},
        },
    }
    refused = of_types({"Resources": resources}, {"AWS::CodeDeploy::Application"})
    smaller, skipped = left_of({"Resources": resources}, "test", refused, skips=False)
    assert (smaller["Resources"], skipped) == (
        {"Alias": {"Type": "AWS::Lambda::Alias"}},
        ["App (AWS::CodeDeploy::Application)"],
    )
