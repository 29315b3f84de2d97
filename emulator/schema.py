"""The schema that holds a project file, with what is put over it, to the settings."""

from __future__ import annotations

import difflib
import ipaddress
import math
import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from emulator.addresses import normal_url
from emulator.file_settings import FILE_ONLY
from emulator.model import OWN_IMAGE, ConfigType, DriverName, Functions, Publish
from emulator.setting import Key, matches, show_key, show_value, value_at
from emulator.settings import CORPUS_PATTERN, PARAMETER_PATTERN, SERVICE_PATTERN, SETTINGS
from emulator.spans import read_memory, read_span
from emulator.store.address import checked_url

_REGION_PATTERN = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"
# Source: the grammar of the reference in the Docker distribution project: name, tag, digest.
# As the swarm reads it. Source: moby/swarmkit, constraint/constraint.go.
_PLACEMENT_PATTERN = r"^(node|engine)\.[A-Za-z0-9._-]+ *(==|!=) *[A-Za-z0-9:._ -]+$"
_IMAGE_PATTERN = (
    r"^[a-zA-Z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)
_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}


def _config_text(value: object) -> str:
    """Write a config value as CloudFormation takes it: ``true``, ``10``, ``a,b``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 2**63:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) and "," not in item for item in value):
        value = ",".join(value)
    if not isinstance(value, str):
        raise ValueError("not a config value")
    value.encode()
    return value


def _memory_bytes(value: object) -> object:
    """Read ``"768m"`` as bytes; what can't be read is left for the schema to refuse."""
    try:
        return read_memory(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _span(value: object) -> object:
    """Read ``"2h"``; what can't be read is left for the schema to refuse."""
    try:
        return read_span(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _ipv4(value: str) -> str:
    return str(ipaddress.IPv4Address(value))


def _domain(value: str) -> str:
    """A name, perhaps with a port; an address or a name of loopback is none."""
    name, colon, port = value.lower().partition(":")
    labels = name.split(".")
    if labels[-1].isdecimal() or labels[-1] == "localhost" or len(name) > 253:
        raise ValueError("no domain")
    if not all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels):
        raise ValueError("no domain")
    if colon and not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError("no port")
    return name + colon + port


def _peer(value: str) -> str:
    """An address or a network; that of all addresses would let anyone be anyone."""
    network = ipaddress.ip_network(value)
    if network.prefixlen == 0:
        raise ValueError("all addresses")
    return str(network)


_Span = Annotated[timedelta, BeforeValidator(_span)]
_Memory = Annotated[Annotated[int, Field(ge=64 * 2**20)] | Literal["unlimited"], BeforeValidator(_memory_bytes)]
_Size = Annotated[Annotated[int, Field(ge=2**20, le=16 * 2**30)], BeforeValidator(_memory_bytes)]
_Cpus = Annotated[float, Field(gt=0, le=1024)] | Literal["unlimited"]
_Image = Annotated[str, Field(pattern=_IMAGE_PATTERN, max_length=255)]
_Manager = Annotated[str, Field(pattern=r"^(unix|tcp|ssh)://[^\s]+$")]
_Placement = Annotated[str, Field(pattern=_PLACEMENT_PATTERN, max_length=255)]
_Url = Annotated[str, AfterValidator(normal_url)]
_Region = Annotated[str, Field(pattern=_REGION_PATTERN)]
_Driver = Annotated[DriverName, Field(strict=False)]
_Port = Annotated[int, Field(ge=1, le=65535)] | Literal["auto"]
_Parameter = Annotated[str, Field(pattern=PARAMETER_PATTERN)]
_Folder = Annotated[str, Field(min_length=1)]
_ConfigValue = Annotated[str, BeforeValidator(_config_text)]


_Domain = Annotated[str, AfterValidator(_domain)]
_Peer = Annotated[str, AfterValidator(_peer)]
MADE_PASSWORD = "auto"  # noqa: S105 (the word for one that is made)
NO_PASSWORD = "none"  # noqa: S105 (the word for none)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ProxyTable(_Table):
    """``[proxy]``"""

    host: Annotated[str, AfterValidator(_ipv4)] = "127.0.0.1"
    port: _Port = "auto"
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0
    max_body: Annotated[int, Field(ge=1, le=2**30)] = 10 * 1024 * 1024
    password: Annotated[str, Field(pattern=rf"^({MADE_PASSWORD}|{NO_PASSWORD}|[!-~]{{12,200}})$")] = MADE_PASSWORD
    domains: list[_Domain] = Field(default_factory=list)
    trusted: list[_Peer] = Field(default_factory=list)


class CheckTable(_Table):
    """``[[verify.checks]]``"""

    path: Annotated[str, Field(pattern=r"^/[^\s]*$")]
    status: Annotated[int, Field(ge=100, le=599)] = 200
    contains: str = ""


class ExpectedTable(_Table):
    """``[[compare.expected]]``"""

    between: Annotated[list[str], Field(min_length=2, max_length=2)] | Literal["all"] = "all"
    json_path: str | None = None
    header: str | None = None
    regex: str | None = None
    reason: str = ""


class CompareTable(_Table):
    """``[compare]``"""

    ignore_order: list[str] = Field(default_factory=list)
    expected: list[ExpectedTable] = Field(default_factory=list)


class InspectorTable(_Table):
    """``[inspector]``"""

    enabled: bool = True
    max_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    max_size: _Size = 64 * 2**20
    max_age: Annotated[_Span, Field(ge=timedelta(minutes=1))] = timedelta(days=1)
    redact: list[Annotated[str, Field(pattern=r"[A-Za-z0-9]")]] = Field(default_factory=list)


class VerifyTable(_Table):
    """``[verify]``"""

    command: Annotated[str, Field(min_length=1)] | None = None
    timeout: Annotated[float, Field(gt=0, le=3600)] = 300.0
    checks: list[CheckTable] = Field(default_factory=list)
    replay: Annotated[str, Field(pattern=CORPUS_PATTERN)] | None = None
    replay_writes: bool = False


class CarryTable(_Table):
    """``[[replay.carry]]``"""

    json_path: Annotated[str, Field(min_length=1)]
    variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    request: Annotated[str, Field(pattern=r"^[^\s]+ [^\s]+$")] | Literal[""] = ""


class ReplayTable(_Table):
    """``[replay]``"""

    carry: list[CarryTable] = Field(default_factory=list)


class SeedTable(_Table):
    """``[seed]``"""

    folders: list[_Folder] = Field(default_factory=list)
    after_deploy: bool = True


class LocalstackTable(_Table):
    """``[localstack]``"""

    image: _Image = OWN_IMAGE
    functions: Annotated[Functions, Field(strict=False, alias="lambda")] = Functions.PROCESS
    memory: _Memory = 2**30
    cpus: _Cpus = "unlimited"
    internal: bool = False


class SwarmTable(_Table):
    """``[swarm]``"""

    image: _Image | Literal["auto"] = "auto"
    memory: _Memory = 512 * 2**20
    cpus: _Cpus = "unlimited"
    placement: list[_Placement] = Field(default_factory=list)
    managers: list[_Manager] = Field(default_factory=list)
    publish: Annotated[Publish, Field(strict=False)] = Publish.HOST


class EnvironmentTable(_Table):
    """``[environments.<name>]``"""

    driver: _Driver | None = None
    account_id: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    region: _Region | None = None
    port: _Port = "auto"
    protected: bool = False
    soak: Annotated[_Span, Field(ge=timedelta())] = timedelta()
    enforce_iam: bool = False
    lambda_concurrency: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] = "auto"
    image: _Image | None = None
    memory: _Memory | None = None
    cpus: _Cpus | None = None
    endpoint: _Url | None = None
    seed: list[_Folder] | None = None
    config: dict[_Parameter, _ConfigValue] = Field(default_factory=dict)


