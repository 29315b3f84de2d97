"""What this copy of the service was given: variables once, parameters and the secret through a short cache."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which deployment answers."""

    environment: str
    release: str
    digest: str
    config_hash: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Identity:
        """Raises KeyError for a variable that the template did not pass."""
        return cls(
            environment=environ["ENVIRONMENT"],
            release=environ["RELEASE"],
            digest=environ["DIGEST"],
            config_hash=environ["CONFIG_HASH"],
        )

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every answer carries."""
        return {
            "X-Environment": self.environment,
            "X-Release": self.release,
            "X-Digest": self.digest,
            "X-Config-Hash": self.config_hash,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The variables of the function behind the API."""

    identity: Identity
    log_level: str
    page_size: int
    table: str
    queue_url: str
    parameter_path: str
    receipt_key: str

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Raises KeyError for a variable that the template did not pass."""
        return cls(
            identity=Identity.read(environ),
            log_level=environ["LOG_LEVEL"],
            page_size=int(environ["PAGE_SIZE"]),
            table=environ["TABLE"],
            queue_url=environ["QUEUE_URL"],
            parameter_path=environ["PARAMETER_PATH"],
            receipt_key=environ["RECEIPT_KEY"],
        )


@dataclass(frozen=True, slots=True)
class Discount:
    """The discount in effect: its flag and its size in percent."""

    enabled: bool
    percent: Decimal

    @property
    def factor(self) -> Decimal:
        """What a full price is multiplied by."""
        return 1 - self.percent / 100 if self.enabled else Decimal(1)


class Secret:
    """A value that shows itself only when asked by name; printed or sent, it is asterisks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "********"

    def reveal(self) -> str:
        return self._value


class Cached(Generic[T]):
    """
    A loaded value, loaded again once it is older than *seconds*.

    A value changed by hand is seen within that time, without a deployment.
    """

    def __init__(self, load: Callable[[], T], *, seconds: float = 15, clock: Callable[[], float] = time.monotonic):
        self._load = load
        self._seconds = seconds
        self._clock = clock
        self._held: tuple[float, T] | None = None

    def __call__(self) -> T:
        now = self._clock()
        if self._held is None or now - self._held[0] >= self._seconds:
            self._held = (now, self._load())
        return self._held[1]


def load_discount(ssm: Any, path: str) -> Discount:
    """
    Read both parameters below *path*.

    One at a time: MiniStack 1.5.33, told to enforce IAM, refuses GetParametersByPath to a role limited to its own path.
    """

    def read(name: str) -> str:
        return ssm.get_parameter(Name=f"{path}/{name}")["Parameter"]["Value"]

    return Discount(read("DiscountEnabled") == "true", Decimal(read("DiscountPercent")))


def load_secret(secretsmanager: Any, name: str) -> Secret:
    """Read the current value of the secret *name*, or of its ARN."""
    return Secret(secretsmanager.get_secret_value(SecretId=name)["SecretString"])
