"""Trees, templates, code, config and outputs held against each other."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.comparison.code import code_changes
from emulator.comparison.config import Verdict, config_keys
from emulator.comparison.deployed import Deployed
from emulator.comparison.drift import compare_inventories
from emulator.comparison.outputs import Outputs, compare_outputs
from emulator.comparison.parity import parity_of
from emulator.comparison.releases import ReleaseDifference, compare_releases
from emulator.comparison.structure import differences
from emulator.comparison.template import readable, template_differences
from emulator.inventory.hiding import Hiding, is_hidden
from emulator.inventory.resource import Inventory, Resource
from emulator.model import Artifact, Code, Deployment, DriverName, Environment, Release
from emulator.render import print_json
from emulator.reports import diff_report, drift_report, parity_report, to_markdown, to_terminal

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="equal"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", "changed", 1, 2)], id="changed"),
        pytest.param({"a": 1}, {"a": 1, "b": None}, [("b", "added", None, None)], id="added, even nothing"),
        pytest.param({"a": 1}, {}, [("a", "removed", 1, None)], id="removed"),
        pytest.param({"a": 1}, {"a": True}, [("a", "changed", 1, True)], id="True is not 1"),
        pytest.param({"a": {"b": 1}}, {"a": [1]}, [("a", "changed", {"b": 1}, [1])], id="another kind of thing"),
        pytest.param(
            {"a": ["x", "z"]}, {"a": ["x", "y", "z"]}, [("a[1]", "added", None, "y")], id="an entry between others"
        ),
        pytest.param({"a": ["x"]}, {"a": ["y"]}, [("a[0]", "changed", "x", "y")], id="one entry instead of another"),
        pytest.param({"a": [1, 2]}, {"a": [2, 1]}, [("a", "changed", [1, 2], [2, 1])], id="another order"),
        pytest.param(
            {"a": [{"Key": "k", "Value": 1}, {"Key": "l", "Value": 1}]},
            {"a": [{"Key": "l", "Value": 2}]},
            [("a[k]", "removed", {"Key": "k", "Value": 1}, None), ("a[l].Value", "changed", 1, 2)],
            id="entries with names",
        ),
        pytest.param(
            {"a": [{"Effect": "Allow", "Action": ["r"]}]},
            {"a": [{"Effect": "Allow", "Action": ["r", "w"]}]},
            [("a[0].Action[1]", "added", None, "w")],
            id="deep in an entry without a name",
        ),
    ],
)
def test_differences_name_each_place(before: Any, after: Any, found: list[tuple[str, str, Any, Any]]) -> None:
    """As deep as both sides go, and not deeper."""
    assert [(one.path, one.kind.value, one.before, one.after) for one in differences(before, after)] == found


@pytest.mark.parametrize(
    ("node", "text"),
    [
        ({"Ref": "Table"}, "!Ref Table"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "!GetAtt Table.Arn"),
        ({"Fn::Sub": "/${AWS::StackName}/x"}, "!Sub /${AWS::StackName}/x"),
        ({"Fn::Join": ["/", ["a", {"Ref": "B"}]]}, "!Join [/, [a, !Ref B]]"),
        ({"Fn::If": ["Big", 1, {"Ref": "Size"}]}, "!If [Big, 1, !Ref Size]"),
    ],
)
def test_intrinsic_functions_read_as_people_write_them(node: Any, text: str) -> None:
    """YAML's short form, in one line."""
    assert readable({"a": [node]}) == {"a": [text]}


def template(**resources: Any) -> dict[str, Any]:
    """A template; each resource is given by its properties."""
    return {
        "Resources": {name: {"Type": "AWS::Lambda::Function", "Properties": one} for name, one in resources.items()}
    }


