"""The tests of the image's package, run in the image: without a network, as its user, on a read-only file system."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MULTISTACK, REPOSITORY

PLUGIN_TESTS = REPOSITORY / "compose" / "localstack" / "plugin" / "tests"
# What pytest needs; all of it is plain Python, so that another interpreter can run it.
_PYTEST = ("py", "pytest", "_pytest", "pluggy", "iniconfig", "pygments", "packaging")
# Seconds; they take one to two minutes on a quiet machine.
_PATIENCE = 900
_SERVICES = "kms is"


@pytest.fixture(scope="session")
def pytest_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pytest alone, to be laid into a container."""
    folder = tmp_path_factory.mktemp("pytest")
    folder.chmod(0o755)
    for name in _PYTEST:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        source = Path(found.origin)
        if source.name == "__init__.py":
            shutil.copytree(source.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / source.name)
    return folder


def run_in(engine: Any, image: str, command: list[str], mounts: dict[Path, str], **variables: str) -> tuple[int, str]:
    """Exit status and output of *command* in a container as the driver makes them, but without any network."""
    container = engine.containers.run(
        image,
        command,
        detach=True,
        init=True,
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        read_only=True,
        tmpfs={"/tmp": "exec"},
        mem_limit="1500m",
        working_dir="/tmp",
        volumes={str(path): {"bind": target, "mode": "ro"} for path, target in mounts.items()},
        environment=variables,
    )
    try:
        status = int(container.wait(timeout=_PATIENCE)["StatusCode"])
        return status, container.logs().decode("utf-8", "replace")
    finally:
        container.remove(force=True, v=True)


def _by_topic() -> list[Any]:
    """The modules of one topic share a container, and the LocalStack that its tests start."""
    modules = itertools.groupby(sorted(PLUGIN_TESTS.glob("test_*.py")), key=lambda path: path.stem.split("_")[1])
    return [pytest.param(list(found), id=topic) for topic, found in modules]


@pytest.mark.timeout(_PATIENCE + 60)
@pytest.mark.parametrize("modules", _by_topic())
def test_package_passes_its_own_tests(engine: Any, own_image: str, pytest_folder: Path, modules: list[Path]) -> None:
    """What the image adds to LocalStack does what its tests say, in the image that users run."""
    command = ["python", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short"]
    status, output = run_in(
        engine,
        own_image,
        [*command, *(f"/repository/{path.relative_to(REPOSITORY)}" for path in modules)],
        {REPOSITORY: "/repository", pytest_folder: "/pytest"},
        PYTHONPATH="/pytest",
    )
    assert status == 0, output[-6000:]


def test_image_is_small_and_keeps_nothing_of_this_machine(engine: Any, own_image: str) -> None:
    """Under 350 MB; neither pip nor its settings, nor this machine's certificates are in it."""
    image = engine.images.get(own_image)
    assert image.attrs["Size"] < 350_000_000
    assert image.attrs["Config"]["User"] == "1000:1000"
    listed, _ = run_in(engine, own_image, ["ls", "/host"], {})
    assert listed != 0
    status, output = run_in(engine, own_image, ["python", "-c", "import pip"], {})
    assert status != 0, output
    history = "\n".join(layer["CreatedBy"] for layer in image.history())
    assert "/host" not in history


def test_image_says_when_it_is_unhealthy(engine: Any, own_image: str) -> None:
    """A service that was to be loaded and can't be makes the container's check fail, and names it."""
    script = "import sys; sys.path.insert(0, '/usr/lib/localstack'); import check; print(check.problem({}, 'kms'))"
    status, output = run_in(engine, own_image, ["python3", "-c", script], {})
    assert status == 0, output
    assert output.startswith(_SERVICES)
    check = engine.images.get(own_image).attrs["Config"]["Healthcheck"]["Test"]
    assert check[-1] == "/usr/lib/localstack/check.py"


def test_second_build_does_nothing(own_image: str) -> None:
    """An image that is what this version would build is left as it is; the list says that it is current."""
    done = subprocess.run([MULTISTACK, "image", "build"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{own_image}\n"), done.stderr
    assert "nothing to build" in done.stderr
    listed = subprocess.run([MULTISTACK, "image", "list", "--json"], capture_output=True, text=True, check=True)
    [image] = [one for one in json.loads(listed.stdout) if one["name"] == own_image]
    assert image["is_current"]
