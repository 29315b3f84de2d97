"""The words of the product as frozen data. No I/O here."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

STATE_FOLDER = ".multistack"


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
    # Only in a project as it was written: whoever acts on one has made it one of the others.
    AUTO = "auto"


class Functions(enum.Enum):
    """What runs the functions of a container: processes inside it, or further containers."""

    PROCESS = "process"
    DOCKER = "docker"


# Made by `multistack image build`.
OWN_IMAGE = "multistack/localstack:4.14.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings:
    """
    How an environment's container is run.

    Attributes:
        functions: With ``DOCKER`` the container gets the engine's socket, and so the whole machine.
        memory: Bytes, or None for no limit.
        cpus: Cores, or None for no limit.
        internal: Its network leads nowhere; the emulator then answers at the container's own address.
    """

    image: str = OWN_IMAGE
    functions: Functions = Functions.PROCESS
    memory: int | None = None
    cpus: float | None = None
    internal: bool = False

    @property
    def settings(self) -> Mapping[str, str]:
        """Each of them as a person reads it."""
        return {
            "image": self.image,
            "functions": f"run by {self.functions.value}",
            "memory": f"{self.memory // 2**20} MiB" if self.memory else "unlimited",
            "cores": f"{self.cpus:g}" if self.cpus else "unlimited",
            "network": "internal" if self.internal else "open",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """
    One complete copy of the service: its own emulated account, region, emulator and config.

    Attributes:
        port: Fixed port of the emulator on 127.0.0.1, or None to take a free one.
        account_id: 12 digits.
        config: Template parameter name to value; all the differences between environments.
        protected: Destructive commands need ``--yes``.
        enforce_iam: Calls need the permissions that AWS would ask for.
        lambda_concurrency: How many function calls may run at once, the account's pool; None for what the machine's
            memory carries, 1,000 at most.
        container: For the driver ``localstack``.
        url: Where the emulator of the driver ``external`` answers.
    """

    name: str
    driver: DriverName
    account_id: str
    region: str
    port: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    enforce_iam: bool = False
    lambda_concurrency: int | None = None
    container: ContainerSettings = field(default_factory=ContainerSettings)
    url: str | None = None

    @property
    def settings(self) -> Mapping[str, str]:
        """What its emulator must be told at its start, name to value: a change needs a restart."""
        enforced = {"Lambda concurrency": str(self.lambda_concurrency or "auto")}
        if self.driver is DriverName.EXTERNAL:
            return {}
        if self.driver is DriverName.LOCALSTACK:
            return {**enforced, **self.container.settings}
        return {"IAM enforcement": "on" if self.enforce_iam else "off", **enforced}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """
    Attributes:
        host: The IPv4 address that it listens on; 0.0.0.0 for all of the machine's.
        port: Its port, or None to take 8080 or the next free one.
        timeout: Seconds to wait for an environment's answer before 504.
        max_body: Largest request body in bytes, else 413.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    timeout: float = 30.0
    max_body: int = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """
    One service and its environments; their order is the promotion order.

    Attributes:
        file: The project file everything was read from.
        template: The service's CloudFormation or SAM template.
        api: Logical id of the API that ``/<environment>/`` reaches, or None when the service has just one.
        allow_remote: Docker engines and external emulators may be on other machines.
    """

    file: Path
    service: str
    template: Path
    environments: tuple[Environment, ...]
    api: str | None = None
    proxy: ProxySettings = field(default_factory=ProxySettings)
    allow_remote: bool = False

    @property
    def root(self) -> Path:
        """The folder of the project file."""
        return self.file.parent

    @property
    def state(self) -> Path:
        """Where everything multistack knows about this project lives; ignored by git."""
        return self.root / STATE_FOLDER

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
    """

    environment: str
    url: str
    account_id: str
    region: str
    is_shared: bool = False


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
    """

    environment: str
    status: Status
    endpoint: Endpoint | None = None
    process: ProcessId | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """
    One deployable archive of an artifact.

    Attributes:
        sha256: Hex digest of the zip's bytes; Lambda's ``CodeSha256`` is the same digest in base64.
        functions: Logical ids of the functions that run it.
    """

    path: Path
    sha256: str
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """
    An immutable build of a service.

    Attributes:
        digest: Hex SHA-256 over the template and all code; the identity that environments share.
        template: The template with every local path replaced by a reference to stored code.
    """

    digest: str
    template: Mapping[str, object]
    code: tuple[Code, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """
    An artifact plus one environment's config.

    Attributes:
        id: 12 hex digits, the same for the same digest and config.
        config_hash: 12 hex digits over the config.
    """

    id: str
    digest: str
    config_hash: str
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """
    One API of the deployed service.

    Attributes:
        logical_id: Its name in the template.
        path: Where the emulator serves it, e.g. ``/_aws/execute-api/00bea1dc/live``; no trailing slash.
        stage: The stage's name, e.g. ``live``.
        example: A path that answers GET and takes no parameter, without leading slash; empty when none is known.
    """

    logical_id: str
    path: str
    stage: str
    example: str = ""


class Outcome(enum.Enum):
    """How a deployment ended; one without an outcome was interrupted, or still runs."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """
    A release put into an environment.

    Attributes:
        outcome: None while it runs, or when its process was killed.
        promoted_from: The environment whose verified digest this is, if it was promoted.
        source: Where the release came from when not from the artifact store, e.g. ``snapshot before``.
        skipped: Resources left out on request, as ``LogicalId (Type)``.
    """

    id: int
    environment: str
    release: Release
    at: datetime
    outcome: Outcome | None = None
    promoted_from: str | None = None
    source: str | None = None
    apis: Sequence[Api] = ()
    skipped: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    What the proxy needs to reach one environment.

    Attributes:
        url: The emulator's base URL, or None when it is stopped.
        process: Checked before every request, so that a stranger on the same port is never reached.
        apis: Empty when nothing is deployed.
        default_api: Logical id served at ``/<environment>/``; None when the service has several and names none.
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