class ConfigKeyTable(_Table):
    """``[config.<Key>]``"""

    type: Annotated[ConfigType, Field(strict=False)] = ConfigType.STRING
    required: bool = True
    default: bool | int | float | str | list[str] | None = None
    secret: bool = False
    description: str = ""


class ServiceTable(_Table):
    """``[[services]]``"""

    name: Annotated[str, Field(pattern=SERVICE_PATTERN)]
    template: Annotated[str, Field(min_length=1)]
    outputs: dict[_Parameter, Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[A-Za-z0-9]+$")]] = Field(
        default_factory=dict
    )
    after: list[Annotated[str, Field(pattern=SERVICE_PATTERN)]] = Field(default_factory=list)


class ProjectTable(_Table):
    """The whole file."""

    service: Annotated[str, Field(pattern=SERVICE_PATTERN)]
    services: list[ServiceTable] = Field(default_factory=list)
    template: Annotated[str, Field(min_length=1)] | None = None
    api: Annotated[str, Field(pattern=PARAMETER_PATTERN)] | None = None
    region: _Region = "us-east-1"
    driver: _Driver = DriverName.EMBEDDED
    allow_remote: bool = False
    clock_offset: _Span = timedelta()
    store: Annotated[str, AfterValidator(checked_url)] = ""
    store_timeout: Annotated[float, Field(ge=0, le=3600)] = 60.0
    auto_promote_to: list[str] = Field(default_factory=list)
    verify: VerifyTable = Field(default_factory=VerifyTable)
    replay: ReplayTable = Field(default_factory=ReplayTable)
    compare: CompareTable = Field(default_factory=CompareTable)
    inspector: InspectorTable = Field(default_factory=InspectorTable)
    seed: SeedTable = Field(default_factory=SeedTable)
    localstack: LocalstackTable = Field(default_factory=LocalstackTable)
    swarm: SwarmTable = Field(default_factory=SwarmTable)
    proxy: ProxyTable = Field(default_factory=ProxyTable)
    config: dict[_Parameter, ConfigKeyTable] = Field(default_factory=dict)
    environments: dict[str, EnvironmentTable] = Field(default_factory=dict)


