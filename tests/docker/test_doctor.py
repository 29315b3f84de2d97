"""``doctor`` on a real engine: what runs is not taken for what is in the way."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import ProjectFolder
from tests.docker.conftest import MakeProject
from tests.docker.engines import Images


def findings(project: ProjectFolder, **environ: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by name."""
    done = project.run("doctor", "--json", check=False, env=environ)
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


def test_running_containers_hold_their_ports(tiny: ProjectFolder, make_project: MakeProject, images: Images) -> None:
    """A port of ours is in use by us; another project is told which container has it."""
    tiny.run("up")
    port = tiny.status()["test"]["endpoint"].rpartition(":")[2]
    code, found = findings(tiny, MULTISTACK_ENVIRONMENT_TEST_PORT=port)
    assert code == 0, found
    assert found["port of test"]["found"] == f"{port}, in use by the container of environment test"
    assert found["container memory"]["found"].endswith("every environment runs")
    assert found["docker"]["verdict"] == found[f"image {images.standin}"]["verdict"] == "ok"
    other = make_project(images.standin, name="other")
    code, found = findings(other, MULTISTACK_ENVIRONMENT_TEST_PORT=port)
    assert code == 1
    assert "is taken by the container multistack-test-" in found["port of test"]["found"]


def test_missing_image_is_a_problem_with_the_way_to_it(make_project: MakeProject) -> None:
    """And none for ``auto``, which goes without."""
    project = make_project("multistack-test/none:1")
    code, found = findings(project)
    assert code == 1
    assert found["image multistack-test/none:1"]["found"] == "not in the engine"
    assert "bundle load" in found["image multistack-test/none:1"]["advice"]
    code, found = findings(project, MULTISTACK_DRIVER="auto")
    assert code == 0
    assert found["image multistack-test/none:1"]["verdict"] == "info"
    assert found["driver auto"]["found"].startswith("embedded for test: the Docker engine answers, but has no image")
