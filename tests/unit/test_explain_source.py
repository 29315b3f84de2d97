"""Templates as files: what is none is refused with what it is, and every place has its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator.errors import ConfigError
from emulator.explain.explaining import explain, rewrite
from emulator.explain.source import read_source
from emulator.explain.words import Words


def refused(folder: Path, name: str, content: bytes | str) -> ConfigError:
    """How a file of that content is refused."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        read_source(path, name)
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("serverless.yml", "service: a\nprovider: {name: aws}\nfunctions: {}", "Serverless Framework"),
        ("cdk.json", '{"app": "node a.js"}', "CDK"),
        ("main.tf", 'resource "aws_lambda_function" "f" {}', "Terraform"),
        ("main.tf.json", '{"terraform": {}, "resource": {}}', "Terraform"),
        ("config.json", '{"version": "2.0", "app_name": "a", "stages": {"dev": {}}}', "Chalice"),
        ("Pulumi.yaml", "name: a\nruntime: python", "Pulumi"),
        ("compose.yaml", "services: {a: {image: b}}", "Compose"),
        ("openapi.yaml", "openapi: 3.0.1\npaths: {}", "OpenAPI"),
        ("deployment.yaml", "apiVersion: v1\nkind: Pod", "Kubernetes"),
        ("azuredeploy.json", '{"$schema": "https://x/deploymentTemplate.json#", "resources": []}', "Azure"),
        ("app.ts", "new Stack()", "source code"),
        ("samconfig.toml", "version = 0.1", "SAM"),
        ("multistack.toml", 'service = "a"', "project file"),
    ],
)
def test_files_of_other_frameworks_are_named(tmp_path: Path, name: str, content: str, what: str) -> None:
    """Whoever has no template is told how to get one, or that there is none."""
    error = refused(tmp_path, name, content)
    assert what in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "no resources"),
        ("Resources: {}", "no resources"),
        ("[1, 2]", "no resources"),
        ("Resources: [", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: &a [*a]", "not YAML"),
        ("Resources: {A: {Type: B}, A: {Type: C}}", "stands twice"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 5000, "nested too deeply"),
        ("Resources: {A: 1}", "not a mapping"),
        ("x" * (1 << 20) + "x", "1 MB"),
    ],
    ids=["empty", "no resources", "list", "broken", "two", "loop", "twice", "bytes", "deep", "no mapping", "large"],
)
def test_what_is_no_template_is_refused(tmp_path: Path, content: bytes | str, what: str) -> None:
    """One line says why, whatever is in the file."""
    assert what in refused(tmp_path, "template.yaml", content).message


def test_yaml_that_grows_is_refused(tmp_path: Path) -> None:
    """A few lines of aliases that stand for billions of values take no memory and no time."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "too large" in refused(tmp_path, "template.yaml", "\n".join(lines)).message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """It is the file that is not there, and not something in it."""
    with pytest.raises(ConfigError, match=r"t\.yaml does not exist"):
        read_source(tmp_path / "t.yaml", "t.yaml")


def test_a_folder_stands_for_its_template(tmp_path: Path) -> None:
    """As in a project file that names no template."""
    with pytest.raises(ConfigError, match="no template in"):
        read_source(tmp_path, ".")
    (tmp_path / "template.json").write_text('{"Resources": {"A": {"Type": "B"}}}')
    assert read_source(tmp_path, "x").shown == "x/template.json"


@pytest.mark.parametrize("indent", ["\t", "  "])
def test_json_has_lines_too(tmp_path: Path, indent: str) -> None:
    """JSON may be indented with tabs, which YAML has not."""
    template = {"Resources": {"A": {"Type": "B"}, "C": {"Type": "D", "Properties": {"E": [1, 2]}}}}
    (tmp_path / "t.json").write_text(json.dumps(template, indent=indent))
    source = read_source(tmp_path / "t.json", "t.json")
    assert source.is_json
    assert source.line(("Resources", "C", "Properties", "E", 1)) == 11
    assert source.line(("Resources", "C", "Properties", "nowhere")) == 8


@pytest.mark.parametrize("indent", ["\t", "    "])
def test_json_stays_json(tmp_path: Path, indent: str) -> None:
    """With its own indentation, so that the diff shows what changes; and untouched where there is nothing to mend."""
    queues = {f"{name}Queue": {"Type": "AWS::SQS::Queue"} for name in ("Test", "Prod")}
    for resources, lines in ((queues, 2 + 4 + 1), ({"Queue": {"Type": "AWS::SQS::Queue"}}, 0)):
        (tmp_path / "t.json").write_text(json.dumps({"Resources": resources}, indent=indent) + "\n")
        source = read_source(tmp_path / "t.json", "t.json")
        rewritten = rewrite(source, Words.of(), tmp_path / "m.json", shown="m.json")
        assert json.loads(rewritten.text) == {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
        changes = [line for line in rewritten.diff.splitlines() if line[:1] in ("+", "-")]
        assert len(changes) == lines


def test_the_largest_template_takes_seconds(tmp_path: Path) -> None:
    """As many resources as CloudFormation takes, all of them twins: explained and rewritten."""
    names = ("test", "staging", "prod", "dev", "qa")
    resources = "\n".join(
        f"  {name.title()}Queue{number}:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: q{number}-{name}"
        for number in range(100)
        for name in names
    )
    (tmp_path / "t.yaml").write_text(f"Resources:\n{resources}\n")
    source = read_source(tmp_path / "t.yaml", "t.yaml")
    assert explain(source, Words.of()).environments == names
    rewritten = rewrite(source, Words.of(), tmp_path / "m.yaml", shown="m.yaml")
    assert rewritten.text.count("AWS::SQS::Queue") == 100
    assert rewritten.left == ()
