"""The API of the cluster that multistack runs in, as far as the driver needs it, through the official client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from emulator.errors import ConfigError, MultistackError, NotReady

if TYPE_CHECKING:
    from kubernetes.dynamic import DynamicClient

Object = dict[str, Any]

# What every pod is given to speak to its cluster.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_OWN_FIELDS = "multistack"
_TIMEOUT = 30.0
# Kind to where its objects are; asking the cluster for that would take a dozen requests for each command.
PLACES = {
    "Namespace": "/api/v1/namespaces",
    "ResourceQuota": "/api/v1/namespaces/{namespace}/resourcequotas",
    "LimitRange": "/api/v1/namespaces/{namespace}/limitranges",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "Event": "/api/v1/namespaces/{namespace}/events",
    "PersistentVolumeClaim": "/api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "StatefulSet": "/apis/apps/v1/namespaces/{namespace}/statefulsets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
}
_NOT_FOUND, _CONFLICT = 404, 409


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    Objects of one cluster as plain dictionaries.

    Attributes:
        namespace: Of the pod that this process runs in: whatever it starts lets that one in.

    Raises:
        NotReady: In every method, where the cluster doesn't answer.
        MultistackError: In every method, where it refuses.
    """

    client: DynamicClient
    namespace: str

    def apply(self, thing: Mapping[str, Any]) -> None:
        """Make *thing* be there with the fields that it has; those that others set stay."""
        path = f"{_place(thing['kind'], thing['metadata'].get('namespace', ''))}/{thing['metadata']['name']}"
        with _speaking(f"{thing['kind']} {thing['metadata']['name']}"):
            self._ask(
                "patch",
                path,
                body=dict(thing),
                content_type="application/apply-patch+yaml",
                field_manager=_OWN_FIELDS,
                force_conflicts=True,
            )

    def create(self, thing: Mapping[str, Any]) -> bool:
        """Make *thing*; False where there is one of its name."""
        try:
            with _speaking(f"{thing['kind']} {thing['metadata']['name']}"):
                self._ask("post", _place(thing["kind"], thing["metadata"]["namespace"]), body=dict(thing))
        except _Refused as error:
            if error.status != _CONFLICT:
                raise
            return False
        return True

    def get(self, kind: str, name: str, *, namespace: str = "") -> Object | None:
        """The object of that name, or None."""
        try:
            with _speaking(f"{kind} {name}"):
                found: Object = json.loads(self._ask("get", f"{_place(kind, namespace)}/{name}"))
        except _Refused as error:
            if error.status != _NOT_FOUND:
                raise
            return None
        return found

    def find(self, kind: str, labels: Mapping[str, str], *, namespace: str, field: str = "") -> list[Object]:
        """Objects that have all *labels*, and for whom *field*, e.g. ``type=Warning``, is true."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        with _speaking(f"{kind} in namespace {namespace}"):
            said = self._ask("get", _place(kind, namespace), label_selector=selector, field_selector=field or None)
        return list(json.loads(said)["items"])

    def scale(self, kind: str, name: str, *, namespace: str, replicas: int) -> None:
        """Change how many pods a workload has, and nothing else of it."""
        with _speaking(f"{kind} {name}"):
            self._ask(
                "patch",
                f"{_place(kind, namespace)}/{name}",
                body={"spec": {"replicas": replicas}},
                content_type="application/merge-patch+json",
                field_manager=_OWN_FIELDS,
            )

    def delete(self, kind: str, name: str, *, namespace: str) -> None:
        """Remove an object with what belongs to it; none of that name is no error."""
        try:
            with _speaking(f"{kind} {name}"):
                self._ask("delete", f"{_place(kind, namespace)}/{name}", propagation_policy="Background")
        except _Refused as error:
            if error.status != _NOT_FOUND:
                raise

    def log(self, pod: str, *, namespace: str, tail: int) -> list[str]:
        """The last *tail* lines that a pod printed; none of one that hasn't begun."""
        try:
            with _speaking(f"the log of pod {pod}"):
                said = self._ask(
                    "get", f"{_place('Pod', namespace)}/{pod}/log", query_params=[("tailLines", str(tail))]
                )
        except _Refused:
            return []
        return said.decode(errors="replace").splitlines()

    def _ask(self, method: str, path: str, **given: Any) -> bytes:
        answer = self.client.request(method, path, serialize=False, _request_timeout=_TIMEOUT, **given)
        return bytes(answer.data)


Connect = Callable[[Mapping[str, str]], Cluster]


class _Refused(MultistackError):
    """
    The cluster said no.

    Args:
        status: Of HTTP.
    """

    def __init__(self, message: str, *, status: int, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def connect(environ: Mapping[str, str]) -> Cluster:
    """
    The cluster that this process runs in. Not for several threads at once: the client's modules import each other.

    Raises:
        ConfigError: The client is not installed.
        NotReady: It runs in none.
    """
    if "KUBERNETES_SERVICE_HOST" not in environ or not (_ACCOUNT / "namespace").exists():
        raise NotReady(
            "driver kubernetes works inside of a cluster: no address of its environments leads there from here",
            hint="run multistack in a pod of it, or write manifests with `multistack render kubernetes`",
        )
    try:
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config.incluster_config import (
            SERVICE_CERT_FILENAME,
            SERVICE_TOKEN_FILENAME,
            InClusterConfigLoader,
        )
    except ImportError as error:
        raise ConfigError(
            "driver kubernetes needs the package kubernetes", hint="pip install 'multistack-emulator[kubernetes]'"
        ) from error
    configuration = Configuration()
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        token_filename=SERVICE_TOKEN_FILENAME, cert_filename=SERVICE_CERT_FILENAME, environ=environ
    )
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    namespace = (_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    return cluster_of(ApiClient(configuration), namespace=namespace)


def cluster_of(client: Any, *, namespace: str) -> Cluster:
    """A cluster by the official client's *client*."""
    from kubernetes.client import exceptions  # noqa: F401 (here, where no other thread imports it)
    from kubernetes.dynamic import DynamicClient

    dynamic = DynamicClient(client, discoverer=_nothing_to_discover)  # type: ignore[no-untyped-call]
    return Cluster(dynamic, namespace)


def _nothing_to_discover(_client: Any, _cache: Any) -> SimpleNamespace:
    return SimpleNamespace()


def _place(kind: str, namespace: str) -> str:
    return PLACES[kind].format(namespace=namespace)


@contextlib.contextmanager
def _speaking(about: str) -> Iterator[None]:
    """Translate what goes wrong between us and the cluster; *about* completes "the cluster refuses"."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        hint = "give multistack's service account the rights that docs/guides/kubernetes.md lists"
        raise _Refused(
            f"the cluster refuses {about}: {_message_of(error)}",
            status=error.status or 0,
            hint=hint if error.status in (401, 403) else None,
        ) from error
    except HTTPError as error:
        raise NotReady(f"the cluster does not answer: {error}", hint="look at the cluster's API server") from error


def _message_of(error: Any) -> str:
    """What the API server says in its own words."""
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason or error.status)
