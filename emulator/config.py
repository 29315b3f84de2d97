"""
Flags, environ and project file become a ``Project``; the process's variables are read nowhere else.

A setting's value comes from a flag, else from its ``MULTISTACK_*`` variable, else from the project file,
else from its default. Everything is resolved once, and every problem is found before anything starts.
"""

from __future__ import annotations

import os
import pwd
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emulator.config_values import Values, declarations, given_by_files, over_given, values_of
from emulator.contradictions import contradictions
from emulator.created import read_created
from emulator.created_settings import apply_with_created
from emulator.environment_names import name_problem
from emulator.environment_settings import make_environment
from emulator.errors import ConfigError
from emulator.frameworks.registry import find_service, framework_of, reader_of
from emulator.frameworks.services import logical_id_of
from emulator.model import (
    STATE_FOLDER,
    CarryRule,
    ConfigKey,
    Creation,
    Endpoint,
    HttpCheck,
    Project,
    ProxySettings,
    StoreSettings,
    Verification,
)
from emulator.overrides import environment_names, folded, read_flags, read_variables
from emulator.project_file import ProjectFile, copied_from, find_project_file, read_project_file
from emulator.project_rules import rules_of
from emulator.project_stamp import stamp_of
from emulator.schema import MADE_PASSWORD, NO_PASSWORD, ProjectTable, check
from emulator.setting import Key, Setting, show_value
from emulator.settings import SETTINGS, TEMPLATE_NAMES
from emulator.shell import NO_REAL_ACCOUNT
from emulator.store.address import has_password

__all__ = [
    "SETTINGS",
    "Setting",
    "aws_environ",
    "isolate_process",
    "load_project",
    "process_environ",
    "scrubbed_environ",
    "user_name",
]

_STORE = "MULTISTACK_STORE"
# With SERVERLESS_ACCESS_KEY its tool asks the dashboard for credentials of AWS.
# HTTP proxies stay: pip needs them for a requirements.txt, and clients of emulators are told to use none.
_FOREIGN_VARIABLE = re.compile(
    r"AWS_.*|AMAZON.*|LOCALSTACK_.*|BOTO_CONFIG|USE_SSL|EDGE_PORT|SERVERLESS_ACCESS_KEY", re.DOTALL
)


@dataclass(frozen=True, slots=True, order=True)
class _Problem:
    """Line 0 is outside the project file."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Origin:
    """Where each value came from."""

    file: ProjectFile
    outside: Mapping[Key, str]

    def problem(self, key: Key, text: str) -> _Problem:
        if key in self.outside:
            return _Problem(0, f"{self.outside[key]}: {text}")
        return _Problem(self.file.line_of(key), f"{self.shown(key)}: {text}")

    def shown(self, key: Key) -> str:
        return f"{self.file.shown}:{self.file.line_of(key)}"


def load_project(
    *,
    file: Path | None,
    environ: Mapping[str, str],
    cwd: Path,
    overrides: Mapping[str, object] = {},
    needs_template: bool = True,
    expected: Sequence[str] = (),
    home: Path | None = None,
) -> Project:
    """
    Resolve the project.

    Args:
        file: The ``--file`` flag; relative to *cwd*.
        environ: The process's variables. An empty one counts as not set, unless it is a config value.
        cwd: Where the search for a project file starts.
        overrides: Values of flags by dotted key, e.g. ``{"proxy.port": 8081}``; None means not given.
        needs_template: Whether a missing template is an error; whoever only stops or looks can do without.
        expected: Environments that will be created: variables and flags may be theirs already.
        home: The folder that the environments belong to; default: the project's own.

    Raises:
        ConfigError: With the first problem as its message and any further ones as its details.
        MultistackError: The list of created environments can't be read.
    """
    source = _open(file or environ.get("MULTISTACK_FILE"), cwd.absolute())
    data = source.data
    declared = environment_names(data)
    # One that the file declares by now is a declared one; one without its model is none of the project.
    listed = read_created((home or source.path.parent) / STATE_FOLDER).environments
    created = {name: one for name, one in listed.items() if name not in declared and one.like in declared}
    names = list(dict.fromkeys((*declared, *listed, *expected)))
    files, unknown_names = given_by_files(source.path.parent, names, data)
    variables, unknown_variables = read_variables(environ, names, data)
    flags, unknown_flags = read_flags(overrides, names)
    outside, is_copied = apply_with_created(data, [*files, *variables, *flags], created)
    origin = _Origin(file=source, outside=outside)
    table, wrong = check(data)
    problems = [_Problem(0, text) for text in (*unknown_names, *unknown_variables, *unknown_flags)]
    problems += [origin.problem(key, text) for key, text in (*wrong, *_name_problems(data)) if not is_copied(key)]
    if table is None or problems:
        raise _error(problems)
    keys, wrong = declarations(table)
    values = {name: values_of(data, name, keys, origin.outside) for name in table.environments if keys}
    found_values = {name: found for name, (found, _) in values.items()}
    project = _build(table, origin, cwd, keys, found_values, created=created, home=home)
    further = [
        *wrong,
        *(problem for _, found in values.values() for problem in found),
        *_service_problems(table),
        *contradictions(project),
        *_password_problems(project, origin),
        *(_template_problems(project, cwd) if needs_template else ()),
    ]
    problems = [origin.problem(key, text) for key, text in further if not is_copied(key)]
    if problems:
        raise _error(problems)
    return project


def process_environ() -> dict[str, str]:
    """Return a copy of this process's variables."""
    return dict(os.environ)


