"""Tools of frameworks as scripts that leave what the real ones leave, for tests of everything around them."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from emulator.events import Event
from emulator.frameworks.registry import reader_of
from emulator.frameworks.service import Packaging, Service

# Leaves what `sls package` does. A template whose functions and stage are as real ones are; the time is a new one each
# time, and the code's key is made from it.
OSLS = """
import json, os, sys, time, zipfile
stage, out = (sys.argv[sys.argv.index(f"--{name}") + 1] for name in ("stage", "package"))
os.makedirs(out, exist_ok=True)
with zipfile.ZipFile(f"{out}/notes.zip", "w") as archive:
    archive.writestr("handler.py", "def get(event, context): pass")
    archive.writestr(".multistack/routes.json", str(time.time()))
now = f"{time.time_ns() // 1000}"
function = {"Type": "AWS::Lambda::Function", "Properties": {
    "Code": {"S3Bucket": {"Ref": "ServerlessDeploymentBucket"}, "S3Key": f"serverless/notes/{stage}/{now}/notes.zip"},
    "Handler": "handler.get", "Runtime": "python3.12", "Environment": {"Variables": {"STAGE": stage}}}}
resources = {
    "ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket"},
    "GetLambdaFunction": function,
    "ApiGatewayRestApi": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": f"{stage}-notes"}},
    f"ApiGatewayDeployment{now}": {"Type": "AWS::ApiGateway::Deployment",
        "Properties": {"RestApiId": {"Ref": "ApiGatewayRestApi"}, "StageName": stage}}}
with open(f"{out}/cloudformation-template-update-stack.json", "w") as file:
    json.dump({"Resources": resources}, file)
with open(f"{out}/serverless-state.json", "w") as file:
    json.dump({"service": {"functions": {}}, "package": {"artifact": "notes.zip"}}, file)
with open("environ.json", "w") as file:
    json.dump(dict(os.environ), file)
"""


def write_tool(folder: Path, name: str, script: str, *, package: Mapping[str, str] | None = None) -> Path:
    """A program in ``node_modules/.bin`` of *folder*, of an npm package if one is given."""
    home = folder / "node_modules" / (package or {}).get("name", name)
    home.mkdir(parents=True)
    if package is not None:
        (home / "package.json").write_text(json.dumps(package))
    program = home / "run"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    link = folder / "node_modules" / ".bin" / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(program)
    return link


def packaged(
    path: Path, work: Path, *, stages: Sequence[str] = ("test", "prod"), environ: Mapping[str, str] | None = None
) -> tuple[Service, list[Event]]:
    """The service at *path* as the build reads it, and what is told meanwhile."""
    events: list[Event] = []
    work.mkdir()
    packaging = Packaging(
        environ={"PATH": "/usr/local/bin:/usr/bin:/bin"} if environ is None else environ,
        stages={stage: f"{number:012}" for number, stage in enumerate(stages, start=1)},
        work=work,
        emit=events.append,
        cancelled=lambda: None,
    )
    return reader_of(path).read(path, packaging), events
