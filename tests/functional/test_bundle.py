"""A bundle takes multistack to a machine that has no network, no multistack and no pip."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ProjectFolder, copy_sample
from tests.functional.test_offline import ISOLATED

pytestmark = pytest.mark.embedded("no environment is started")

VERSION = "{}.{}".format(*sys.version_info)
# Inside: loopback is all there is, HOME is empty, and the only multistack is the one of the bundle.
_LEARNER = """
set -e
ip link set lo up
tar xf ../workshop.tar
mkdir multistack-bundle/.venv
! sh multistack-bundle/install.sh
echo "{}" > multistack-bundle/.venv/multistack-bundle.json
sh multistack-bundle/install.sh
sh multistack-bundle/install.sh
. multistack-bundle/.venv/bin/activate
cd multistack-bundle/sample_service
multistack up
url="$(multistack status --json prod | python -c 'import json, sys; print(json.load(sys.stdin)[0]["url"])')"
python -c "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status)" "$url"health
multistack down
python -m pip --version
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    """A folder with workshop.tar in it: wheels for this Python, and the sample service."""
    root = tmp_path_factory.mktemp("bundle")
    (root / "home").mkdir()
    folder = ProjectFolder(copy_sample(root / "sample_service"), root / "home")
    folder.run("bundle", "save", "--no-images", "--with", ".", str(root / "workshop.tar"), timeout=280)
    return folder


def learner_environ(folder: Path) -> Mapping[str, str]:
    """What a new machine has: a Python somewhere, and nothing set."""
    python = Path(sys.base_prefix) / "bin" / f"python{VERSION}"
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "LANG": "C.UTF-8", "PYTHON": str(python)}


def install(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the install.sh of an unpacked bundle."""
    return subprocess.run(
        ["sh", str(folder / "install.sh"), *options],
        env=learner_environ(folder),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(ISOLATED is None, reason="needs unshare and ip, and either CAP_SYS_ADMIN or user namespaces")
def test_learner_without_a_network_installs_and_runs(workshop: ProjectFolder) -> None:
    """
    Three commands: unpack, install, up.

    A .venv of somebody else is left alone, half a one of a killed installation is made anew, a whole one is kept.
    """
    home = workshop.folder.parent / "learner"
    home.mkdir()
    done = subprocess.run(
        [*(ISOLATED or ()), "sh", "-c", _LEARNER],
        cwd=home,
        env=learner_environ(home),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200\n" in done.stdout
    assert done.stderr.count("installing multistack 0.1.0") == 1
    assert f"multistack 0.1.0 is installed in {home}/multistack-bundle/.venv" in done.stderr
    assert done.stderr.count("is not of a bundle") == 1
    assert "\npip 2" in done.stdout


def test_bundle_tells_what_is_in_it(workshop: ProjectFolder) -> None:
    """For people and for machines; verified on request."""
    path = str(workshop.folder.parent / "workshop.tar")
    found = json.loads(workshop.run("bundle", "show", "--json", path).stdout)
    assert [target["python"] for target in found["targets"]] == [VERSION]
    assert (found["images"], found["packages"]) == ([], ["multistack-emulator", "pip"])
    assert "sample_service/src/api.py" in found["members"] or "sample_service/multistack.toml" in found["members"]
    shown = workshop.run("bundle", "show", "--verify", path)
    assert "whole: every file is as it was saved" in shown.stderr
    assert [line.split()[:3] for line in shown.stdout.splitlines() if " ministack " in line] == [
        ["wheel", "ministack", "1.5.33"]
    ]


def test_bundle_without_images_needs_no_engine(workshop: ProjectFolder) -> None:
    """Loading it is verifying it."""
    path = str(workshop.folder.parent / "workshop.tar")
    done = workshop.run("bundle", "load", path, env={"DOCKER_HOST": "unix:///nowhere"})
    assert done.stdout.startswith(f"verified {path}: multistack 0.1.0, no images, ")


def test_broken_copies_are_refused_in_one_line(workshop: ProjectFolder, tmp_path: Path) -> None:
    """A stick that was pulled out too early; nothing is loaded or installed from what is not as it was saved."""
    whole = (workshop.folder.parent / "workshop.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:20_000_000])
    done = workshop.run("bundle", "load", str(tmp_path / "cut.tar"), check=False)
    assert done.returncode == 5
    assert done.stderr.splitlines()[0] == f"error: bundle {tmp_path}/cut.tar is not whole: it was cut or changed"
    assert len(done.stderr.splitlines()) == 2
    with tarfile.open(workshop.folder.parent / "workshop.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    (wheel,) = (tmp_path / "multistack-bundle" / "wheels").glob("botocore-*.whl")
    wheel.write_bytes(wheel.read_bytes()[:-1])
    done = install(tmp_path / "multistack-bundle")
    assert done.returncode == 5
    assert done.stderr.startswith(f"error: {wheel} is not as it was saved\n")
    assert not (tmp_path / "multistack-bundle" / ".venv").exists()