def scrubbed_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without what could lead to real AWS or to another emulator."""
    return {name: value for name, value in environ.items() if not _FOREIGN_VARIABLE.fullmatch(name)}


def isolate_process() -> dict[str, str]:
    """
    Keep boto3 in this process from ever finding real credentials.

    Returns:
        The variables as they were before.
    """
    before = process_environ()
    for name in before.keys() - scrubbed_environ(before).keys():
        del os.environ[name]
    os.environ.update(NO_REAL_ACCOUNT)
    return before


def aws_environ(endpoint: Endpoint) -> dict[str, str]:
    """Return the variables with which any AWS tool talks to *endpoint* and to nothing else."""
    authorities = os.environ.get("SSL_CERT_FILE") if endpoint.url.startswith("https:") else None
    return {
        **({"AWS_CA_BUNDLE": authorities} if authorities else {}),
        **NO_REAL_ACCOUNT,
        "AWS_ENDPOINT_URL": endpoint.url,
        # Some operations go to a name before the host, which at an address of this machine leads nowhere.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_ACCESS_KEY_ID": endpoint.access_key_id,
        "AWS_SECRET_ACCESS_KEY": "multistack",
        "AWS_ACCOUNT_ID": endpoint.account_id,
        "AWS_REGION": endpoint.region,
        "AWS_DEFAULT_REGION": endpoint.region,
        "AWS_PAGER": "",
    }


def _open(file: Path | str | None, cwd: Path) -> ProjectFile:
    path = cwd / file if file else find_project_file(cwd)
    return read_project_file(path.parent.resolve() / path.name, shown=_shown(path, cwd))


def _shown(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _name_problems(data: dict[str, object]) -> Iterator[tuple[Key, str]]:
    names = environment_names(data)
    if not names and isinstance(data.get("environments", {}), dict):
        yield ("environments",), "no environments; add at least one table such as [environments.test]"
    seen: dict[str, str] = {}
    for name in names:
        key, shown = ("environments", name), f"environment name {show_value(name)}"
        if problem := name_problem(name):
            yield key, problem
        other = seen.setdefault(folded(name), name)
        if other != name:
            yield (
                key,
                f"{shown} has the same variables as {show_value(other)}: MULTISTACK_ENVIRONMENT_{folded(name)}_…",
            )


def _build(
    table: ProjectTable,
    origin: _Origin,
    cwd: Path,
    keys: Mapping[str, ConfigKey],
    declared: Mapping[str, Values],
    *,
    created: Mapping[str, Creation],
    home: Path | None,
) -> Project:
    template = _template(table, origin, cwd)
    reader = reader_of(template)
    values = {
        name: over_given(
            declared.get(name) or Values(config=dict(own.config)),
            reader.values(template, created[name].like if name in created else name),
            keys,
        )
        for name, own in table.environments.items()
    }
    environments = tuple(
        make_environment(name, table, own, _origins(name, own, origin), created=created.get(name))
        for name, own in values.items()
    )
    return Project(
        file=origin.file.path,
        copied_from=home or copied_from(origin.file.path),
        service=table.service,
        template=template,
        framework=framework_of(template),
        environments=environments,
        api=table.api,
        proxy=ProxySettings(
            host=table.proxy.host,
            port=None if table.proxy.port == "auto" else table.proxy.port,
            timeout=table.proxy.timeout,
            max_body=table.proxy.max_body,
            asks_password=table.proxy.password != NO_PASSWORD,
            password=table.proxy.password if table.proxy.password not in (MADE_PASSWORD, NO_PASSWORD) else None,
            domains=tuple(table.proxy.domains),
            trusted=tuple(table.proxy.trusted),
        ),
        allow_remote=table.allow_remote,
        verification=Verification(
            command=table.verify.command,
            timeout=table.verify.timeout,
            replay=table.verify.replay,
            replay_writes=table.verify.replay_writes,
            checks=tuple(HttpCheck(**check.model_dump()) for check in table.verify.checks),
        ),
        carry=tuple(CarryRule(**one.model_dump()) for one in table.replay.carry),
        auto_promote_to=tuple(table.auto_promote_to),
        rules=rules_of(table),
        clock_offset=table.clock_offset,
        config_keys=keys,
        stamp=stamp_of(origin.file.path, list(table.environments)),
        user=user_name(),
        seeds_after_deploy=table.seed.after_deploy,
        store=StoreSettings(url=table.store, timeout=table.store_timeout) if table.store else None,
        managers=tuple(table.swarm.managers),
    )


def _template(table: ProjectTable, origin: _Origin, cwd: Path) -> Path:
    root = origin.file.path.parent
    if table.services:
        return origin.file.path
    if table.template is None:
        return find_service(root) or root / TEMPLATE_NAMES[0]
    return (cwd.absolute() if ("template",) in origin.outside else root) / table.template


def user_name() -> str:
    """As the system knows them, whatever their variables say: it goes on record."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # in a container
        return f"uid {uid}"