def test_templates_differ_by_resource_and_property() -> None:
    """``Properties`` is no part of the name; of a whole resource only its type is told."""
    before = template(Web={"Timeout": 10, "Role": {"Ref": "Old"}}, Gone={"Timeout": 1})
    after = {**template(Web={"Timeout": 20, "Role": {"Ref": "New"}}), "Outputs": {"Url": {"Value": {"Ref": "Web"}}}}
    assert [(one.path, one.kind.value, one.before, one.after) for one in template_differences(before, after)] == [
        ("Web.Timeout", "changed", 10, 20),
        ("Web.Role", "changed", "!Ref Old", "!Ref New"),
        ("Gone", "removed", "AWS::Lambda::Function", None),
        ("Outputs.Url", "added", None, {"Value": "!Ref Web"}),
    ]


def test_where_code_lies_is_no_difference_of_templates() -> None:
    """Code is told file by file; its key, which holds its hash, would say nothing more."""
    before, after = (template(Web={"Code": {"S3Key": f"code/{digit * 64}.zip"}}) for digit in "ab")
    assert list(template_differences(before, after)) == []


def test_secrets_in_templates_are_hidden() -> None:
    """A password in source is bad enough: that it differs is told, what it is never."""
    before, after = (
        {
            **template(Web={"Environment": {"Variables": {"DB_PASSWORD": value}}}),
            "Parameters": {"Key": {"NoEcho": True, "Default": value}},
        }
        for value in ("first", "second")
    )
    found = list(template_differences(before, after))
    assert [one.path for one in found] == ["Web.Environment.Variables.DB_PASSWORD", "Parameters.Key.Default"]
    assert all(is_hidden(one.before) and is_hidden(one.after) for one in found)


def artifact(
    folder: Path, files: dict[str, str], *, digest: str, functions: tuple[str, ...] = ("Api", "Worker")
) -> Artifact:
    """An artifact with one archive."""
    path = folder / f"{digest}.zip"
    with zipfile.ZipFile(path, "w") as content:
        for name, text in files.items():
            content.writestr(zipfile.ZipInfo(name), text)
    parameters = {"Size": {"Type": "Number"}, "Key": {"Type": "String", "NoEcho": True}}
    whole = {"Parameters": parameters, **template(Api={"Timeout": 10})}
    return Artifact(digest=digest, template=whole, code=(Code(path=path, sha256=digest, functions=functions),))


def test_code_differs_by_file_and_function(tmp_path: Path) -> None:
    """Functions that share an archive are told together."""
    before = artifact(tmp_path, {"app.py": "1", "old.py": "1", "same.py": "1"}, digest="a")
    after = artifact(tmp_path, {"app.py": "2", "new.py": "1", "same.py": "1"}, digest="b")
    assert [(one.functions, one.file, one.kind.value) for one in code_changes(before, after)] == [
        (("Api", "Worker"), "app.py", "changed"),
        (("Api", "Worker"), "new.py", "added"),
        (("Api", "Worker"), "old.py", "removed"),
    ]


def test_a_function_that_only_one_has_is_all_added(tmp_path: Path) -> None:
    """There is nothing to hold its files against."""
    before = artifact(tmp_path, {"app.py": "1"}, digest="a", functions=("Api",))
    after = artifact(tmp_path, {"app.py": "1"}, digest="a", functions=("Api", "New"))
    assert [(one.functions, one.kind.value) for one in code_changes(before, after)] == [(("New",), "added")]


def side(
    tmp_path: Path,
    name: str,
    config: dict[str, str],
    *,
    digest: str = "a" * 64,
    secrets: dict[str, str] | None = None,
    **settings: Any,
) -> Deployed:
    """What is on record for an environment."""
    given = artifact(tmp_path, {"app.py": digest}, digest=digest)
    release = Release(
        id=f"{digest[:6]}-{len(config)}",
        digest=digest,
        config_hash=repr(sorted(config)),
        config=config,
        secrets=secrets or {},
    )
    environment = Environment(
        name=name, driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1", **settings
    )
    deployment = Deployment(id=1, environment=name, release=release, at=NOW)
    return Deployed(environment=environment, deployment=deployment, artifact=given, template=dict(given.template))


