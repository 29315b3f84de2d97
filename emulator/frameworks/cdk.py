"""
AWS CDK: an app is run as ``cdk synth`` runs it, for each stage, and its stacks become the one of an environment.

Source:
    https://docs.aws.amazon.com/cdk/v2/guide/context.html; how the command runs an app: ``exec.ts`` of
    https://github.com/aws/aws-cdk-cli
"""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.errors import ArtifactError, ConfigError
from emulator.events import Event
from emulator.frameworks.copies import Inputs
from emulator.frameworks.packaged import PackagedByTool, package, read_object
from emulator.frameworks.service import Packaging, Service
from emulator.frameworks.tool import SHELL, run_tool
from emulator.image_code import pin_images
from emulator.template import Template

if TYPE_CHECKING:
    from emulator.frameworks.cdk_assembly import Assembly

_FILE = "cdk.json"
_MANIFEST = "manifest.json"
_OUT = "cdk.out"
# By which of these an app asks for its stage is a habit of its author.
_STAGE_KEYS = ("stage", "environment", "env")
_CONTEXT = {"aws:cdk:bundling-stacks": ["**"], "aws:cdk:version-reporting": False}
_QUIET = {
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": "1",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
}
# An app in Python starts a Node process of its own; more than two at once only wait for each other.
_WORKERS = 2
_TELLING = (".py", ".js", ".ts")


class Cdk(PackagedByTool):
    """A folder with a ``cdk.json``, or an assembly that was made already."""

    name = "CDK"
    files = (_FILE, f"{_OUT}/{_MANIFEST}")

    def recognises(self, path: Path) -> bool:
        """By its name."""
        return path.name in (_FILE, _MANIFEST)

    def stages(self, path: Path) -> Sequence[str]:
        """None: what an app makes of a stage only the app knows."""
        return ()

    def sources(self, path: Path) -> Sequence[Path]:
        """The whole folder; of an assembly only what tells that it was made anew."""
        return [path.parent] if path.name == _FILE else [path]

    def read(self, path: Path, packaging: Packaging) -> Service:
        """The stacks of the app for each stage, made anew unless *path* is of an assembly."""
        from emulator.frameworks.cdk_assembly import read_assembly

        folder = path.parent
        if path.name == _FILE:
            settings = read_object(path)
            app = settings.get("app")
            if not isinstance(app, str) or not app:
                raise ConfigError(f"{path}: app is missing", hint="it is the command that runs the app")
            if not (folder / app).is_dir():
                packaging.emit(Event(None, "packaging", f"the CDK app: {app}"))
                return package(
                    path,
                    packaging,
                    lambda stage, own: _made(folder, settings, stage, own),
                    workers=_WORKERS,
                    inputs=_inputs(folder, app),
                )
            folder = folder / app
        assembly = read_assembly(folder)
        return package(path, packaging, lambda stage, own: _template(assembly, stage, own))


def _made(folder: Path, settings: Mapping[str, Any], stage: str, packaging: Packaging) -> Template:
    """The template of *stage*, by running the app."""
    from emulator.frameworks.cdk_assembly import read_assembly

    out = packaging.work / _OUT
    kept = read_object(folder / "cdk.context.json") if (folder / "cdk.context.json").is_file() else {}
    context = {**_CONTEXT, **_dict(settings.get("context")), **kept}
    taken = {key for key in _STAGE_KEYS if not isinstance(context.get(key, ""), str)}
    context |= {key: stage for key in _STAGE_KEYS if key not in taken}
    variables = {**_QUIET, "CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(context)}
    for command in (settings.get("build"), settings["app"]):
        if isinstance(command, str) and command:
            run_tool([*SHELL, command], folder=folder, packaging=packaging, variables=variables, explain=_explain)
    if not (out / _MANIFEST).is_file():
        raise ArtifactError(
            f"{settings['app']} ended well, but left no cloud assembly", hint="does it call app.synth()?"
        )
    return _template(read_assembly(out), stage, packaging)


def _inputs(folder: Path, app: str) -> Inputs | None:
    """The files that its command names; None if it is of a language that doesn't tell what it loads."""
    files = [folder.resolve() / word for word in app.split() if word.endswith(_TELLING)]
    run = [glob.escape(str(path)) for path in files if path.is_file()]
    return Inputs(run=run) if run else None


def _explain(said: str) -> str | None:
    if "No module named" in said or "Cannot find module" in said or "not found" in said:
        return "install what the app needs: in .venv or node_modules of its folder, or activate its virtual environment"
    if "context provider" in said:
        return (
            "what the app looks up in an account has to be in cdk.context.json: `cdk synth` with credentials writes it"
        )
    return None


def _template(assembly: Assembly, stage: str, packaging: Packaging) -> Template:
    """The stacks of *stage* as one."""
    from emulator.frameworks.cdk_assembly import SCHEMA
    from emulator.frameworks.cdk_stacks import stacks_of, together

    if assembly.missing:
        raise ConfigError(
            f"the app looks things up in an account: {', '.join(assembly.missing)}",
            hint="run `cdk synth` once with credentials, and keep the cdk.context.json that it writes",
        )
    stacks = stacks_of(assembly.stacks, stage, packaging.stages)
    newer = f"; schema {assembly.version} is newer than {SCHEMA}, the last one tried" if assembly.is_newer else ""
    packaging.emit(Event(None, "packaging", f"{stage}: {', '.join(one.name for one in stacks)}{newer}"))
    if absent := list(dict.fromkeys(name for one in stacks for name in one.absent)):
        packaging.emit(Event(None, "warning:", f"{stage}: no bucket has these assets of the app: {', '.join(absent)}"))
    return pin_images(together(stacks), Path(), packaging.images)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
