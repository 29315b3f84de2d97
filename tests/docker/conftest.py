"""
Containers of a real engine: every test works in a project folder of its own and leaves nothing in the engine.

They run where they are asked for, with ``--multistack-driver localstack`` (``make test-docker``).
"""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.config import process_environ
from emulator.drivers.engine import connect
from emulator.errors import NotReady
from emulator.model import OWN_IMAGE
from tests.conftest import MULTISTACK, ProjectFolder, copy_sample
from tests.docker.engines import Images, OwnEngine, make_images, own_engine
from tests.drivers import left_of
from tests.functional.tiny import write_service


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark them; without the option they say what runs them."""
    here = Path(__file__).parent
    asked = config.getoption("--multistack-driver", default=None) == "localstack"
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.docker)
            if not asked:
                item.add_marker(pytest.mark.skip(reason="containers: `make test-docker` runs them"))


@pytest.fixture(scope="session")
def engine() -> Any:
    """A client of the shared engine."""
    try:
        return connect(process_environ(), allow_remote=False)
    except NotReady as error:
        pytest.skip(error.message)


@pytest.fixture(scope="session")
def images(engine: Any) -> Images:
    """Small images, made once."""
    return make_images(engine)


@pytest.fixture(scope="session")
def own_image(engine: Any) -> str:
    """The image that ``multistack image build`` makes; without it the option was refused."""
    return OWN_IMAGE


@pytest.fixture(scope="session")
def proxy_image(own_image: str) -> None:
    """The proxy's image as the source has it; built once for all workers, as none may replace it in use."""
    with (Path(tempfile.gettempdir()) / "multistack-test-proxy-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([str(MULTISTACK), "image", "build", "--proxy"], check=True, timeout=600, capture_output=True)


MakeProject = Callable[..., ProjectFolder]


@pytest.fixture
def make_project(engine: Any, tmp_path: Path) -> Iterator[MakeProject]:
    """
    Make a project whose environments are containers of *image*; more of the same test are told apart by *name*.

    In the end each is taken down, and must have left neither process nor container, network or volume.
    """
    made: list[tuple[ProjectFolder, bool]] = []

    def make(image: str, *, name: str = "project", sample: bool = False, **environ: str) -> ProjectFolder:
        root = tmp_path / name
        (root / "home").mkdir(parents=True)
        settings = {"MULTISTACK_LOCALSTACK_IMAGE": image}
        folder = ProjectFolder(root / "service", root / "home", {**settings, **environ})
        if sample:
            copy_sample(folder.folder)
        else:
            folder.folder.mkdir()
            write_service(folder)
        made.append((folder, sample))
        return folder

    yield make
    for folder, sample in made:
        copy_sample(folder.folder) if sample else write_service(folder)
        done = folder.run("down", check=False)
        assert done.returncode == 0, done.stderr
        assert folder.processes() == []
        assert left_of(engine, folder.folder) == []


@pytest.fixture
def tiny(make_project: MakeProject, images: Images) -> ProjectFolder:
    """A service of one function in containers of the stand-in."""
    return make_project(images.standin)


@pytest.fixture(scope="module")
def second_engine(images: Images) -> Iterator[OwnEngine]:
    """An engine that may be stopped and killed, with the stand-in."""
    with own_engine() as engine:
        engine.load(images.standin)
        yield engine
