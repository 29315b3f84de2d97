"""Names and labels as Kubernetes takes them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping

# Of a label of the domain name system, and of a value of Kubernetes' labels.
_LONGEST = 63
# Of a hash that tells names apart that would be the same.
_DIGITS = 8
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

MANAGED_BY = "app.kubernetes.io/managed-by"
PART_OF = "app.kubernetes.io/part-of"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
PROJECT = "dev.multistack/project"
ENVIRONMENT = "dev.multistack/environment"
SPACE = "dev.multistack/space"


def is_label(text: str) -> bool:
    """Whether a namespace or a service can be called *text*."""
    return _LABEL.fullmatch(text) is not None


def label(text: str) -> str:
    """*text* where something can be called so; else what can be kept of it, with a hash of the whole."""
    if is_label(text):
        return text
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    digits = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    kept = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[: _LONGEST - _DIGITS - 1].rstrip("-")
    return f"{kept}-{digits}" if kept else digits


def project_labels(service: str) -> Mapping[str, str]:
    """What finds all that is made for a project, and nothing else."""
    own = label(service)
    return {"app.kubernetes.io/name": "multistack", PART_OF: own, MANAGED_BY: "multistack", PROJECT: own}


def selector(service: str, environment: str) -> Mapping[str, str]:
    """What finds the pod of one environment in its namespace; it never changes."""
    return {INSTANCE: environment, PROJECT: label(service), ENVIRONMENT: environment}


def environment_labels(service: str, environment: str) -> Mapping[str, str]:
    """Of all that is made for one environment."""
    return {**project_labels(service), COMPONENT: "environment", **selector(service, environment)}
