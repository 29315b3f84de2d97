"""The lab's own project: a copy of the packaged sample service, in a folder that goes as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import tomlkit

from emulator.config import load_project
from emulator.errors import ConfigError, file_hint
from emulator.lab.topologies import ENVIRONMENTS
from emulator.model import STATE_FOLDER, DriverName, Environment, Project
from emulator.state import IGNORE_FILE, LAB_FOLDER, is_lab, make_state_folder

PROJECT_FILE = "multistack.toml"
TEMPLATE = "template.yaml"
SINGLE_TEMPLATE = "single-stack.yaml"
# Accounts that several environments share: their emulators are no environments of the lab's project.
SHARED = "shared"
_PACKAGED = Path(__file__).with_name("sample")
_SOURCE = Path(__file__).parents[2] / "sample_service"
# All of an account's functions together; so small that a laptop can use it up.
CONCURRENCY = 10
# Of the caller's settings only these have a say: a lab is the same wherever it is made.
_DRIVER, _ALLOW_REMOTE = "MULTISTACK_DRIVER", "MULTISTACK_ALLOW_REMOTE"
# What has emulators of its own.
_DRIVERS = (DriverName.EMBEDDED.value, DriverName.LOCALSTACK.value)


def sample_folder() -> Path:
    """Where the sample service is: in the wheel, or in the source that an editable installation runs from."""
    return _PACKAGED if _PACKAGED.is_dir() else _SOURCE


def lab_folder(beside: Path) -> Path:
    """The lab of the project in the folder *beside*, or of that folder itself; in a lab, the same one."""
    found = beside.resolve()
    return found if is_lab(found) else found / STATE_FOLDER / LAB_FOLDER


def is_made(folder: Path) -> bool:
    """Whether there is a lab in *folder*."""
    return (folder / PROJECT_FILE).exists()


def make_lab(folder: Path, *, environ: Mapping[str, str], overrides: Mapping[str, object]) -> None:
    """
    Fill *folder* with the lab's project, unless it is there. It keeps the driver that it is made with.

    Args:
        environ: The caller's variables.
        overrides: Values of flags by dotted key.

    Raises:
        ConfigError: It can't be written, or no such driver has emulators of its own.
    """
    if is_made(folder):
        return
    driver = str(overrides.get("driver") or environ.get(_DRIVER) or DriverName.EMBEDDED.value)
    if driver not in _DRIVERS:
        raise ConfigError(f"a lab can't run on driver {driver}", hint=f"its drivers: {', '.join(_DRIVERS)}")
    try:
        make_state_folder(folder.parent)
        ignored = shutil.ignore_patterns(STATE_FOLDER, "__pycache__", PROJECT_FILE)
        shutil.copytree(sample_folder(), folder, ignore=ignored, dirs_exist_ok=True)
        (folder / PROJECT_FILE).write_text(_project_file(driver), encoding="utf-8")  # last: it says that all is there
    except OSError as error:
        raise ConfigError(f"can't make the lab in {folder}: {error.strerror}", hint=file_hint(error)) from error


def mend_project_file(folder: Path) -> None:
    """Put back the project file of a lab that is only to be removed."""
    (folder / PROJECT_FILE).write_text(_project_file(DriverName.EMBEDDED.value), encoding="utf-8")


def remove_lab(folder: Path) -> None:
    """Remove all files of a lab whose accounts are erased, and the state folder if there is nothing else in it."""
    shutil.rmtree(folder)
    if [path.name for path in folder.parent.iterdir()] == [IGNORE_FILE]:
        shutil.rmtree(folder.parent)


def open_project(folder: Path, *, environ: Mapping[str, str], overrides: Mapping[str, object]) -> Project:
    """
    The lab's project, which is there.

    Raises:
        ConfigError: Somebody changed its file into one that is wrong.
    """
    own = {name: value for name, value in environ.items() if name == _ALLOW_REMOTE}
    given = {key: value for key, value in overrides.items() if key == "allow_remote"}
    return load_project(file=folder / PROJECT_FILE, environ=own, cwd=folder, overrides=given)


def shared_accounts(project: Project) -> Project:
    """
    The accounts that environments share, as a project that only drivers know, below the lab's.

    Args:
        project: The lab's, with its driver settled.
    """
    model = project.environments[0]
    root = project.root / SHARED
    accounts = tuple(
        replace(model, name=name, account_id=digit * 12, config={}, origins={}, protected=False)
        for name, digit in (("single", "4"), ("same-account", "5"))
    )
    return Project(
        file=root / PROJECT_FILE,
        service=project.service,
        template=project.template,
        environments=accounts,
        allow_remote=project.allow_remote,
    )


def environment_of(project: Project, name: str) -> Environment:
    """An environment of a project by its name."""
    return next(one for one in project.environments if one.name == name)


def _project_file(driver: str) -> str:
    """The sample's, with what the experiments need of every account."""
    document = tomlkit.parse((sample_folder() / PROJECT_FILE).read_text(encoding="utf-8"))
    document["driver"] = driver
    environments = document.item("environments")
    for name in ENVIRONMENTS:
        settings = {"lambda_concurrency": CONCURRENCY}
        if driver == DriverName.EMBEDDED.value:
            settings["enforce_iam"] = True  # which no other driver can
        environments[name].update(settings)  # type: ignore[index]
    return tomlkit.dumps(document)
