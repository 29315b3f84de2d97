"""
Chalice, packaged by ``chalice package``: a SAM template and a zip for each stage.

Source:
    https://aws.github.io/chalice/topics/packaging.html and topics/configfile.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from emulator.errors import ArtifactError
from emulator.events import Event
from emulator.frameworks.packaged import PackagedByTool, package, read_object
from emulator.frameworks.service import Packaging, Service
from emulator.frameworks.tool import Tool, find_tool, run_tool
from emulator.template import CODE_PROPERTIES, Template, is_local

_FOLDER = ".chalice"
_SOURCES = ("app.py", "chalicelib", "vendor", "requirements.txt")
# It asks botocore for the partition of a region; the template holds none.
_REGION = {"AWS_DEFAULT_REGION": "us-east-1"}


class Chalice(PackagedByTool):
    """A folder with ``.chalice/config.json``."""

    name = "Chalice"
    files = (f"{_FOLDER}/config.json",)

    def recognises(self, path: Path) -> bool:
        """By its name and that of its folder."""
        return (path.parent.name, path.name) == (_FOLDER, "config.json")

    def stages(self, path: Path) -> Sequence[str]:
        """Those of the file."""
        stages = read_object(path).get("stages")
        return list(stages) if isinstance(stages, dict) else []

    def sources(self, path: Path) -> Sequence[Path]:
        """What Chalice packages; beside its configuration it keeps packages that it made."""
        folder = path.parent.parent
        return [path, *(one for name in _SOURCES if (one := folder / name).exists())]

    def read(self, path: Path, packaging: Packaging) -> Service:
        """Packaged by the Chalice that the project has."""
        read_object(path)
        folder = path.parent.parent
        tool = find_tool(("chalice",), folder.resolve(), packaging.environ)
        if tool is None:
            raise ArtifactError(
                f"{_FOLDER}/{path.name} needs chalice, which is in no virtual environment of the project nor in PATH",
                hint="pip install chalice, or activate the virtual environment that has it",
            )
        packaging.emit(Event(None, "packaging", "with chalice"))
        return package(path, packaging, lambda stage, for_stage: _package(folder, tool, stage, for_stage))


def _package(folder: Path, tool: Tool, stage: str, packaging: Packaging) -> Template:
    out = packaging.work / "package"
    run_tool(
        [str(tool.program), "package", "--stage", stage, str(out)],
        folder=folder,
        packaging=packaging,
        variables=_REGION,
    )
    try:
        template = json.loads((out / "sam.json").read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"chalice left no sam.json that can be read: {error}") from error
    for resource in template["Resources"].values():
        name = CODE_PROPERTIES.get(resource["Type"])
        if name and is_local(resource["Properties"].get(name)):
            resource["Properties"][name] = str((out / resource["Properties"][name]).resolve())
    return dict(template)
