"""Where an editor finds the code of a function that it debugs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from emulator.debugger import folder_with
from emulator.drivers.functions import debugged_code
from tests.conftest import SAMPLE


def test_code_that_a_tool_packaged_is_found_by_its_content(tmp_path: Path) -> None:
    """Many functions may have a file of one name; an edit since the deployment leaves the name."""
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders[1:]:
        folder.mkdir()
        (folder / "app.py").write_text(folder.name)
    assert folder_with(folders, "app.py", b"c") == tmp_path / "c"
    assert folder_with(folders, "app.py", b"edited since") == tmp_path / "b"
    assert folder_with(folders, "other.py", None) is None


def read(name: str) -> Any:
    """A file of the sample's ``.vscode``."""
    return json.loads((SAMPLE / ".vscode" / name).read_text())


def test_the_samples_launch_configuration_fits_what_debug_does() -> None:
    """F5 in the sample starts ``multistack debug`` and maps the folder in which the function then runs."""
    (launch,) = read("launch.json")["configurations"]
    tasks = {task["label"]: task for task in read("tasks.json")["tasks"]}
    command = tasks[launch["preLaunchTask"]]["command"]
    found = re.fullmatch(r"multistack debug (\w+) --environment (\w+) --port (\d+)", command)
    assert found is not None
    function, environment, port = found.groups()
    assert launch["connect"] == {"host": "127.0.0.1", "port": int(port)}
    folder = Path("${workspaceFolder}/.multistack/environments") / environment
    (mapping,) = launch["pathMappings"]
    assert mapping["remoteRoot"] == str(debugged_code(folder, function))
    assert (SAMPLE / mapping["localRoot"].removeprefix("${workspaceFolder}/")).is_dir()
