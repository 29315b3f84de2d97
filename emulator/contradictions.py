"""What a project's settings, each right by itself, can't be together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from emulator.addresses import refuse_amazon
from emulator.differences.declared import expectation_problems
from emulator.differences.json_paths import path_problem
from emulator.model import OWN_IMAGE, DriverName, Environment, Functions, Project
from emulator.setting import Key, show_key, show_value


def contradictions(project: Project) -> Iterator[tuple[Key, str]]:
    """Each with the key that it is about."""
    yield from _clashes(project)
    yield from _proxy_problems(project)
    yield from _promotion_problems(project)
    yield from _driver_problems(project)
    yield from _comparison_problems(project)
    yield from _replay_problems(project)


def _clashes(project: Project) -> Iterator[tuple[Key, str]]:
    """Find what two of the project's emulators cannot share."""
    ports = {project.proxy.port: "the proxy"} if project.proxy.port else {}
    accounts: dict[str, str] = {}
    for environment in project.environments:
        name, table = environment.name, ("environments", environment.name)
        if environment.port is not None:
            other = ports.setdefault(environment.port, name)
            if other != name:
                yield (*table, "port"), f"{show_key((*table, 'port'))} is {environment.port}, the port of {other}"
        if environment.driver is not DriverName.EXTERNAL:  # one emulator may hold several accounts, or the same twice
            other = accounts.setdefault(environment.account_id, name)
            if other != name:
                key = (*table, "account_id")
                yield key, f"{show_key(key)} is {environment.account_id}, the account of {other}"


def _proxy_problems(project: Project) -> Iterator[tuple[Key, str]]:
    """Find names by which nobody would ever be let in."""
    proxy = project.proxy
    if proxy.domains and not proxy.trusted and ipaddress.ip_address(proxy.host).is_loopback:
        text = f"proxy.domains: on {proxy.host} only a reverse proxy of this machine asks by such a name"
        yield ("proxy", "domains"), f'{text}; say that it may: proxy.trusted = ["127.0.0.1"]'


def _promotion_problems(project: Project) -> Iterator[tuple[Key, str]]:
    """Find what can't be promoted into."""
    names = [environment.name for environment in project.promotion_order]
    for name in project.auto_promote_to:
        if name not in names[1:]:
            why = "is the first one, which nothing is promoted into" if name in names else "is not there"
            yield ("auto_promote_to",), f"auto_promote_to: environment {show_value(name)} {why}"


def _driver_problems(project: Project) -> Iterator[tuple[Key, str]]:
    """Find what an environment asks of a driver that can't do it."""
    for environment in project.environments:
        table = ("environments", environment.name)
        if environment.driver is DriverName.EXTERNAL:
            key = (*table, "endpoint")
            if environment.url is None:
                yield table, f"required key {show_key(key)} is missing: the driver external needs it"
            elif problem := refuse_amazon(environment.url):
                yield key, f"{show_key(key)}: {problem}"
            if environment.port is not None:
                yield (*table, "port"), f"{show_key((*table, 'port'))}: an external emulator has its own port"
        if environment.driver in (DriverName.LOCALSTACK, DriverName.AUTO):
            yield from _container_problems(environment)
        if environment.enforce_iam and environment.driver in (DriverName.LOCALSTACK, DriverName.EXTERNAL):
            key = (*table, "enforce_iam")
            yield key, f"{show_key(key)}: only the embedded driver enforces IAM, and this is {environment.driver.value}"


def _container_problems(environment: Environment) -> Iterator[tuple[Key, str]]:
    key, container = ("environments", environment.name, "port"), environment.container
    if container.internal and environment.port is not None:
        yield key, f"{show_key(key)}: with localstack.internal no port is published; remove one of them"
    if container.functions is Functions.DOCKER and container.image == OWN_IMAGE:
        text = f'localstack.lambda is "docker", for which image {OWN_IMAGE} has no use: environment {environment.name}'
        yield ("localstack", "lambda"), f'{text} needs localstack.image = "localstack/localstack:4.14.0"'


def _replay_problems(project: Project) -> Iterator[tuple[Key, str]]:
    for number, rule in enumerate(project.carry, start=1):
        if problem := path_problem(rule.json_path):
            path = show_value(rule.json_path)
            yield (
                ("replay", "carry", str(number - 1)),
                f"replay.carry, number {number}: {path} is no JSON path: {problem}",
            )


def _comparison_problems(project: Project) -> Iterator[tuple[Key, str]]:
    """Find what can't be said about differences between answers."""
    rules, names = project.rules.comparison, [environment.name for environment in project.environments]
    for path in rules.ignore_order:
        if problem := path_problem(path):
            yield ("compare", "ignore_order"), f"compare.ignore_order: {show_value(path)} is no JSON path: {problem}"
    for number, rule in enumerate(rules.expected, 1):
        for problem in expectation_problems(rule, names):
            yield ("compare", "expected", str(number - 1)), f"compare.expected, number {number}: {problem}"
