"""Services as people have them: nested stacks, layers, snippets and samconfig.toml, several in one project."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import ProjectFolder, http
from tests.drivers import assert_nothing_left
from tests.frameworks.features import shows

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="this machine has no Node"),
    pytest.mark.embedded("Node functions"),
]

FILES: Mapping[str, str] = {
    "multistack.toml": """
        service = "shop"

        [[services]]
        name = "data"
        template = "data/template.yaml"

        [[services]]
        name = "orders"
        template = "orders"
        outputs = {TableName = "data.TableName"}

        [environments.test]
        [environments.prod]
        """,
    "data/template.yaml": """
        Resources:
          Table:
            Type: AWS::DynamoDB::Table
            Properties:
              BillingMode: PAY_PER_REQUEST
              AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
              KeySchema: [{AttributeName: id, KeyType: HASH}]
          Queue: {Type: AWS::SQS::Queue}
        Outputs:
          TableName: {Value: !Ref Table}
          QueueUrl: {Value: !Ref Queue, Export: {Name: shop-queue}}
        """,
    "orders/samconfig.toml": """
        version = 0.1
        [default.deploy.parameters]
        parameter_overrides = "Greeting=hi"
        [prod.deploy.parameters]
        parameter_overrides = ["Greeting='good day'"]
        """,
    "orders/template.yaml": """
        Transform: AWS::Serverless-2016-10-31
        Parameters: {Greeting: {Type: String}, TableName: {Type: String}}
        Globals: {Function: {Runtime: python3.12, Handler: app.handler}}
        Resources:
          Shared: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer/}}
          NodeShared: {Type: AWS::Lambda::LayerVersion, Properties: {Content: nodelayer}}
          Web:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: src/
              Layers: [!Ref Shared]
              Policies: [{DynamoDBCrudPolicy: {TableName: !Ref TableName}}]
              Environment:
                Variables: {GREETING: !Ref Greeting, TABLE: !Ref TableName, QUEUE: !ImportValue shop-queue}
              Events: {Get: {Type: Api, Properties: {Path: /hello, Method: GET}}}
          Node:
            Type: AWS::Serverless::Function
            Properties:
              Runtime: nodejs20.x
              CodeUri: node/
              Layers: [!Ref NodeShared]
              Events: {Get: {Type: Api, Properties: {Path: /node, Method: GET}}}
          Inner:
            Type: AWS::Serverless::Application
            Properties: {Location: inner/template.yaml, Parameters: {Name: !Sub "${Greeting}!"}}
          Doc:
            Type: AWS::Serverless::Api
            Properties:
              StageName: v1
              DefinitionBody: {Fn::Transform: {Name: AWS::Include, Parameters: {Location: openapi.yaml}}}
          MayCall:
            Type: AWS::Lambda::Permission
            Properties:
              {FunctionName: !Ref Web, Action: "lambda:InvokeFunction", Principal: apigateway.amazonaws.com}
        Outputs:
          Inner: {Value: !GetAtt Inner.Outputs.Name}
        """,
    "orders/openapi.yaml": """
        openapi: 3.0.1
        paths:
          /doc:
            get:
              responses: {}
              x-amazon-apigateway-integration:
                type: aws_proxy
                httpMethod: POST
                uri: !Sub arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Web.Arn}/invocations
        """,
    "orders/inner/template.yaml": """
        Transform: AWS::Serverless-2016-10-31
        Parameters: {Name: {Type: String}}
        Resources:
          Web:
            Type: AWS::Serverless::Function
            Properties:
              Runtime: python3.12
              Handler: app.handler
              CodeUri: src/
              Environment: {Variables: {NAME: !Ref Name, STACK: !Ref AWS::StackName}}
              Events: {Get: {Type: Api, Properties: {Path: /inner, Method: GET}}}
        Outputs: {Name: {Value: !Ref Web}}
        """,
    "orders/layer/python/greeting/__init__.py": "def hello(name): return f'{name} from a layer'\n",
    "orders/nodelayer/nodejs/node_modules/greeting/index.js": "exports.hello = () => 'node layer'\n",
    "orders/src/app.py": """
        import os
        import boto3
        from greeting import hello

        def handler(event, context):
            boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(Item={"id": "1"})
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="1")
            return {"statusCode": 200, "body": hello(os.environ["GREETING"])}
        """,
    "orders/node/app.js": """
        const greeting = require("greeting");
        exports.handler = async () => ({statusCode: 200, body: greeting.hello()});
        """,
    "orders/inner/src/app.py": """
        import os
        def handler(event, context):
            return {"statusCode": 200, "body": f"{os.environ['NAME']} {os.environ['STACK']}"}
        """,
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFolder]:
    """The project with all of it, up in test and prod."""
    root = tmp_path_factory.mktemp("frameworks")
    (root / "home").mkdir()
    for name, text in FILES.items():
        path = root / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    project = ProjectFolder(root / "project", root / "home")
    project.run("up")
    yield project
    project.run("down")
    assert project.processes() == []
    assert_nothing_left(project.folder)


def answer(shop: ProjectFolder, environment: str, path: str) -> str:
    """What an API of the service ``orders`` answers."""
    record = json.loads((shop.folder / ".multistack/proxy/server.json").read_text())
    found = http("GET", f"http://127.0.0.1:{record['port']}/{environment}/_api/Orders{path}")
    assert found.status == 200, found.body
    return found.body.decode()


@shows("SAM", "layers, Python and Node functions")
def test_functions_import_from_layers(shop: ProjectFolder) -> None:
    """Python and Node ones, from layers of either kind."""
    assert answer(shop, "test", "ServerlessRestApi/hello") == "hi from a layer"
    assert answer(shop, "test", "ServerlessRestApi/node") == "node layer"


@shows("SAM", "`samconfig.toml`: environments and parameters")
def test_samconfig_gives_each_environment_its_values(shop: ProjectFolder) -> None:
    """By the environment's name, else the default's; `config list` shows them."""
    assert answer(shop, "prod", "ServerlessRestApi/hello") == "good day from a layer"
    assert shop.run("config", "list").stdout.splitlines()[1].split()[-3:] == ["hi", "good", "day"]


@shows("SAM", "nested stacks")
def test_nested_stacks_serve(shop: ProjectFolder) -> None:
    """With what their parent passes to them, under a name of their own."""
    assert answer(shop, "test", "InnerServerlessRestApi/inner") == "hi! shop-test-Orders-Inner"


@shows("SAM", "`AWS::Include`")
def test_an_included_definition_serves(shop: ProjectFolder) -> None:
    """What it refers to is in the template that includes it."""
    assert answer(shop, "test", "Doc/doc") == "hi from a layer"


@shows("CloudFormation", "several services in one project, outputs passed on")
def test_services_are_changed_and_told_together(shop: ProjectFolder) -> None:
    """One release of all; a change of one function concerns it alone."""
    assert "service shop: data (CloudFormation), orders (SAM), multistack.toml" in shop.run("status").stdout
    source = shop.folder / "orders/inner/src/app.py"
    source.write_text(source.read_text() + "# changed\n")
    planned = shop.run("deploy", "--dry-run", "test").stdout
    assert "OrdersInnerWeb" in planned
    assert "DataTable" not in planned
    assert "OrdersWeb" not in planned


def test_init_finds_the_service_and_what_its_settings_give(shop: ProjectFolder, tmp_path: Path) -> None:
    """No edit of anything: a value that samconfig.toml gives is not asked for."""
    folder = shutil.copytree(shop.folder / "orders", tmp_path / "orders")
    done = ProjectFolder(folder, shop.home).run("init")
    assert "found a SAM service; wrote " in done.stdout
    text = (folder / "multistack.toml").read_text()
    assert '# Greeting = "hi"  # from samconfig.toml:' in text
    assert '# TableName = ""  # fill in' in text
