"""Frameworks whose services are no CloudFormation: said in a line, with what works instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from emulator.errors import ConfigError
from emulator.frameworks.service import GivenValue, Packaging, Service

_EXEC = "see docs/frameworks.md: `multistack exec ENVIRONMENT -- {}` deploys it into an environment"


@dataclass(frozen=True, slots=True)
class Foreign:
    """
    Recognised only to say what to do.

    Attributes:
        why: Why it is no service, after its file's name.
        hint: What works instead.
    """

    name: str
    files: tuple[str, ...]
    why: str
    hint: str

    def recognises(self, path: Path) -> bool:
        """By its name."""
        return path.name in self.files

    def parameters(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        """None; raises ConfigError."""
        self._refuse(path)

    def values(self, path: Path, environment: str) -> Mapping[str, GivenValue]:
        """None."""
        return {}

    def stages(self, path: Path) -> Sequence[str]:
        """None."""
        return ()

    def sources(self, path: Path) -> Sequence[Path]:
        """None; raises ConfigError."""
        self._refuse(path)

    def read(self, path: Path, packaging: Packaging) -> Service:
        """Nothing; raises ConfigError."""
        self._refuse(path)

    def _refuse(self, path: Path) -> NoReturn:
        raise ConfigError(f"{path.name}: {self.why}", hint=self.hint)


FOREIGN = (
    Foreign(
        "Zappa",
        ("zappa_settings.json", "zappa_settings.toml", "zappa_settings.yml", "zappa_settings.yaml"),
        "Zappa calls AWS itself and makes no template of a service",
        "`zappa package` makes its code; the template.yaml to put beside it is in docs/frameworks.md, Zappa",
    ),
    Foreign(
        "Terraform",
        ("main.tf",),
        "Terraform calls AWS itself and makes no CloudFormation template",
        _EXEC.format("terraform apply"),
    ),
    Foreign(
        "Pulumi",
        ("Pulumi.yaml",),
        "Pulumi calls AWS itself and makes no CloudFormation template",
        _EXEC.format("pulumi up"),
    ),
)