def test_config_is_compared_key_by_key(tmp_path: Path) -> None:
    """Equal, different, and only on one side; of a NoEcho parameter no value."""
    before = side(tmp_path, "test", {"Size": "1", "Same": "x", "Key": "secret-1", "Old": "1"})
    after = side(tmp_path, "prod", {"Size": "2", "Same": "x", "Key": "secret-2", "New": "1"})
    assert [(one.name, one.verdict, one.before, one.after) for one in config_keys(before, after)] == [
        ("Size", Verdict.DIFFERENT, "1", "2"),
        ("Same", Verdict.EQUAL, "x", "x"),
        ("Key", Verdict.DIFFERENT, "(hidden)", "(hidden)"),
        ("Old", Verdict.ONLY_BEFORE, "1", None),
        ("New", Verdict.ONLY_AFTER, None, "1"),
    ]


def test_secrets_are_compared_by_their_hashes(tmp_path: Path) -> None:
    """Whether two environments share one is worth knowing; what it is, not even as a hash."""
    before, after, other = (
        side(tmp_path, name, {}, secrets={"Token": hashed}) for name, hashed in zip("abc", "xxy", strict=True)
    )
    assert [one.verdict for one in config_keys(before, after)] == [Verdict.EQUAL]
    assert [(one.verdict, one.before) for one in config_keys(before, other)] == [(Verdict.DIFFERENT, "(hidden)")]
    assert before.keys == ["Token"]


def test_outputs_that_differ_by_names_alone_are_equal() -> None:
    """Two accounts never have the same ids."""
    before = Outputs(values={"Url": "https://a1/live", "N": "1"}, comparable={"Url": "https://<Api>/live", "N": "1"})
    after = Outputs(values={"Url": "https://b2/live", "N": "2"}, comparable={"Url": "https://<Api>/live", "N": "2"})
    assert [(one.name, one.verdict.value) for one in compare_outputs(before, after)] == [
        ("Url", "equal"),
        ("N", "different"),
    ]


def difference(tmp_path: Path) -> ReleaseDifference:
    """Two environments that differ in everything."""
    before = side(tmp_path, "test", {"Size": "1", "Key": "secret-1"})
    after = side(tmp_path, "prod", {"Size": "a|b\n<script>"}, digest="b" * 64)
    return compare_releases(before, after, [], "prod is stopped")


