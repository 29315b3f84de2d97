"""What sam build does beside pip."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from emulator.errors import ArtifactError
from emulator.events import Event
from emulator.template import LocalCode
from emulator.tool_builds import build_by_tool, install_npm, is_built_by_tool, needs_npm

# Writes its arguments where esbuild would write the code.
_ESBUILD = f"""#!{sys.executable}
import pathlib, sys
(out,) = [one.removeprefix("--outdir=") for one in sys.argv if one.startswith("--outdir=")]
pathlib.Path(out, "app.js").write_text(" ".join(sys.argv[1:]))
"""

needs_node = pytest.mark.skipif(shutil.which("npm") is None, reason="this machine has no npm")


def source(folder: Path, method: str | None = None, *, runtime: str = "nodejs20.x", **properties: object) -> LocalCode:
    """A function in *folder*."""
    return LocalCode(
        logical_id="Web",
        type="AWS::Serverless::Function",
        path=folder,
        runtime=runtime,
        handler="app.handler",
        build_method=method,
        build_properties=properties,
    )


def ignore(event: Event) -> None:
    """In silence."""


# The library leaves make's pipes to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")
def test_a_makefile_s_target_makes_the_code(tmp_path: Path) -> None:
    """That of the logical id; what make says of a failure is told."""
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "Makefile").write_text("build-Web:\n\tcp in.py $(ARTIFACTS_DIR)/app.py\n")
    (folder / "in.py").write_text("x = 1\n")
    web = source(folder, "makefile", runtime="python3.12")
    assert is_built_by_tool(web)
    built = build_by_tool(web, tmp_path / "work", emit=ignore)
    assert [path.name for path in built.iterdir()] == ["app.py"]
    (folder / "in.py").unlink()
    with pytest.raises(ArtifactError, match="can't build Web with makefile: CustomMakeBuilder:MakeBuild"):
        build_by_tool(web, tmp_path / "again", emit=ignore)


@needs_node
def test_esbuild_bundles_with_what_is_installed(tmp_path: Path) -> None:
    """With the properties of SAM; the program is the project's own."""
    folder = tmp_path / "src"
    program = folder / "node_modules/.bin/esbuild"
    program.parent.mkdir(parents=True)
    program.write_text(_ESBUILD)
    program.chmod(0o755)
    (folder / "package.json").write_text("{}")
    (folder / "app.ts").write_text("export const x: number = 1;\n")
    web = source(folder, "esbuild", EntryPoints=["app.ts"], Minify=False, OutExtension=[".js=.mjs"])
    built = build_by_tool(web, tmp_path / "work", emit=ignore)
    said = (built / "app.js").read_text()
    assert "--bundle" in said
    assert "--out-extension:.js=.mjs" in said
    assert "--minify" not in said
    program.unlink()
    with pytest.raises(ArtifactError, match="Cannot find esbuild") as caught:
        build_by_tool(web, tmp_path / "again", emit=ignore)
    assert f"among the dependencies of {folder}/package.json" in str(caught.value.hint)


@needs_node
# aws-lambda-builders unpacks what npm packed; Python 3.12 and 3.13 warn of what 3.14 does by itself.
@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter extracted tar archives:DeprecationWarning")
def test_npm_installs_what_nobody_has(tmp_path: Path) -> None:
    """Once for the same package.json, which needs neither name nor version."""
    folder, archive = tmp_path / "src", tmp_path / "shared.tgz"
    folder.mkdir()
    with tarfile.open(archive, "w:gz") as output:
        for name, text in (("package.json", '{"name": "shared", "version": "1.0.0"}'), ("index.js", "exports.x = 1\n")):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            output.addfile(entry, io.BytesIO(text.encode()))
    (folder / "package.json").write_text(json.dumps({"dependencies": {"shared": f"file:{archive}"}}))
    events: list[Event] = []
    web = source(folder)
    assert needs_npm(web)
    installed = install_npm(web, tmp_path / "cache", emit=events.append)
    assert (installed / "node_modules/shared/index.js").read_text() == "exports.x = 1\n"
    assert install_npm(web, tmp_path / "cache", emit=events.append) == installed
    assert [event.detail for event in events] == ["src/package.json"]


@pytest.mark.parametrize("place", ["file:../shared", "file:/shared", "link:../shared", "workspace:*", "file:a.tgz"])
def test_a_package_beside_it_is_left_to_npm(tmp_path: Path, place: str) -> None:
    """It is not where npm looks from elsewhere; the hint works."""
    (tmp_path / "package.json").write_text(json.dumps({"dependencies": {"shared": place}}))
    with pytest.raises(ArtifactError, match=f"can't install shared for Web: it is {re.escape(place)}") as caught:
        install_npm(source(tmp_path), tmp_path / "cache", emit=ignore)
    assert str(caught.value.hint) == f"run `npm install` in {tmp_path}"


@pytest.mark.parametrize(
    ("package", "has_modules", "runtime"),
    [
        pytest.param('{"dependencies": {"a": "1"}}', True, "nodejs20.x", id="installed"),
        pytest.param('{"devDependencies": {"a": "1"}}', False, "nodejs20.x", id="none"),
        pytest.param("{", False, "nodejs20.x", id="broken"),
        pytest.param("[]", False, "nodejs20.x", id="a list"),
        pytest.param('{"dependencies": {"a": "1"}}', False, "python3.12", id="Python"),
    ],
)
def test_npm_is_not_asked_without_need(tmp_path: Path, package: str, has_modules: bool, runtime: str) -> None:
    """What is there is used as it is."""
    (tmp_path / "package.json").write_text(package)
    if has_modules:
        (tmp_path / "node_modules").mkdir()
    assert not needs_npm(source(tmp_path, runtime=runtime))
