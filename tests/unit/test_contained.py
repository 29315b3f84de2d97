"""What an emulator in a container of its own is told."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emulator.drivers.launcher.contained import read
from emulator.endpoint_key import control_token, headers_of
from emulator.images.recipe import read_embedded_recipe
from tests.conftest import REPOSITORY
from tests.test_architecture import MODULES, imports_of, parse, path_of


def test_variables_say_what_to_start(tmp_path: Path) -> None:
    """All of them are optional; without a key none is asked for."""
    told = read({})
    assert (told.environment.account_id, told.environment.region, told.key) == ("000000000000", "us-east-1", "")
    told = read(
        {
            "MULTISTACK_ACCOUNT_ID": "100000000001",
            "MULTISTACK_REGION": "eu-west-1",
            "MULTISTACK_KEY": "k3y",
            "MULTISTACK_ENFORCE_IAM": "true",
            "MULTISTACK_LAMBDA_CONCURRENCY": "5",
            "MULTISTACK_STATE": str(tmp_path),
        }
    )
    assert told.environment.settings == {"IAM enforcement": "on", "Lambda concurrency": "5"}
    assert (told.environment.account_id, told.environment.region) == ("100000000001", "eu-west-1")
    assert (told.key, told.folder) == ("k3y", tmp_path)


def test_a_key_may_lie_in_a_file(tmp_path: Path) -> None:
    """As Swarm, Compose and Kubernetes bring secrets; one that is missing must not open the door."""
    (tmp_path / "key").write_text("k3y\n")
    assert read({"MULTISTACK_KEY_FILE": str(tmp_path / "key")}).key == "k3y"
    with pytest.raises(OSError, match="missing"):
        read({"MULTISTACK_KEY_FILE": str(tmp_path / "missing")})


@pytest.mark.parametrize("empty", ["", " \n"])
def test_an_empty_key_is_refused(tmp_path: Path, empty: str) -> None:
    """A secret that was made of nothing must not open the door either."""
    (tmp_path / "key").write_text(empty)
    with pytest.raises(ValueError, match=r"^MULTISTACK_KEY_FILE: .*key is empty"):
        read({"MULTISTACK_KEY_FILE": str(tmp_path / "key")})
    for name in ("MULTISTACK_KEY", "MULTISTACK_KEY_FILE"):
        with pytest.raises(ValueError, match=f"^{name} is empty"):
            read({name: empty})


def test_a_second_emulator_takes_nothing_from_the_first(tmp_path: Path) -> None:
    """Temporary files are removed by whoever has the state, and nobody else."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp/of-the-first").touch()
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = subprocess.run(
            [sys.executable, "-m", "emulator.drivers.launcher.contained"],
            env={"MULTISTACK_STATE": str(tmp_path)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (3, f"error: another emulator has its state in {tmp_path}\n")
    assert (tmp_path / "tmp/of-the-first").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MULTISTACK_ACCOUNT_ID", "12"),
        ("MULTISTACK_ENFORCE_IAM", "perhaps"),
        ("MULTISTACK_LAMBDA_CONCURRENCY", "0"),
        ("MULTISTACK_LAMBDA_CONCURRENCY", "many"),
    ],
)
def test_a_wrong_value_names_its_variable(name: str, value: str) -> None:
    """A container that ends at once says why in its log."""
    with pytest.raises(ValueError, match=f"^{name}: .*{value}"):
        read({name: value})


def test_the_image_has_every_module_that_the_emulator_imports() -> None:
    """It gets a part of multistack only; a module that is missing would show when a function needs it."""
    has = {name for name in read_embedded_recipe().files if name.startswith("emulator/")}
    wanted, reached = ["drivers.launcher.__main__", "drivers.launcher.contained"], set[str]()
    while wanted:
        module = wanted.pop()
        if module not in reached:
            reached.add(module)
            wanted += [found.module for found in imports_of(parse(module), module) if not found.is_typing]
            wanted += [module.rpartition(".")[0]] if "." in module else []
    reached |= {module for module in MODULES if module.startswith("drivers.launcher.")}
    files = {str(path_of(module).relative_to(REPOSITORY)) for module in reached}
    assert files - has == set()


def test_the_image_has_the_versions_that_were_tested() -> None:
    """Two lists of versions would drift apart."""
    tested = {line.lower() for line in (REPOSITORY / "constraints.txt").read_text().splitlines()}
    pinned = (REPOSITORY / "compose/embedded/constraints.txt").read_text().lower().splitlines()
    assert [line for line in pinned if not line.startswith("#") and line not in tested] == []


def test_the_token_says_nothing_of_the_key() -> None:
    """Who has it may ask the control routes; the key itself goes with each request."""
    assert re.fullmatch("[0-9a-f]{64}", control_token("k3y"))
    assert control_token("k3y") != control_token("other")
    assert (headers_of(""), headers_of("k3y")) == ({}, {"X-Multistack-Key": "k3y"})
