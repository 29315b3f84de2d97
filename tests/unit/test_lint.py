"""What lint finds in real lines of source, and what it must leave alone."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from emulator.errors import ConfigError
from emulator.lint.check import lint
from emulator.lint.finding import BRANCH, RESOURCE, SECRET, UNREADABLE, Words

WORDS = Words(
    environments=frozenset({"test", "staging", "prod"}),
    stacks={f"orders-{name}": name for name in ("test", "staging", "prod")},
    accounts={"111111111111": "test", "222222222222": "staging", "333333333333": "prod"},
)


def rules(folder: Path, name: str, text: str) -> list[tuple[int, str]]:
    """Line and rule of each finding in a file of that content."""
    (folder / name).write_text(textwrap.dedent(text))
    return [(finding.line, finding.rule) for finding in lint([folder / name], WORDS, cwd=folder)]


@pytest.mark.parametrize(
    "source",
    [
        "import os\nif os.environ['ENVIRONMENT'] == 'prod': pass",
        "import os\nif 'prod' == os.environ.get('STAGE', 'test').lower(): pass",
        "import os\nif os.getenv('MODE') != 'test': pass",
        "from os import environ, getenv\nif getenv('X') == environ['Y'] == 'prod': pass",
        "mode = os.environ['MODE']\nretries = 1 if mode == 'prod' else 3",
        "def f(settings):\n    return settings.environment in ('test', 'staging')",
        "def f(env):\n    return env in {'prod'}",
        "def f(event):\n    return event['requestContext']['stage'] == 'prod'",
        "def f(stage):\n    return 'prod' in stage",
        "def f(stageName):\n    return stageName.startswith('prod')",
        "LIVE = ['prod']\nif config['environment'] is Environment.PROD: pass",
        "\nif str(env or 'test').upper() == 'PROD': pass",
        "def f(app_env):\n    return {'test': 1, 'prod': 2}[app_env]",
        "TABLES = {'test': 'a', 'prod': 'b'}\ntable = TABLES[os.environ['ENVIRONMENT']]",
        "TABLES = {'test': 'a', 'prod': 'b'}\ntable = TABLES.get(env, 'c')",
        "\nmatch environment:\n    case 'prod' | 'staging': pass",
        "\nif (env := os.environ['WHERE']) == 'prod': pass",
    ],
)
def test_python_that_branches_on_the_environment_is_found(tmp_path, source):
    """A release behaves the same everywhere but for its config: no name of an environment decides anything."""
    assert rules(tmp_path, "app.py", source) == [(2, BRANCH)]


@pytest.mark.parametrize(
    "source",
    [
        "def read(environ):\n    return Identity(environment=environ['ENVIRONMENT'])",
        "headers = {'X-Environment': identity.environment}",
        "if order.status == 'test': pass",
        "if environment == 'local': pass",
        "if stage == 'build': pass",
        "if environment == other.environment: pass",
        "level = LEVELS.index(os.environ['LOG_LEVEL'])",
        "return_value = TABLES[environment]",
        "table = {'id': 1, 'name': 2}[env]",
        "def test_stage(identity):\n    assert identity.environment == 'test'",
        "def handler(event, context):\n    return make(event['requestContext']['stage'], os.environ['TABLE'])",
        "# if environment == 'prod'\nx = 'if environment == prod'",
        "environ = dict(os.environ)\ntest = environ.get('TEST')",
        "parser.add_argument('--environment', choices=names)",
        "for environment in environments:\n    names.append(environment)",
        "suite = unittest.mock if kind == 'test' else None",
    ],
)
def test_python_that_only_carries_the_name_is_left_alone(tmp_path, source):
    """Telling which environment answers is no branch, nor is a word that only looks like a name."""
    assert rules(tmp_path, "app.py", source) == []


@pytest.mark.parametrize(
    "source",
    [
        "if (process.env.STAGE === 'prod') {}",
        'const live = "prod" == process.env["ENVIRONMENT"];',
        "const retries = config.environment !== `prod` ? 3 : 1;",
        "switch (stage) { case 'test': break; default: }",
        "if (['staging', 'prod'].includes(env)) {}",
        "if (process.env.STAGE?.startsWith('prod')) {}",
        "if (stage.toLowerCase() === 'prod') {}",
        "const table = { test: 'a', prod: 'b' }[stageName];",
        "const a = b / c; if (env === 'prod') { return x / 2 }",
    ],
)
def test_node_that_branches_on_the_environment_is_found(tmp_path, source):
    """The rule holds in JavaScript and TypeScript."""
    assert rules(tmp_path, "app.ts", source) == [(1, BRANCH)]


@pytest.mark.parametrize(
    "source",
    [
        "// if (stage === 'prod')\n/* env === 'prod' */",
        "const s = \"if (stage === 'prod')\";",
        "const r = /stage === 'prod'/;",
        "if (process.env.NODE_ENV === 'test') {}",
        "if (order.status === 'test') {}",
        "if (stage === 'build') {}",
        "const a = stage, b = other === 'prod';",
        "switch (kind) { case 'test': break; }",
        "names.includes(stage);",
        "const env = process.env.STAGE; console.log({ env, test: 'prod' });",
        "switch (stage) { case f: switch (kind) { case 'test': } }",
        "`${stage}` + 'prod'",
    ],
)
def test_node_that_only_looks_like_it_is_left_alone(tmp_path, source):
    """Comments, texts, patterns and other words decide nothing."""
    assert rules(tmp_path, "app.js", source) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.py", "table = dynamodb.Table('orders-test')"),
        ("app.py", "url = 'https://sqs.eu-west-1.amazonaws.com/333333333333/orders-prod-Placed-1A2B'"),
        ("app.py", "ACCOUNT = '222222222222'"),
        ("app.py", "ACCOUNT = 222222222222"),
        ("app.py", "secret_arn = 'arn:aws:secretsmanager:eu-west-1:111111111111:secret:db-AbCdEf'"),
        ("app.py", "client.put_item(TableName='uploads-prod', Item={})"),
        ("app.py", "client.get_parameter(Name='/prod/db/url')"),
        ("app.py", "request = {'QueueUrl': 'jobs_staging'}"),
        ("app.js", "const command = new GetCommand({ TableName: 'orders-test' });"),
        ("app.js", "await put({ Bucket: 'uploads-prod' })"),
        ("app.js", "const url = `https://x/333333333333/y`;"),
        ("template.yaml", "Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {TableName: orders-prod}}}"),
        ("template.yaml", 'Resources: {R: {Arn: !Sub "arn:aws:sns:${AWS::Region}:333333333333:alarm"}}'),
        ("template.json", '{"Resources": {"B": {"Properties": {"BucketName": "uploads-prod"}}}}'),
    ],
)
def test_a_name_of_one_environment_is_found(tmp_path, name, source):
    """Code and template are the same everywhere: a name, account or ARN of one environment is wrong in the others."""
    assert rules(tmp_path, name, source) == [(1, RESOURCE)]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.py", '"""Writes to orders-test, e.g. in account 111111111111."""'),
        ("app.py", "x = 1  # like orders-test"),
        ("app.py", "table = os.environ['TABLE']"),
        ("app.py", "kind = 'smoke-test'"),
        ("app.py", "client.call(Name='a test of names')"),
        ("app.py", "client.invoke(FunctionName='orders-latest')"),
        ("app.py", "name = 'preorders-test'"),
        ("app.py", "name = 'orders-testing'"),
        ("app.py", "number = '1111111111112'"),
        ("app.py", "order = 'a111111111111'"),
        ("app.py", "table = f'{service}-{environment}'"),
        ("template.yaml", 'Resources: {P: {Properties: {Name: !Sub "/${AWS::StackName}/Url"}}}'),
        ("template.yaml", "Resources: {A: {Properties: {Name: prod}}}"),
        ("notes.txt", "orders-test"),
        ("data.yaml", "table: orders-test"),
    ],
)
def test_a_text_that_only_looks_like_a_name_is_left_alone(tmp_path, name, source):
    """Documentation, parts of other words and what the stack fills in are no hard-coded names."""
    assert rules(tmp_path, name, source) == []


@pytest.mark.parametrize(
    "condition",
    [
        "IsProd: !Equals [!Ref MultistackEnvironment, prod]",
        'IsProd: {"Fn::Equals": ["prod", {Ref: Stage}]}',
        "NotTest: !Not [!Equals [!Ref Env, test]]",
        "X: !FindInMap [Sizes, !Ref Environment, Memory]",
    ],
)
def test_a_template_that_branches_on_the_environment_is_found(tmp_path, condition):
    """A condition or a mapping by the environment's name is config in the wrong place."""
    text = f"Conditions:\n  {condition}\nResources: {{}}\n"
    assert rules(tmp_path, "template.yaml", text) == [(2, BRANCH)]


