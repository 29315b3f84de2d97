"""Every setting there is: its key, variable, default and description, and the schema that holds a file to them."""

from __future__ import annotations

import difflib
import json
import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from emulator.model import DriverName

TEMPLATE_NAMES = ("template.yaml", "template.yml", "template.json")
SERVICE_PATTERN = r"^[a-z][a-z0-9-]{0,39}$"
PARAMETER_PATTERN = r"^[A-Za-z0-9]{1,255}$"
_REGION_PATTERN = r"^[a-z]{2}(-[a-z]+)+-[0-9]$"
_TYPE_NAMES: dict[type, str] = {dict: "a table", list: "an array"}

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """
    One thing a user can set.

    Attributes:
        key: Dotted key in the project file; ``<name>`` and ``<Parameter>`` stand for any.
            Starts with ``--`` when it is a flag and no key.
        variable: Name in the environ; ``<NAME>`` is the environment's, upper case, with ``_`` for ``-``.
        allowed: Completes "must be …".
    """

    key: str
    variable: str
    default: str
    allowed: str
    description: str

    @property
    def path(self) -> Key:
        """The key in parts."""
        return tuple(self.key.split("."))


_DRIVERS = " or ".join(f'"{driver.value}"' for driver in DriverName)
_REGIONS = 'a region such as "eu-west-1"'
_PORTS = 'a port from 1 to 65535 or "auto"'

SETTINGS: tuple[Setting, ...] = (
    Setting(
        key="--file",
        variable="MULTISTACK_FILE",
        default="multistack.toml, or pyproject.toml with [tool.multistack], in this folder or the nearest above",
        allowed="a file",
        description="The project file.",
    ),
    Setting(
        key="service",
        variable="MULTISTACK_SERVICE",
        default="required",
        allowed="1 to 40 of a-z, 0-9 and -, starting with a letter",
        description="Name of the service; its stack in an environment is <service>-<environment>.",
    ),
    Setting(
        key="template",
        variable="MULTISTACK_TEMPLATE",
        default=", else ".join(TEMPLATE_NAMES),
        allowed="the path of a template",
        description="CloudFormation or SAM template; relative to the project file, or to the folder a flag is used in.",
    ),
    Setting(
        key="api",
        variable="MULTISTACK_API",
        default="the only API of the template",
        allowed="the logical id of an API, letters and digits",
        description="Logical id of the API that /<environment>/ reaches.",
    ),
    Setting(
        key="region",
        variable="MULTISTACK_REGION",
        default="us-east-1",
        allowed=_REGIONS,
        description="Region of every environment that names none; as a variable or flag, of every environment.",
    ),
    Setting(
        key="driver",
        variable="MULTISTACK_DRIVER",
        default="embedded",
        allowed=_DRIVERS,
        description="Driver of every environment that names none; as a variable or flag, of every environment.",
    ),
    Setting(
        key="proxy.port",
        variable="MULTISTACK_PROXY_PORT",
        default="auto",
        allowed=_PORTS,
        description="Port of the proxy on 127.0.0.1; auto takes 8080, or the next free one.",
    ),
    Setting(
        key="proxy.timeout",
        variable="MULTISTACK_PROXY_TIMEOUT",
        default="30",
        allowed="a number of seconds above 0 and up to 3600",
        description="Seconds the proxy waits for an environment's answer before it says 504.",
    ),
    Setting(
        key="proxy.max_body",
        variable="MULTISTACK_PROXY_MAX_BODY",
        default="10485760",
        allowed="a number of bytes from 1 to 1073741824",
        description="Largest request body in bytes; a larger one gets 413.",
    ),
    Setting(
        key="environments.<name>.driver",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_DRIVER",
        default="the project's driver",
        allowed=_DRIVERS,
        description="What runs this environment's emulator.",
    ),
    Setting(
        key="environments.<name>.account_id",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_ACCOUNT_ID",
        default="derived from the names of service and environment",
        allowed='12 digits in quotes, such as "111111111111"',
        description="The environment's emulated AWS account.",
    ),
    Setting(
        key="environments.<name>.region",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_REGION",
        default="the project's region",
        allowed=_REGIONS,
        description="The environment's region.",
    ),
    Setting(
        key="environments.<name>.port",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_PORT",
        default="auto",
        allowed=_PORTS,
        description="Port of the environment's emulator on 127.0.0.1; auto takes a free one.",
    ),
    Setting(
        key="environments.<name>.protected",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_PROTECTED",
        default="false",
        allowed="true or false",
        description="Whether destructive commands need --yes.",
    ),
    Setting(
        key="environments.<name>.enforce_iam",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_ENFORCE_IAM",
        default="false",
        allowed="true or false",
        description="Whether functions and callers need the permissions that AWS would ask for.",
    ),
    Setting(
        key="environments.<name>.lambda_concurrency",
        variable="MULTISTACK_ENVIRONMENT_<NAME>_LAMBDA_CONCURRENCY",
        default="auto",
        allowed='a number of calls from 1 to 1000 or "auto"',
        description="How many function calls may run at once in the account; auto is what memory carries, up to 1000.",
    ),
    Setting(
        key="environments.<name>.config.<Parameter>",
        variable="MULTISTACK_CONFIG_<NAME>_<KEY>",
        default="the template's default",
        allowed="a string, a finite number, true or false, or an array of strings without commas",
        description="Value of one template parameter; the variable's <KEY> matches in any case.",
    ),
)


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


