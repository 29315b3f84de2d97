"""Reading templates, finding their code, expanding SAM."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emulator.errors import ConfigError, DeployError
from emulator.template import (
    SAM_TRANSFORM,
    expand_sam,
    inline_definitions,
    is_sam,
    local_code,
    point_at_code,
    read_template,
)

FUNCTION = "AWS::Serverless::Function"


def function(**properties: Any) -> dict[str, Any]:
    """A SAM function."""
    return {"Type": FUNCTION, "Properties": {"Runtime": "python3.12", "Handler": "app.handler", **properties}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "does not exist", id="missing"),
        pytest.param(b"\xff", r"is not UTF-8 text \(byte 0\)", id="not UTF-8"),
        pytest.param(b"a: b: c", r"is not YAML: .*line 1", id="not YAML"),
        pytest.param(b"a: b", "has no resources", id="no resources"),
    ],
)
def test_an_unreadable_template_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    """The error names the file."""
    path = tmp_path / "template.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        read_template(path)


def test_a_folder_is_no_template(tmp_path: Path) -> None:
    """The system's own reason is told."""
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        read_template(tmp_path)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        pytest.param(SAM_TRANSFORM, True, id="text"),
        pytest.param([SAM_TRANSFORM, "Other"], True, id="list"),
        pytest.param("Other", False, id="other"),
        pytest.param({"Name": "AWS::Include"}, False, id="mapping"),
    ],
)
def test_sam_is_recognised(transform: Any, expected: bool) -> None:
    """By its transform, however that is written."""
    assert is_sam({"Transform": transform}) is expected


def test_local_code_is_found() -> None:
    """Functions and layers of both kinds, with what Globals say; nothing remote and nothing inline."""
    template = {
        "Globals": {"Function": {"CodeUri": "src/", "Runtime": "python3.12"}},
        "Resources": {
            "Inherits": {"Type": FUNCTION, "Properties": {"Handler": "a.b"}},
            "Remote": function(CodeUri="s3://bucket/key"),
            "Bucket": function(CodeUri={"Bucket": "b", "Key": "k"}),
            "Plain": {"Type": "AWS::Lambda::Function", "Properties": {"Code": "./src"}},
            "Inline": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ZipFile": "x"}}},
            "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": "layer"}},
            "Queue": {"Type": "AWS::SQS::Queue"},
        },
    }
    found = {code.logical_id: code for code in local_code(template, Path("/service"))}
    assert list(found) == ["Inherits", "Plain", "Layer"]
    assert found["Inherits"].path == found["Plain"].path == Path("/service/src")
    assert (found["Inherits"].runtime, found["Inherits"].handler) == ("python3.12", "a.b")
    assert found["Layer"].handler is None


def test_code_is_pointed_at_the_bucket() -> None:
    """Each kind in its own way; the original stays as it is, and so does a remote default."""
    template = {
        "Globals": {"Function": {"CodeUri": "src/"}},
        "Resources": {"Sam": {"Type": FUNCTION}, "Plain": {"Type": "AWS::Lambda::Function", "Properties": {}}},
    }
    result = point_at_code(template, {"Sam": "k1", "Plain": "k2"}, bucket="b")
    assert result["Resources"]["Sam"]["Properties"] == {"CodeUri": {"Bucket": "b", "Key": "k1"}}
    assert result["Resources"]["Plain"]["Properties"] == {"Code": {"S3Bucket": "b", "S3Key": "k2"}}
    assert result["Globals"] == {"Function": {}}
    assert template["Globals"] == {"Function": {"CodeUri": "src/"}}
    remote = {"Globals": {"Function": {"CodeUri": "s3://b/k"}}, "Resources": {}}
    assert point_at_code(remote, {}, bucket="b") == remote


def test_definitions_stand_in_the_template(tmp_path: Path) -> None:
    """A local file's content replaces its name, or the error names file and resource."""
    (tmp_path / "api.yaml").write_text("paths: {}")
    api = {"Type": "AWS::Serverless::Api", "Properties": {"DefinitionUri": "api.yaml"}}
    result = inline_definitions({"Resources": {"Api": api}}, tmp_path)
    assert result["Resources"]["Api"]["Properties"] == {"DefinitionBody": {"paths": {}}}
    (tmp_path / "api.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match=r"api\.yaml of Api is not YAML"):
        inline_definitions({"Resources": {"Api": api}}, tmp_path)
    (tmp_path / "api.yaml").unlink()
    with pytest.raises(ConfigError, match=r"api\.yaml of Api can't be read: No such file"):
        inline_definitions({"Resources": {"Api": api}}, tmp_path)


def test_sam_becomes_plain_cloudformation() -> None:
    """Other transforms are kept for whoever carries them out."""
    template: dict[str, Any] = {"Transform": [SAM_TRANSFORM, "Other"], "Resources": {"Web": function(InlineCode="x")}}
    expanded = expand_sam(template, {}, region="eu-west-1")
    assert expanded["Resources"]["Web"]["Type"] == "AWS::Lambda::Function"
    assert expanded["Transform"] == ["Other"]
    assert template["Resources"]["Web"]["Type"] == FUNCTION


def test_what_sam_refuses_is_told() -> None:
    """The first reason in the line, the others below it."""
    template = {"Transform": SAM_TRANSFORM, "Resources": {name: function(Nope=1) for name in ("A", "B")}}
    with pytest.raises(DeployError, match=r"SAM refuses the template: Resource with id \[A\]") as caught:
        expand_sam(template, {}, region="eu-west-1")
    assert len(caught.value.details) == 1


def test_one_thread_loads_the_translator() -> None:
    """Its modules import each other: of two threads that come in by different ones, Python ends one as a deadlock."""
    script = """
import sys, threading
from emulator.template import expand_sam, load_translator

class Watcher:
    seen = set()
    def find_spec(self, name, path=None, target=None):
        if name.startswith("samtranslator"):
            self.seen.add(threading.get_ident())

def expand():
    barrier.wait()
    queue = {"Q": {"Type": "AWS::SQS::Queue"}}
    expand_sam({"Transform": "AWS::Serverless-2016-10-31", "Resources": queue}, {}, region="eu-west-1")

def load():
    barrier.wait()
    load_translator()

sys.meta_path.insert(0, Watcher())
barrier = threading.Barrier(4)
threads = [threading.Thread(target=work) for work in (load, expand, expand, load)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(Watcher.seen))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.strip(), done.stderr) == ("1", "")
