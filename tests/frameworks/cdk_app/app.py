"""A service as people write it with CDK: data and API in stacks of their own; `record.py` keeps what it makes."""

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_

app = cdk.App()
stage = app.node.try_get_context("stage") or "dev"

data = cdk.Stack(app, "Data")
table = dynamodb.Table(
    data,
    "Notes",
    partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
    billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
)


class Jobs(cdk.NestedStack):
    """What runs beside the API."""

    def __init__(self, scope: cdk.Stack, name: str) -> None:
        super().__init__(scope, name)
        lambda_.Function(
            self, "Tidy", runtime=lambda_.Runtime.PYTHON_3_12, handler="notes.tidy", code=lambda_.Code.from_asset("src")
        )


api = cdk.Stack(app, "Api")
function = lambda_.Function(
    api,
    "Handler",
    runtime=lambda_.Runtime.PYTHON_3_12,
    handler="notes.handler",
    code=lambda_.Code.from_asset("src"),
    environment={"TABLE": table.table_name, "STAGE": stage},
)
table.grant_read_write_data(function)
apigateway.LambdaRestApi(api, "Rest", handler=function)
Jobs(api, "Jobs")
app.synth()
