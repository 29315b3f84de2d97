"""
The Serverless Framework, packaged by ``osls`` or ``serverless`` 3: a template and zips for each stage.

Source:
    https://github.com/oss-serverless/serverless (the fork of version 3 that is maintained), ``sls package``
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emulator.cfn_yaml import parse
from emulator.errors import ArtifactError, ConfigError
from emulator.events import Event
from emulator.frameworks.copies import Inputs
from emulator.frameworks.packaged import PackagedByTool, package
from emulator.frameworks.service import Packaging, Service
from emulator.frameworks.tool import Tool, find_tool, run_tool
from emulator.template import CODE_PROPERTIES, Template

_SUFFIXES = ("yml", "yaml", "json", "ts", "js", "cjs", "mjs")
_DATA = (".yml", ".yaml", ".json")
_NAME = re.compile(rf"serverless(\.[\w-]+)*\.({'|'.join(_SUFFIXES)})")
_INSTALL = "npm install --save-dev osls"
# A deployment of an API is named by the time of packaging, so that each packaging makes a new one.
_DEPLOYMENT = re.compile(r"(ApiGateway|Websockets)Deployment\d{10,}")
# What the tool says, and what to do about it.
_HINTS = (
    (
        re.compile(
            r"\$\{(?:aws|ssm|cf|s3)(?:\([\w-]+\))?:[^}]*\}?|at \"(?:aws|ssm|cf|s3)\" source"
            "|AWS (?:provider )?credentials"
        ),
        "values of a real account are not there: give these variables a default, or take them from `params`",
    ),
    (re.compile(r"lugin\b.*\bnot found"), "npm install, so that the plugins are in node_modules"),
    (re.compile("Cannot resolve variable"), "give the variable a value or a default for every stage"),
    (
        re.compile("unrecognized property 'org'|not currently logged in"),
        "leave org and app out of the file: they are for the dashboard of the Framework's maker",
    ),
    (
        re.compile("unrecognized property"),
        "what only serverless 4 knows has another name here: `params` for `stages`, a plugin for `build`; or set"
        " `configValidationMode: warn`",
    ),
    (
        re.compile(r"(python[\d.]+) not found!"),
        "install {}, or set custom.pythonRequirements.pythonBin to a Python that is there, e.g. python3",
    ),
)

_FILE = re.compile(r"\bfile\(((?:\$\{[^{}]*\}|[^)])+)\)")
_VARIABLE = re.compile(r"\$\{[^{}]*\}")

_QUIET = {
    "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
    "SLS_TELEMETRY_DISABLED": "1",
    "SLS_NOTIFICATIONS_MODE": "off",
    "SLS_INTERACTIVE_SETUP_ENABLE": "0",
}


class Serverless(PackagedByTool):
    """A folder with a ``serverless.yml``, or one in another language."""

    name = "Serverless Framework"
    files = tuple(f"serverless.{suffix}" for suffix in _SUFFIXES)

    def recognises(self, path: Path) -> bool:
        """By its name."""
        return _NAME.fullmatch(path.name) is not None

    def stages(self, path: Path) -> Sequence[str]:
        """Those that ``params`` or ``stages`` give values to, where the file is YAML or JSON."""
        content = _content(path)
        known = [name for key in ("stages", "params") if isinstance(found := content.get(key), dict) for name in found]
        return [name for name in dict.fromkeys(map(str, known)) if name != "default"]

    def read(self, path: Path, packaging: Packaging) -> Service:
        """Packaged by the tool that the project has."""
        _check_provider(path)
        tool = _tool(path, packaging)
        packaging.emit(Event(None, "packaging", f"{path.name} with {tool.package} {tool.version}".rstrip()))
        # It works in .serverless of the service's folder, so one stage after the other.
        return package(
            path, packaging, lambda stage, for_stage: _package(path, tool, stage, for_stage), inputs=_inputs(path)
        )


def _check_provider(path: Path) -> None:
    provider = _content(path).get("provider")
    name = provider.get("name") if isinstance(provider, dict) else provider
    if isinstance(name, str) and name != "aws" and "${" not in name:
        raise ConfigError(f"{path.name} is for {name}, and environments are accounts of AWS")


def _content(path: Path) -> Mapping[str, Any]:
    """The file as far as it is plain data; raises ConfigError when it is broken YAML or JSON."""
    if path.suffix not in _DATA:
        return {}
    try:
        content = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    return content if isinstance(content, dict) else {}


def _inputs(path: Path) -> Inputs | None:
    """What values are taken from, and plugins of its own; None if it is code that asks for them."""
    if path.suffix not in _DATA:
        return None
    plugins = _content(path).get("plugins")
    plugins = plugins.get("modules") if isinstance(plugins, dict) else plugins
    own = [one if one.endswith("js") else f"{one}*js" for one in map(str, plugins or ()) if one.startswith(".")]
    files = [_VARIABLE.sub("*", one.strip()) for one in _FILE.findall(path.read_text(encoding="utf-8"))]
    folder = glob.escape(str(path.parent.resolve()))
    own, files = ([os.path.normpath(Path(folder, one)) for one in names] for names in (own, files))
    return Inputs(named=files, run=[*own, *(one for one in files if one.endswith(("js", "ts")))])


def _tool(path: Path, packaging: Packaging) -> Tool:
    tool = find_tool(("osls", "serverless", "sls"), path.parent.resolve(), packaging.environ)
    if tool is None:
        raise ArtifactError(
            f"{path.name} needs the Serverless Framework, which is neither in node_modules nor in PATH", hint=_INSTALL
        )
    if shutil.which("node", path=packaging.environ.get("PATH")) is None:
        raise ArtifactError(f"{tool.package} needs Node, which is not in PATH", hint="install Node 20 or newer")
    if tool.package == "serverless" and (tool.major or 3) > 3:
        raise ArtifactError(
            f"serverless {tool.version} packages nothing without an account at its maker",
            hint=f"{_INSTALL}, or serverless@3",
        )
    return tool


def _package(path: Path, tool: Tool, stage: str, packaging: Packaging) -> Template:
    from emulator.frameworks.empty_account import empty_account

    out = packaging.work
    arguments = [str(tool.program), "package", "--stage", stage, "--package", str(out)]
    if tool.package == "serverless":  # a file in the home may lead to the maker's dashboard, and that to keys of AWS
        arguments.append("--use-local-credentials")
    # Older ones would ask AWS itself with what leads to the empty account.
    knows_endpoints = tool.package == "osls" and (tool.major or 0) >= 4
    with contextlib.ExitStack() as stack:
        account = stack.enter_context(empty_account(packaging.stages[stage])) if knows_endpoints else {}
        run_tool(
            [*arguments, *(["--config", path.name] if path.stem != "serverless" else [])],
            folder=path.parent,
            packaging=packaging,
            variables={**_QUIET, **account},
            explain=_explain,
            begins="Error:",
        )
    template = _json(out / "cloudformation-template-update-stack.json")
    zips = {one.name: one for one in _zips(_json(out / "serverless-state.json"), out, path.parent)}
    for logical_id, resource in template["Resources"].items():
        _point_at(logical_id, resource, zips, path)
    return _with_lasting_names(template)


def _explain(said: str) -> str | None:
    """What to do about what it says."""
    return next((hint.format(*found.groups()) for what, hint in _HINTS if (found := what.search(said))), None)


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"the Serverless Framework left no {path.name} that can be read: {error}") from error


def _zips(state: Mapping[str, Any], out: Path, folder: Path) -> Iterator[Path]:
    """All that code may be in: what was made, and what the service brought as it is."""
    yield from out.glob("*.zip")
    service = state.get("service", {})
    for section in ("functions", "layers"):
        for one in (service.get(section) or {}).values():
            artifact = (one.get("package") or {}).get("artifact")
            if isinstance(artifact, str) and (folder / artifact).is_file():
                yield folder / artifact
    artifact = state.get("package", {}).get("artifact")
    if isinstance(artifact, str) and (folder / artifact).is_file():
        yield folder / artifact


def _point_at(logical_id: str, resource: Mapping[str, Any], zips: Mapping[str, Path], path: Path) -> None:
    """Code in the deployment bucket becomes the zip that would be put there."""
    name = CODE_PROPERTIES.get(resource["Type"])
    code = resource.get("Properties", {}).get(name) if name else None
    if not isinstance(code, dict) or "S3Key" not in code:
        return
    key = code["S3Key"]
    zipped = zips.get(str(key).rpartition("/")[2])
    if zipped is None:
        raise ConfigError(f"{path.name}: the code of {logical_id} is {key} of a bucket, and no file of this machine")
    resource["Properties"][name] = str(zipped.resolve())


def _with_lasting_names(template: Template) -> Template:
    """Deployments of APIs are named by what is deployed: the same source is the same artifact, whenever it is built."""
    apis = {name: one for name, one in template["Resources"].items() if one["Type"].startswith("AWS::ApiGateway")}
    plain = {_DEPLOYMENT.sub(r"\1", name): _DEPLOYMENT.sub(r"\1", json.dumps(one)) for name, one in apis.items()}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
    return dict(json.loads(_DEPLOYMENT.sub(rf"\1Deployment{digest}", json.dumps(template))))
