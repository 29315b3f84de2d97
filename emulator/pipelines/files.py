"""Writes the pipeline of a project for a CI system, and knows where each system looks for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator import git
from emulator.errors import ConfigError
from emulator.model import Project
from emulator.pipelines import bitbucket, github, gitlab
from emulator.pipelines.plan import Plan, System, Trigger
from emulator.process import write_atomically

FILES: Mapping[System, str] = {
    System.BITBUCKET: bitbucket.FILE,
    System.GITHUB: github.FILE,
    System.GITLAB: gitlab.FILE,
}
_TEMPLATES = {
    System.BITBUCKET: "bitbucket-pipelines.yml",
    System.GITHUB: "github.yml",
    System.GITLAB: "gitlab-ci.yml",
}
_MAIN_BRANCHES = ("main", "master", "trunk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """An environment that is promoted to from *before*."""

    name: str
    before: str
    is_manual: bool
    is_protected: bool


def write_pipeline(project: Project, system: System, root: Path, *, is_forced: bool = False) -> Path:
    """
    Write the project's pipeline where *system* looks for it.

    Args:
        root: Of the repository.

    Raises:
        ConfigError: A file is there already, or the project is not in the repository.
    """
    target = root / FILES[system]
    if os.path.lexists(target) and not is_forced:
        raise ConfigError(f"{target} already exists", hint="edit it, or replace it with --force")
    if not project.root.is_relative_to(root):
        raise ConfigError(f"{project.file} is not in the repository {root}", hint="run it where the project is")
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, render(project, system, root, main=main_branch(root)).encode())
    return target


def render(project: Project, system: System, root: Path, *, main: str) -> str:
    """The text of the pipeline file; *main* is the branch that goes to production."""
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        variable_start_string="[[",
        variable_end_string="]]",
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (YAML, and no web page)
    )
    folder = project.root.relative_to(root).as_posix()
    first, *others = project.promotion_order
    names = [environment.name for environment in project.promotion_order]
    later = [
        Later(
            name=environment.name,
            before=names[index],
            is_manual=environment.protected or environment is others[-1],
            is_protected=environment.protected,
        )
        for index, environment in enumerate(others)
    ]
    tested_by = " pytest" if "pytest" in (project.verification.command or "") else ""
    return templates.get_template(_TEMPLATES[system]).render(
        folder="" if folder == "." else f"{folder}/",
        main=main,
        first=first.name,
        later=later,
        packages=f"multistack-emulator{tested_by}",
        is_verified=not project.verification.is_empty,
    )


def main_branch(root: Path) -> str:
    """The branch that goes to production: what the remote calls its own, else the first usual name there is."""
    remote = git.line(root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    if remote is not None:
        return remote.partition("/")[2]
    known = [
        name for name in _MAIN_BRANCHES if git.line(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}")
    ]
    return known[0] if known else _MAIN_BRANCHES[0]


def find_pipeline(root: Path) -> Path:
    """
    The one pipeline file of a repository.

    Raises:
        ConfigError: There is none, or several.
    """
    found = [root / name for name in FILES.values() if (root / name).is_file()]
    if not found:
        names = ", ".join(FILES.values())
        raise ConfigError(f"no pipeline file in {root}: looked for {names}", hint="multistack pipeline init bitbucket")
    if len(found) > 1:
        names = " and ".join(str(path.relative_to(root)) for path in found)
        raise ConfigError(f"{root} has several pipeline files: {names}", hint="name one with --file")
    return found[0]


def system_of(path: Path) -> System:
    """
    Whose file that is, by its name.

    Raises:
        ConfigError: No system has files of that name.
    """
    if path.name.startswith("bitbucket-pipelines"):
        return System.BITBUCKET
    if path.name.startswith((".gitlab-ci", "gitlab-ci")) or path.name.endswith(".gitlab-ci.yml"):
        return System.GITLAB
    if path.parent.name == "workflows" and path.suffix in {".yml", ".yaml"}:
        return System.GITHUB
    hint = f"files of these names are understood: {', '.join(FILES.values())}"
    raise ConfigError(f"{path}: its name does not say which CI system it is for", hint=hint)


def read_pipeline(path: Path, trigger: Trigger, *, shown: str) -> Plan:
    """
    What the file runs for *trigger*.

    Raises:
        ConfigError: It can't be read, or is wrong.
    """
    readers = {
        System.BITBUCKET: bitbucket.read_bitbucket,
        System.GITHUB: github.read_github,
        System.GITLAB: gitlab.read_gitlab,
    }
    system = system_of(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{shown} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown} is not UTF-8 text (byte {error.start})") from error
    try:
        return readers[system](text, shown, trigger)
    except RecursionError as error:
        raise ConfigError(f"{shown}: something in it contains itself") from error