def _origins(environment: str, values: Values, origin: _Origin) -> Mapping[str, str]:
    """Where each value of an environment's config comes from."""
    places = {name: ("environments", environment, "config", name) for name in (*values.config, *values.secrets)}
    return {
        name: values.origins.get(name) or origin.outside.get(place) or origin.shown(place)
        for name, place in places.items()
    }


def _service_problems(table: ProjectTable) -> Iterator[tuple[Key, str]]:
    if table.services and table.template is not None:
        yield ("template",), "template and services exclude each other: each of the services has a template"
    for name, count in Counter(logical_id_of(one.name) for one in table.services).items():
        if count > 1:
            yield ("services",), f"services: {count} of them would be called {name}"


def _password_problems(project: Project, origin: _Origin) -> Iterator[tuple[Key, str]]:
    key, variable = ("proxy", "password"), "MULTISTACK_PROXY_PASSWORD"
    if project.proxy.password is not None and origin.outside.get(key) != variable:
        why = "files get committed, and command lines are seen by others"
        yield key, f"proxy.password can be a password as the variable {variable} only: {why}"
    if project.store is not None and has_password(project.store.url) and origin.outside.get(("store",)) != _STORE:
        yield (
            ("store",),
            f"store can hold a password as the variable {_STORE} only: files get committed, and command lines are seen"
            " by others; PGPASSWORD and ~/.pgpass are read as well",
        )


def _template_problems(project: Project, cwd: Path) -> Iterator[tuple[Key, str]]:
    if not _is_file(project.template):
        shown = _shown(project.template, cwd.absolute())
        yield ("template",), f"template {show_value(shown)} does not exist or is not a file"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _error(problems: Sequence[_Problem]) -> ConfigError:
    first, *further = (problem.text for problem in sorted(set(problems)))
    return ConfigError(first, details=further)
