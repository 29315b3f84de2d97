"""What installs a bundle where nothing is installed yet refuses what can't work, and says what would."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulator.bundle import installer, texts
from emulator.bundle.manifest import BundledImage
from emulator.bundle.targets import Target, this_machine

HERE = {"python": this_machine().python, "platform": this_machine().platform}
IMAGE = BundledImage(
    name="own:1", member="images/own-1.tar.gz", id="1", architecture="amd64", layers=(), created="", size=1
)


def bundle(folder: Path, **changes: Any) -> dict[str, Any]:
    """An unpacked bundle with one wheel."""
    (folder / "wheels").mkdir()
    (folder / "wheels" / "a.whl").write_bytes(b"a")
    members = {"wheels/a.whl": {"sha256": hashlib.sha256(b"a").hexdigest()}, "slides/x": {"sha256": ""}}
    manifest = {"version": "0.1.0", "targets": [HERE], "members": members, "sha256": "b", "packages": [], **changes}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def test_installer_needs_nothing_but_python() -> None:
    """It runs before anything is installed."""
    tree = ast.parse(Path(installer.__file__).read_text())
    names = {
        alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    names |= {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names


def test_whole_bundle_for_this_machine_is_taken(tmp_path: Path) -> None:
    """Only wheels are looked at: the rest is for people to change."""
    manifest = bundle(tmp_path)
    assert installer.read_manifest(tmp_path) == manifest
    installer.check_machine(manifest, installer.this_machine())
    installer.check_wheels(manifest, tmp_path)


@pytest.mark.parametrize("data", [None, b"b"], ids=["missing", "changed"])
def test_wheel_that_is_not_as_saved_is_refused(tmp_path: Path, data: bytes | None) -> None:
    """A copy that broke would install half a program."""
    manifest = bundle(tmp_path)
    path = tmp_path / "wheels" / "a.whl"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(installer.Refused, match=r"a\.whl is not as it was saved") as error:
        installer.check_wheels(manifest, tmp_path)
    assert error.value.code == 5


def test_other_python_or_platform_is_told_with_what_would_do(tmp_path: Path) -> None:
    """The learner names another Python, or asks for another bundle."""
    manifest = bundle(tmp_path, targets=[{"python": "3.12", "platform": "linux/amd64"}])
    with pytest.raises(installer.Refused) as error:
        installer.check_machine(manifest, {"python": "3.13", "platform": "linux/arm64"})
    assert error.value.message == ("this is Python 3.13 on linux/arm64; the bundle is for Python 3.12 on linux/amd64")
    assert "PYTHON=/path/to/python" in error.value.hint
    assert "--python 3.13 --platform linux/arm64" in error.value.hint


def test_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    """Somebody moved the script out of it."""
    with pytest.raises(installer.Refused, match="is no whole bundle"):
        installer.read_manifest(tmp_path)


def test_venv_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    """It may hold work."""
    manifest = bundle(tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "precious").touch()
    with pytest.raises(installer.Refused, match="is not of a bundle"):
        installer.install(manifest, tmp_path, tmp_path, force=False)
    assert (tmp_path / ".venv" / "precious").exists()


def test_install_script_looks_for_the_newest_python_that_fits(tmp_path: Path) -> None:
    """Whatever else is on the machine; the arguments are passed on."""
    targets = [Target(python="3.12", platform="linux/amd64"), Target(python="3.13", platform="linux/amd64")]
    (tmp_path / "install.sh").write_bytes(texts.install_script(targets))
    (tmp_path / "install.py").write_text("")
    for name, version in (("python3", "3.12"), ("python3.13", "3.11"), ("python", "3.9")):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\ncase "$2" in -c) echo {version};; *) echo "{version}: $@";; esac\n')
        program.chmod(0o755)

    def run(**environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(tmp_path / "install.sh"), "--no-images", "a b"],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin" if not environ else "/usr/bin:/bin", **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    # Those of /usr/bin may fit too: 3.13 first, then 3.12, which the folder has.
    found = run()
    assert found.returncode == 0
    assert found.stdout.endswith(f"-I {tmp_path}/install.py --no-images a b\n")
    refused = run(PYTHON=str(tmp_path / "python"))
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: no Python 3.13 or 3.12 found")


def test_readme_says_how_without_multistack() -> None:
    """It is all that somebody has who was given the file."""
    at, target = datetime(2026, 11, 26, 13, 5, tzinfo=UTC), Target(python="3.12", platform="linux/amd64")
    text = texts.readme("0.1.0", at, [target], [IMAGE]).decode()
    assert "saved 2026-11-26 13:05 UTC\nfor Python 3.12 on linux/amd64" in text
    assert "docker load -i multistack-bundle/images/own-1.tar.gz" in text
    assert "Docker" not in texts.readme("0.1.0", at, [target], []).decode().partition("sh install.sh FOLDER")[0]
    assert max(len(line) for line in text.splitlines()) <= 80
