"""A project, its environments, and what runs of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from emulator.model.containers import ContainerSettings, SwarmSettings
from emulator.model.creation import Creation
from emulator.model.deployments import Api, ConfigKey
from emulator.model.exchanges import CarryRule
from emulator.model.rules import Rules
from emulator.model.spaces import Space
from emulator.model.verification import Verification

STATE_FOLDER = ".multistack"
# A stack and an account per environment: how a project's own environments are laid out.
OWN_TOPOLOGY = "multi"


class Status(enum.Enum):
    """What an environment's emulator is doing, as observed just now."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    UNHEALTHY = "unhealthy"


class DriverName(enum.Enum):
    """What runs an environment's emulator."""

    EMBEDDED = "embedded"
    LOCALSTACK = "localstack"
    EXTERNAL = "external"
    KUBERNETES = "kubernetes"
    SWARM = "swarm"
    # Only in a project as it was written: whoever acts on one has made it one of the others.
    AUTO = "auto"


# They start environments again by themselves, and on other machines.
CLUSTERS = frozenset({DriverName.SWARM, DriverName.KUBERNETES})


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """
    One complete copy of the service: its own emulated account, region, emulator and config.

    Attributes:
        port: Fixed port of the emulator on 127.0.0.1, or None to take a free one.
        account_id: 12 digits.
        config: Template parameter name to value; all the differences between environments but for secrets.
        secrets: Key to value; a release knows only salted hashes of them.
        origins: Config key, secret ones too, to where its value comes from, e.g. ``.env.test:3``.
        protected: Destructive commands need ``--yes``, and promotion an approval.
        soak: How long a release must have served in the environment before.
        enforce_iam: Calls need the permissions that AWS would ask for.
        lambda_concurrency: How many function calls may run at once, the account's pool; None for what the machine's
            memory carries, 1,000 at most.
        container: For the driver ``localstack``.
        swarm: For the driver ``swarm``.
        url: Where the emulator of the driver ``external`` answers.
        created: Of one that a command made; None when the project file declares it.
        seeds: Folders of data for it, below the project's root; what a later one holds wins.
    """

    name: str
    driver: DriverName
    account_id: str
    region: str
    port: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    origins: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    soak: timedelta = timedelta()
    enforce_iam: bool = False
    lambda_concurrency: int | None = None
    container: ContainerSettings = field(default_factory=ContainerSettings)
    swarm: SwarmSettings = field(default_factory=SwarmSettings)
    url: str | None = None
    created: Creation | None = None
    seeds: tuple[Path, ...] = ()

    @property
    def settings(self) -> Mapping[str, str]:
        """What its emulator must be told at its start, name to value: a change needs a restart."""
        enforced = {"Lambda concurrency": str(self.lambda_concurrency or "auto")}
        if self.driver is DriverName.EXTERNAL:
            return {}
        if self.driver is DriverName.LOCALSTACK:
            return {**enforced, **self.container.settings}
        contained = {DriverName.SWARM: self.swarm.settings, DriverName.KUBERNETES: self.container.settings}
        own = contained.get(self.driver, {})
        return {"IAM enforcement": "on" if self.enforce_iam else "off", **enforced, **own}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """
    Attributes:
        host: The IPv4 address that it listens on; 0.0.0.0 for all of the machine's.
        port: Its port, or None to take 8080 or the next free one.
        timeout: Seconds to wait for an environment's answer before 504.
        max_body: Largest request body in bytes, else 413.
        asks_password: Whether other machines need a password, should *host* be one that they reach.
        password: The one to use; None for one that is made once, and kept.
        domains: Names that it answers to, beside those of this machine; with a port where clients need one.
        trusted: Addresses and networks of reverse proxies, which are believed whom they ask for.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    timeout: float = 30.0
    max_body: int = 10 * 1024 * 1024
    asks_password: bool = True
    password: str | None = field(default=None, repr=False)
    domains: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """
    A database that several machines share.

    Attributes:
        url: Of a PostgreSQL database; it may hold a password.
        timeout: Seconds that a command which has begun waits for it.
    """

    url: str = field(repr=False)
    timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """
    One service and its environments.

    Attributes:
        environments: The declared ones in promotion order, then those that commands created.
        file: The project file everything was read from.
        template: The file that says what the service is: a CloudFormation or SAM template, or that of its framework.
        framework: Whose file that is, as its users write it.
        api: Logical id of the API that ``/<environment>/`` reaches, or None when the service has just one.
        allow_remote: Docker engines and external emulators may be on other machines.
        auto_promote_to: Environments that take a release as soon as the one before has verified it.
        clock_offset: What the ledger's clock is ahead of the machine's.
        stamp: Of the files that it was read from, see :func:`emulator.project_stamp.stamp_of`; empty for none.
        user: Whoever runs the command, for the ledger.
        config_keys: What the file declares under ``[config]``, by name; without any, the template's parameters are it.
        carry: Values that a replay carries from answers into later requests.
        rules: What the proxy is told beside the routes.
        copied_from: The folder that this one is a copy of, e.g. for one step of a pipeline: the environments are there.
            Or one that only holds environments, e.g. those of tests.
        seeds_after_deploy: The first deployment into an environment is followed by its seed.
        space: Which of another project's spaces this one is; *copied_from* is then the space's folder.
        within: That other project.
        store: Where the ledger is kept, and what proxies elsewhere read; None for files in the state folder.
        managers: Addresses of engines that manage the swarm; without any, the caller's engine does.
    """

    file: Path
    service: str
    template: Path
    framework: str = "CloudFormation"
    environments: tuple[Environment, ...]
    api: str | None = None
    proxy: ProxySettings = field(default_factory=ProxySettings)
    allow_remote: bool = False
    verification: Verification = field(default_factory=Verification)
    auto_promote_to: tuple[str, ...] = ()
    clock_offset: timedelta = timedelta()
    stamp: str = field(default="", compare=False)
    user: str = ""
    config_keys: Mapping[str, ConfigKey] = field(default_factory=dict)
    carry: tuple[CarryRule, ...] = ()
    rules: Rules = field(default_factory=Rules)
    copied_from: Path | None = None
    seeds_after_deploy: bool = True
    space: Space | None = None
    within: Project | None = None
    store: StoreSettings | None = None
    managers: tuple[str, ...] = ()

    def way_into(self, name: str) -> str:
        """The command that brings a new release into environment *name* in good order."""
        later = {environment.name for environment in self.promotion_order[1:]}
        return f"multistack {'promote' if name in later else 'deploy'} {name}"

    @property
    def root(self) -> Path:
        """The folder of the project file: where the source is."""
        return self.file.parent

    @property
    def home(self) -> Path:
        """The folder that the environments belong to: the same one, but for a copy of it."""
        return self.copied_from or self.root

    @property
    def state(self) -> Path:
        """Where everything multistack knows about this project lives; ignored by git."""
        return self.home / STATE_FOLDER

    @property
    def promotion_order(self) -> tuple[Environment, ...]:
        """The declared environments: nothing is promoted into or out of a created one."""
        return tuple(environment for environment in self.environments if environment.created is None)

    def ports_of_others(self, name: str) -> frozenset[int]:
        """Fixed ports of all environments but *name*: no free port for that one, even while nobody listens there."""
        return frozenset(one.port for one in self.environments if one.port is not None and one.name != name)

    def environment_state(self, name: str) -> Path:
        """The folder of one environment's emulator: record, log, persisted state."""
        return self.state / "environments" / name

    def stack_name(self, environment: str) -> str:
        """The CloudFormation stack of the service in *environment*: ``<service>-<environment>``."""
        return f"{self.service}-{environment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    Where an environment's AWS API answers, and as whom to call it.

    Attributes:
        is_shared: Others may use that emulator as well: what is in it need not be ours.
        key: What it asks of every request, see :mod:`emulator.endpoint_key`; empty where it asks for none.
    """

    environment: str
    url: str
    account_id: str
    region: str
    is_shared: bool = False
    key: str = field(default="", repr=False)

    @property
    def access_key_id(self) -> str:
        """With which any AWS tool is let in: by it emulators know the account, or the key that leads to it."""
        return self.key or self.account_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """
    A process that can be told from a later one with the same number.

    Attributes:
        started: Start time in seconds since the epoch, as psutil reports it.
    """

    pid: int
    started: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """
    An environment as observed just now, never remembered.

    Attributes:
        endpoint: None when stopped.
        process: The emulator's process, for drivers that have one.
        settings: What it was started with, see :attr:`Environment.settings`; empty when stopped.
        reason: Why it is not ready, e.g. ``emulator (pid 4711) is gone``.
        outdated: Why ``up`` should start it anew although it serves; empty where it need not.
        is_unknown: Who runs it could not be asked: it may be there nevertheless.
    """

    environment: str
    status: Status
    endpoint: Endpoint | None = None
    process: ProcessId | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    outdated: str = ""
    is_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    What the proxy needs to reach one environment.

    Attributes:
        url: The emulator's base URL, or None when it is stopped.
        process: Checked before every request, so that a stranger on the same port is never reached.
        apis: Empty when nothing is deployed.
        default_api: Logical id served at ``/<environment>/``; None when the service has several and names none.
        protected: See :attr:`Environment.protected`.
        topology: Of the lab's, in which it is an environment; the project's own ones are ``multi``. The names of others
            have two parts, e.g. ``single/prod``.
        started_by: The command that starts it; empty when that is ``multistack up <environment>``.
        key: See :attr:`Endpoint.key`.
        asked_with: The variables with which a command found its cluster, e.g. ``DOCKER_HOST``: the proxy may have been
            started with others.
    """

    environment: str
    account_id: str
    region: str
    driver: str
    url: str | None
    process: ProcessId | None
    release: str | None
    digest: str | None
    apis: Sequence[Api]
    default_api: str | None
    protected: bool = False
    topology: str = OWN_TOPOLOGY
    started_by: str = ""
    key: str = field(default="", repr=False)
    asked_with: Sequence[tuple[str, str]] = ()
