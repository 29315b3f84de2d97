"""What emulators can't do with resources of a type, and what comes closest to it here, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEAVE_OUT = "leave it out with --skip-unsupported"
_OPERATIONS = f"nothing of it shows here: {LEAVE_OUT}"
_YOUR_OWN = "run a server of your own, and give functions its address as config"

# The longest beginning of a type's name counts. For types that an emulator refuses.
_REFUSED: Mapping[str, str] = {
    "AWS::Amplify": "serve the site by a tool of its own against the API's URL",
    "AWS::AmazonMQ": _YOUR_OWN,
    "AWS::ApplicationAutoScaling": f"nothing scales here: {LEAVE_OUT}",
    "AWS::ApplicationInsights": _OPERATIONS,
    "AWS::AppRunner": "run the container yourself, with `multistack environ` for its variables",
    "AWS::Batch": "a function behind a queue",
    "AWS::Budgets": _OPERATIONS,
    "AWS::CE": _OPERATIONS,
    "AWS::CloudFormation::Macro": "what `aws cloudformation get-template --template-stage Processed` prints",
    "AWS::CloudTrail": f"`multistack requests` and `multistack history` show what happened: {LEAVE_OUT}",
    "AWS::CodeDeploy": f"`multistack deploy --canary 10%`, and {LEAVE_OUT}",
    "AWS::CodePipeline": "`multistack pipeline`",
    "AWS::Config": _OPERATIONS,
    "AWS::Events::Archive": f"`multistack replay` sends again what was recorded: {LEAVE_OUT}",
    "AWS::Events::ApiDestination": "a function as the rule's target that sends the request",
    "AWS::EventSchemas": _OPERATIONS,
    "AWS::GuardDuty": _OPERATIONS,
    "AWS::IAM::AccessKey": "the keys that `multistack environ` prints",
    "AWS::Lambda::CodeSigningConfig": f"code is verified by its hash: {LEAVE_OUT}",
    "AWS::MSK": "AWS::Kinesis::Stream, or " + _YOUR_OWN,
    "AWS::Neptune": _YOUR_OWN,
    "AWS::QLDB": "AWS::DynamoDB::Table",
    "AWS::Redshift": _YOUR_OWN,
    "AWS::ResourceGroups": _OPERATIONS,
    "AWS::SecretsManager::RotationSchedule": "call the rotating function yourself",
    "AWS::ServiceCatalogAppRegistry": _OPERATIONS,
    "AWS::Synthetics": "`multistack verify` with a command of yours",
    "AWS::Timestream": "AWS::DynamoDB::Table",
    "AWS::XRay": _OPERATIONS,
    "Alexa::": "send its events with the AWS command `lambda invoke`",
}

# Those of them that watch, group, price or roll out what is there: nothing of a service calls them.
_BYSTANDERS = (
    "AWS::ApplicationAutoScaling",
    "AWS::ApplicationInsights",
    "AWS::Budgets",
    "AWS::CE",
    "AWS::CloudTrail",
    "AWS::CodeDeploy",
    "AWS::Config",
    "AWS::EventSchemas",
    "AWS::Events::Archive",
    "AWS::GuardDuty",
    "AWS::ResourceGroups",
    "AWS::ServiceCatalogAppRegistry",
    "AWS::Synthetics",
    "AWS::XRay",
)


@dataclass(frozen=True, slots=True)
class Inert:
    """What a resource that is accepted does not do, and what comes closest."""

    lacks: str
    closest: str


_NO_NETWORK = Inert("it filters and routes nothing", "functions reach every address; try networks on AWS")
_NO_MACHINE = Inert("it starts no machine", "run what they run yourself, with `multistack environ`")
_NO_SERVER = Inert("its API answers, but nothing is behind it without a Docker engine", _YOUR_OWN)
_NO_NAME = Inert("its name resolves nowhere", "ask the proxy at /<environment>/")
# The same for types that the embedded emulator takes.
_INERT: Mapping[str, Inert] = {
    "AWS::ApiGateway::DomainName": _NO_NAME,
    "AWS::ApiGatewayV2::DomainName": _NO_NAME,
    "AWS::AutoScaling": _NO_MACHINE,
    "AWS::Backup": Inert("it keeps no copies", "`multistack snapshot save`"),
    "AWS::CloudFront": _NO_NAME,
    "AWS::CertificateManager": Inert("nothing speaks HTTPS with it", "plain HTTP on 127.0.0.1"),
    "AWS::CloudWatch::Dashboard": Inert("nobody draws it", "the dashboard of multistack"),
    "AWS::CodeBuild": _NO_SERVER,
    "AWS::DocDB": _NO_SERVER,
    "AWS::EC2": _NO_NETWORK,
    "AWS::EC2::LaunchTemplate": _NO_MACHINE,
    "AWS::ECS": _NO_SERVER,
    "AWS::EFS": Inert("functions can't mount it", "an AWS::S3::Bucket"),
    "AWS::EKS": _NO_SERVER,
    "AWS::ElastiCache": _NO_SERVER,
    "AWS::ElasticLoadBalancingV2": _NO_NAME,
    "AWS::OpenSearchService": _NO_SERVER,
    "AWS::RDS": _NO_SERVER,
    "AWS::Route53": _NO_NAME,
    "AWS::WAFv2": Inert("it blocks nothing", "try its rules on AWS"),
}


def closest_to(kind: str) -> str:
    """What comes closest to a resource of a type that an emulator refuses."""
    return _REFUSED.get(_longest(kind, _REFUSED), LEAVE_OUT)


def is_bystander(kind: str) -> bool:
    """Whether a service does the same without a resource of this type, as long as nothing in it refers to one."""
    return kind.startswith(_BYSTANDERS)


def inert(kind: str) -> Inert | None:
    """What a resource of this type doesn't do in the embedded emulator, though it is accepted; None for the others."""
    return _INERT.get(_longest(kind, _INERT))


def _longest(kind: str, table: Mapping[str, object]) -> str:
    return max((start for start in table if kind.startswith(start)), key=len, default="")
