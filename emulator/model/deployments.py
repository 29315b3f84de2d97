"""What is deployed, and what is on record about it."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


class ConfigType(enum.Enum):
    """What a config key holds."""

    STRING = "string"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigKey:
    """
    One key of the service's config, as the project file declares it.

    Attributes:
        default: What an environment without a value gets, as text; None for none.
        secret: Its values are kept out of the project file, the template, the ledger and all that is shown.
    """

    name: str
    type: ConfigType = ConfigType.STRING
    required: bool = True
    default: str | None = None
    secret: bool = False
    description: str = ""


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
        config_hash: 12 hex digits over the config, secrets included.
        secrets: Key to the salted hash of its value, see :class:`emulator.vault.Vault`.
    """

    id: str
    digest: str
    config_hash: str
    config: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """
    One API of the deployed service.

    Attributes:
        logical_id: Its name in the template.
        path: Where the emulator serves it, e.g. ``/_aws/execute-api/00bea1dc/live``; no trailing slash.
        stage: The stage's name, e.g. ``live``; empty for the URL of a function, which has none.
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
    # It serves a share of the calls, beside the last one that succeeded.
    CANARY = "canary"


class Kind(enum.Enum):
    """What made a deployment happen."""

    DEPLOY = "deploy"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    # The release on record once more: its emulator had lost it.
    REDEPLOY = "redeploy"
    # With the whole state of a snapshot.
    RESTORE = "restore"
    # A canary's start, or its end: promoted or aborted.
    CANARY = "canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """
    Why a deployment happened.

    Attributes:
        by: The user; empty where an older multistack wrote it.
        promoted_from: The environment whose verified digest this is.
        source: Where the release came from when not from the artifact store, e.g. ``snapshot before``.
        reason: Why the usual way was left, e.g. the reason of an override, or what a rollback followed.
    """

    kind: Kind = Kind.DEPLOY
    by: str = ""
    promoted_from: str | None = None
    source: str | None = None
    reason: str = ""


class Phase(enum.Enum):
    """When a gate is looked at."""

    BEFORE = "before"
    AFTER = "after"


class GateResult(enum.Enum):
    """How a gate was found."""

    PASSED = "passed"
    FAILED = "failed"
    # It did not hold, and somebody said that it need not.
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """
    What must hold before or after a promotion, and whether it did.

    Attributes:
        at: When it was recorded; None before.
    """

    name: str
    phase: Phase
    result: GateResult
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """
    A release put into an environment.

    Attributes:
        template_hash: Hex SHA-256 of the plain template; empty where an older multistack wrote it.
        outcome: None while it runs, or when its process was killed.
        is_running: Its process is there.
        detail: Why it did not succeed.
        skipped: Resources left out on request, as ``LogicalId (Type)``.
    """

    id: int
    environment: str
    release: Release
    at: datetime
    cause: Cause = field(default_factory=Cause)
    template_hash: str = ""
    outcome: Outcome | None = None
    is_running: bool = False
    ended: datetime | None = None
    detail: str = ""
    gates: Sequence[Gate] = ()
    apis: Sequence[Api] = ()
    skipped: Sequence[str] = ()

    @property
    def failure(self) -> str:
        """Why it brought nothing; empty when it did, and while it runs."""
        if self.outcome not in (Outcome.FAILED, Outcome.INTERRUPTED):
            return ""
        return self.detail or self.outcome.value

    @property
    def gates_after(self) -> Sequence[Gate]:
        """What its last verification found; nothing when nobody verified it."""
        after = [gate for gate in self.gates if gate.phase is Phase.AFTER]
        return [gate for gate in after if gate.at == after[-1].at]

    @property
    def is_verified(self) -> bool:
        """Whether it was verified, and found good the last time."""
        found = self.gates_after
        return bool(found) and all(gate.result is GateResult.PASSED for gate in found)