def test_reports_say_the_same_in_a_terminal_and_in_markdown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both name everything; no value breaks a table, and none of a secret is in any of them."""
    found = difference(tmp_path)
    assert not found.is_empty
    texts = [to_terminal(diff_report(found)), to_markdown(diff_report(found))]
    for text in texts:
        assert "app.py" in text
        assert "only in test" in text
        assert "not compared, prod is stopped" in text
        assert "secret-1" not in text
    assert "\\<script>" in texts[1]
    assert "a\\|b" in texts[1]
    print_json(found)
    assert "secret-1" not in capsys.readouterr().out


def test_parity_counts_what_should_be_equal(tmp_path: Path) -> None:
    """Values of config may differ; digests, keys and settings may not."""
    base = side(tmp_path, "test", {"Size": "1", "Key": "k"})
    same = side(tmp_path, "staging", {"Size": "2", "Key": "l"})
    other = side(tmp_path, "prod", {"Size": "2"}, digest="b" * 64, enforce_iam=True)
    alike = parity_of(base.environment, [same.environment], {"test": base, "staging": same})
    assert alike.holds
    found = parity_of(
        base.environment, [same.environment, other.environment], {"test": base, "staging": same, "prod": other}
    )
    assert {one.name: list(one.differing) for one in found.aspects if one.differing} == {
        "digest": ["prod"],
        "config keys": ["prod"],
        "IAM enforcement": ["prod"],
    }
    text = to_terminal(parity_report(found))
    assert "prod is not as test" in text
    assert "lacks Key" in text


def test_an_environment_without_a_deployment_is_not_in_parity(tmp_path: Path) -> None:
    """It has nothing that could be equal."""
    base = side(tmp_path, "test", {})
    empty = side(tmp_path, "prod", {}).environment
    found = parity_of(base.environment, [empty], {"test": base, "prod": None})
    assert [one.name for one in found.aspects if one.differing] == ["digest", "template", "config keys", "left out"]


def inventory(**resources: Resource) -> Inventory:
    """What stands in a stack."""
    stack = {"Parameters": {"Size": "1"}}
    return Inventory(release="r", at=NOW, salt="s", hidden_parameters=(), stack=stack, resources=resources)


def resource(properties: dict[str, Any] | None, **more: Any) -> Resource:
    """One queue of it."""
    return Resource(type="AWS::SQS::Queue", physical_id="q", properties=properties, **more)


def test_what_cannot_be_compared_is_named() -> None:
    """A type that nobody can read is no drift, and not silently left out either."""
    before = inventory(
        Queue=resource({"DelaySeconds": 0}), Odd=resource(None, unread="multistack can't read this type")
    )
    now = inventory(Queue=resource(None), Odd=resource(None, unread="multistack can't read this type"))
    found = compare_inventories("test", "orders-test", before, now)
    assert found.not_compared == {"Odd": "AWS::SQS::Queue: multistack can't read this type"}
    assert [(one.resource, one.kind.value) for one in found.differences] == [("Queue", "removed")]
    text = to_terminal(drift_report([found]))
    assert "1 difference from release r" in text
    assert "not compared, AWS::SQS::Queue: multistack can't read this type" in text


def test_a_queue_whose_emulator_took_another_port_has_not_drifted() -> None:
    """Its URL is the one thing that a start changes; another queue's is another value."""
    url = "http://127.0.0.1:{}/111111111111/{}"
    before = inventory(Web=resource({"Environment": {"Q": url.format(4600, "a"), "R": url.format(4600, "a")}}))
    now = inventory(Web=resource({"Environment": {"Q": url.format(4601, "a"), "R": url.format(4601, "b")}}))
    found = compare_inventories("test", "tiny-test", before, now).differences
    assert [one.property for one in found] == ["Environment.R"]


def test_a_stack_that_somebody_updated_by_hand_has_drifted() -> None:
    """Other parameters, and resources that came or went, are found although the stack itself knows of them."""
    before, now = inventory(Old=resource({})), inventory(New=resource({}))
    changed = Inventory(
        release="r",
        at=NOW,
        salt="s",
        hidden_parameters=(),
        stack={"Parameters": {"Size": "9"}},
        resources=now.resources,
    )
    found = compare_inventories("test", "orders-test", before, changed).differences
    assert [(one.resource, one.property, one.kind.value) for one in found] == [
        ("orders-test", "Parameters.Size", "changed"),
        ("Old", "", "removed"),
        ("New", "", "added"),
    ]


def test_a_hidden_value_stays_hidden_after_its_secret_changed() -> None:
    """The old secret in a variable isn't shown only because it is the secret no more."""
    hiding = Hiding("s")
    old = inventory(Queue=resource({"Variable": hiding.hide("the-old-secret")}))
    same, other = (inventory(Queue=resource({"Variable": text})) for text in ("the-old-secret", "another"))
    assert compare_inventories("test", "stack", old, same).differences == []
    (found,) = compare_inventories("test", "stack", old, other).differences
    assert is_hidden(found.deployed)
    assert is_hidden(found.found)


def test_an_inventory_is_read_as_it_was_written() -> None:
    """What a later or broken one says is not guessed."""
    written = inventory(Queue=resource({"DelaySeconds": 0}), Odd=resource(None, unread="why"))
    assert Inventory.from_json(written.to_json()) == written
    assert Inventory.from_json(written.to_json().replace(b'"format":1', b'"format":2')) is None
    assert Inventory.from_json(b"\xff{") is None
    assert Inventory.from_json(b"[]") is None