# Arrays of tables, whose entries have keys of their own.
_ENTRIES: Mapping[Key, type[_Table]] = {
    ("compare", "expected"): ExpectedTable,
    ("replay", "carry"): CarryTable,
    ("services",): ServiceTable,
    ("verify", "checks"): CheckTable,
}


def check(data: dict[str, object]) -> tuple[ProjectTable | None, list[tuple[Key, str]]]:
    """Return the typed table, or every key that is wrong with what is wrong about it."""
    try:
        return ProjectTable.model_validate(data), []
    except ValidationError as error:
        found: dict[Key, str] = {}
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            key, problem = _explain(data, item["type"], tuple(map(str, item["loc"])))
            found.setdefault(key, problem)
        return None, list(found.items())


def _explain(data: dict[str, object], kind: str, loc: Key) -> tuple[Key, str]:
    """Turn one of pydantic's errors into the key it is about, with what is wrong in our words."""
    if kind == "extra_forbidden":
        if len(loc) > 1 and loc[-2].isdecimal() and (entry := _ENTRIES.get(loc[:-2])):
            known = _nearest(loc[-1], entry.model_fields)
            return loc, f"{show_key(loc[:-2])}, number {int(loc[-2]) + 1}: unknown key {show_key(loc[-1:])}{known}"
        return loc, f"unknown key {show_key(loc)}{_suggest(loc)}"
    if kind == "missing":
        return loc, f"required key {show_key(loc)} is missing"
    if loc[-1] == "[key]":
        return loc[:-1], f"{show_key(loc[:-1])} cannot be a template parameter, whose names are letters and digits"
    for end in range(len(loc), 0, -1):
        key = loc[:end]
        setting = next((setting for setting in (*SETTINGS, *FILE_ONLY) if matches(setting.path, key)), None)
        if setting is not None:
            value = "" if setting.is_secret else f", not {show_value(value_at(data, key))}"
            return key, f"{show_key(key)} must be {setting.allowed}{value}"
    return loc, f"{show_key(loc)} must be a table, not {show_value(value_at(data, loc))}"


def _suggest(key: Key) -> str:
    depth = len(key) - 1
    known = dict.fromkeys(
        setting.path[depth]
        for setting in (*SETTINGS, *FILE_ONLY)
        if len(setting.path) > depth and matches(setting.path[:depth], key[:-1]) and not setting.key.startswith("--")
    )
    return _nearest(key[-1], known)


def _nearest(name: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {nearest[0]}?" if nearest else f"; known here are {', '.join(known)}"