@pytest.mark.parametrize(
    "condition",
    ["On: !Equals [!Ref DiscountEnabled, 'true']", "R: !FindInMap [Sizes, !Ref AWS::Region, Memory]"],
)
def test_a_condition_on_config_is_left_alone(tmp_path, condition):
    """A flag that each environment sets is what a condition is for."""
    assert rules(tmp_path, "template.yaml", f"Conditions:\n  {condition}\nResources: {{}}\n") == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.py", 'key = "AKIAQYLPMN5HHHFPZAM2"'),
        ("app.py", 'password = "hunter2-Correct"'),
        ("app.py", 'DB = "postgres://orders:s3cr3tPw@db.internal:5432/orders"'),
        ("app.py", 'token = "ghp_aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"'),
        ("deploy.pem", "-----BEGIN RSA PRIVATE KEY-----"),
        ("app.js", 'const apiKey = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";'),
        ("template.yaml", "Resources: {S: {Properties: {SecretString: hunter2-Correct}}}"),
        ("template.yaml", "Resources: {F: {Variables: {DB_PASSWORD: hunter2-Correct}}}"),
        ("template.yaml", "{Parameters: {Db: {Type: String, NoEcho: true, Default: hunter2}},\nResources: {}}"),
    ],
)
def test_a_secret_is_found_and_not_repeated(tmp_path, name, source):
    """Whoever reads the report or the log of CI must not learn the secret from it."""
    assert [rule for _, rule in rules(tmp_path, name, source)] == [SECRET]
    told = str(lint([tmp_path / name], WORDS, cwd=tmp_path))
    assert "hunter2" not in told
    assert "AKIA" not in told


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.py", "password = os.environ['DB_PASSWORD']"),
        ("app.py", "secret_name = 'orders/db'"),
        ("app.py", "SECRET_ID = 'arn:aws:secretsmanager:eu-west-1:999999999999:secret:db-AbCdEf'"),
        ("app.py", "secrets = {'ReceiptKey': '********'}"),
        ("app.py", "password_field = 'password'"),
        ("app.py", "PASSWORD_PARAMETER = '/orders/password'"),
        ("app.py", "DIGEST = 'f9087a231a93e63ead88a3d51b5a4c55618e637b278dc2d4ea4cd27050d73fea'"),
        ("app.py", "commit = '4a039bdb6cfa5d4f4f8ed5ce25dd91da0a2a1111'"),
        ("app.py", "partition_key = 'id'"),
        ("app.py", "raise ValueError('secret must be text')"),
        ("app.py", "resolver = '8.8.8.8'"),
        ("package-lock.json", '{"integrity": "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}'),
        ("app.js", "const secretName = `${stage}/db`;"),
        ("template.yaml", 'Resources: {F: {DB_PASSWORD: "{{resolve:secretsmanager:x:SecretString}}"}}'),
        ("template.yaml", "Resources: {S: {GenerateSecretString: {PasswordLength: 40, ExcludePunctuation: true}}}"),
        ("template.yaml", "Resources: {F: {RECEIPT_KEY: !GetAtt ReceiptKey.Id, TOKEN: !Ref Token}}"),
        ("template.yaml", "{Parameters: {DbPassword: {Type: String, NoEcho: true}},\nResources: {}}"),
    ],
)
def test_what_only_names_a_secret_is_left_alone(tmp_path, name, source):
    """Names of secrets, digests and masks are no secrets."""
    assert rules(tmp_path, name, source) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.py", "if env == 'prod': pass  # multistack: allow environment-branch"),
        ("app.py", "# multistack: allow environment-branch, secret\nif env == 'prod': pass"),
        ("app.js", "if (env === 'prod') {} // multistack: allow environment-branch"),
        ("template.yaml", "Resources: {T: {TableName: orders-prod}} # multistack: allow environment-resource"),
    ],
)
def test_a_comment_allows_a_line(tmp_path, name, source):
    """Whoever has a reason writes it where the next reader sees it."""
    assert rules(tmp_path, name, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "if env == 'prod': pass  # multistack: allow secret",
        "x = 1  # multistack: allow environment-branch\nif env == 'prod': pass",
    ],
)
def test_a_comment_allows_its_rule_on_its_line_only(tmp_path, source):
    """An exception doesn't spread."""
    assert [rule for _, rule in rules(tmp_path, "app.py", source)] == [BRANCH]


def test_a_file_that_cannot_be_checked_is_a_finding(tmp_path):
    """What was not checked is never passed off as clean."""
    assert rules(tmp_path, "app.py", "def f(:\n") == [(1, UNREADABLE)]
    assert rules(tmp_path, "template.yaml", "Resources: {\n") == [(2, UNREADABLE)]


def test_what_others_wrote_is_left_out(tmp_path):
    """Packages, hidden folders, binary and minified files are nobody's to mend here; those named are read."""
    branch = "if (env === 'prod') {}"
    for name in ("node_modules/a/index.js", ".venv/b.js", "app.min.js", "src/app.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(branch)
    (tmp_path / "image.js").write_bytes(b"\0" + branch.encode())
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [found.file for found in lint([tmp_path], WORDS, cwd=tmp_path)] == ["src/app.js"]
    assert [found.file for found in lint([tmp_path / "app.min.js"], WORDS, cwd=tmp_path)] == ["app.min.js"]


def test_a_path_that_is_not_there_is_refused(tmp_path):
    """A typo in CI must not look like clean source."""
    with pytest.raises(ConfigError, match="srcc does not exist"):
        lint([tmp_path / "srcc"], WORDS, cwd=tmp_path)