_Region = Annotated[str, Field(pattern=_REGION_PATTERN)]
_Driver = Annotated[DriverName, Field(strict=False)]
_Port = Annotated[int, Field(ge=1, le=65535)] | Literal["auto"]
_Parameter = Annotated[str, Field(pattern=PARAMETER_PATTERN)]
_ConfigValue = Annotated[str, BeforeValidator(_config_text)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ProxyTable(_Table):
    """``[proxy]``"""

    port: _Port = "auto"
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0
    max_body: Annotated[int, Field(ge=1, le=2**30)] = 10 * 1024 * 1024


class EnvironmentTable(_Table):
    """``[environments.<name>]``"""

    driver: _Driver | None = None
    account_id: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    region: _Region | None = None
    port: _Port = "auto"
    protected: bool = False
    enforce_iam: bool = False
    lambda_concurrency: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] = "auto"
    config: dict[_Parameter, _ConfigValue] = Field(default_factory=dict)


class ProjectTable(_Table):
    """The whole file."""

    service: Annotated[str, Field(pattern=SERVICE_PATTERN)]
    template: Annotated[str, Field(min_length=1)] | None = None
    api: Annotated[str, Field(pattern=PARAMETER_PATTERN)] | None = None
    region: _Region = "us-east-1"
    driver: _Driver = DriverName.EMBEDDED
    proxy: ProxyTable = Field(default_factory=ProxyTable)
    environments: dict[str, EnvironmentTable] = Field(default_factory=dict)


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


def show_key(key: Key) -> str:
    """Write *key* as TOML does, on one line."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part) for part in key)


def show_value(value: object) -> str:
    """Write any value that TOML can hold on one short line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, int) and abs(value) >= 2**63:
        return "a number beyond 64 bits"
    return _TYPE_NAMES.get(type(value)) or str(value)


def value_at(data: object, key: Key) -> object:
    """The value under *key*, or None."""
    for part in key:
        if not isinstance(data, dict) or part not in data:
            return None
        data = data[part]
    return data


def matches(pattern: Key, key: Key) -> bool:
    """Whether *key* is one that *pattern*, a setting's path, stands for."""
    return len(pattern) == len(key) and all(p.startswith("<") or p == k for p, k in zip(pattern, key, strict=True))


def _explain(data: dict[str, object], kind: str, loc: Key) -> tuple[Key, str]:
    """Turn one of pydantic's errors into the key it is about, with what is wrong in our words."""
    if kind == "extra_forbidden":
        return loc, f"unknown key {show_key(loc)}{_suggest(loc)}"
    if kind == "missing":
        return loc, f"required key {show_key(loc)} is missing"
    if loc[-1] == "[key]":
        return loc[:-1], f"{show_key(loc[:-1])} cannot be a template parameter, whose names are letters and digits"
    for end in range(len(loc), 0, -1):
        key = loc[:end]
        setting = next((setting for setting in SETTINGS if matches(setting.path, key)), None)
        if setting is not None:
            return key, f"{show_key(key)} must be {setting.allowed}, not {show_value(value_at(data, key))}"
    return loc, f"{show_key(loc)} must be a table, not {show_value(value_at(data, loc))}"


def _suggest(key: Key) -> str:
    depth = len(key) - 1
    known = dict.fromkeys(
        setting.path[depth]
        for setting in SETTINGS
        if len(setting.path) > depth and matches(setting.path[:depth], key[:-1]) and not setting.key.startswith("--")
    )
    nearest = difflib.get_close_matches(key[-1], known, n=1)
    return f", did you mean {nearest[0]}?" if nearest else f"; known here are {', '.join(known)}"
