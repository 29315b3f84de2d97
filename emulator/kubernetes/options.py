"""What a person says about a cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulator.errors import ConfigError
from emulator.kubernetes.names import is_label
from emulator.setting import show_value

# [registry[:port]/]name[/name…][:tag][@digest], as `docker` reads it.
_IMAGE = re.compile(
    r"([a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_LONGEST_IMAGE = 255
_STORAGE = re.compile(r"[1-9][0-9]{0,5}(Mi|Gi|Ti)")
# A digest pins more than a tag, and no label holds it.
_VERSION = re.compile(r":([a-zA-Z0-9]([\w.-]{0,61}[a-zA-Z0-9])?)$")
_OF_THE_CLUSTER = "kube-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    How a project is to be on a cluster.

    Attributes:
        image: Of the embedded emulator.
        namespace_prefix: What the names of namespaces begin with; None for the service's name.
        proxy_namespace: Pods in it reach the emulators, and nobody else does.
        storage: Of the volume that keeps an environment's state, e.g. ``1Gi``; None: it goes with its pod.
    """

    image: str
    namespace_prefix: str | None = None
    proxy_namespace: str = "multistack"
    storage: str | None = "1Gi"

    def __post_init__(self) -> None:
        if len(self.image) > _LONGEST_IMAGE or not _IMAGE.fullmatch(self.image):
            raise ConfigError(
                f"--image must be the name of an image, not {show_value(self.image)}",
                hint="e.g. registry.example/multistack/embedded:0.1.0",
            )
        for option, name in (
            ("--namespace-prefix", self.namespace_prefix),
            ("--proxy-namespace", self.proxy_namespace),
        ):
            if name is not None and not is_label(name):
                raise ConfigError(f"{option} must be 1 to 63 of a-z, 0-9 and -, not {show_value(name)}")
        if self.namespace_prefix is not None and self.namespace_prefix.startswith(_OF_THE_CLUSTER):
            raise ConfigError(f"--namespace-prefix must not begin with {_OF_THE_CLUSTER}: those are the cluster's own")
        if self.storage is not None and not _STORAGE.fullmatch(self.storage):
            raise ConfigError(f'--storage must be a size such as 512Mi or 1Gi, or "none", not {self.storage!r}')

    @property
    def version(self) -> str | None:
        """The image's tag, where it is one that a label can hold."""
        found = _VERSION.search(self.image)
        return found[1] if found else None
