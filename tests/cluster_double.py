"""
An API server that holds what it is sent to the API's own schemas, and does as much of a cluster's work as tests need.

It is no cluster: nothing is scheduled, pulled or run. A StatefulSet has its pod and its claim at once, and the pod is
as ``pod_status`` says.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.kubernetes_schemas import problem_of

Object = dict[str, Any]

KINDS = {
    "namespaces": "Namespace",
    "resourcequotas": "ResourceQuota",
    "limitranges": "LimitRange",
    "services": "Service",
    "secrets": "Secret",
    "pods": "Pod",
    "events": "Event",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "statefulsets": "StatefulSet",
    "networkpolicies": "NetworkPolicy",
    "poddisruptionbudgets": "PodDisruptionBudget",
}
_PATH = re.compile(
    r"/(?P<api>api/v1|apis/[a-z0-9.]+/v1)(?:/namespaces/(?P<namespace>[^/]+))??/(?P<kind>[a-z]+)"
    r"(?:/(?P<name>[^/]+)(?P<sub>/log)?)?"
)
READY: Object = {
    "phase": "Running",
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
}


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Double:
    """
    What the server holds.

    Attributes:
        objects: By namespace, kind and name.
        pod_status: Of every pod that a workload gets.
        denied: Kinds that nobody may make.
        requests: Method and path of each, oldest first.
    """

    objects: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    pod_status: Object = field(default_factory=lambda: dict(READY))
    log: str = ""
    denied: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def kinds(self) -> list[str]:
        """Of all objects, sorted."""
        return sorted(kind for _, kind, _ in self.objects)

    def put(self, thing: Object) -> None:
        """Let *thing* be there, as somebody else's."""
        self.objects[_key(thing)] = thing

    def answer(self, method: str, target: str, content_type: str, body: bytes) -> Any:
        """What a request gets; text is a log."""
        split = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        match = _PATH.fullmatch(split.path)
        if match is None or match["kind"] not in KINDS:
            raise Refusal(404, f"the server could not find the requested resource {split.path}")
        kind, namespace, name = KINDS[match["kind"]], match["namespace"] or "", match["name"] or ""
        if method == "GET":
            if match["sub"]:
                self._found(namespace, kind, name)
                return "\n".join(self.log.splitlines()[-int(query["tailLines"]) :])
            return self._found(namespace, kind, name) if name else self._list(namespace, kind, query)
        if method == "DELETE":
            return self._delete(namespace, kind, name)
        thing = json.loads(body)
        if kind in self.denied:
            raise Refusal(
                403, f'{match["kind"]} is forbidden: User "system:serviceaccount:a:b" cannot {method.lower()}'
            )
        if content_type == "application/merge-patch+json":
            before = self._found(namespace, kind, name)
            thing = {**before, "spec": {**before["spec"], **thing["spec"]}}
        elif method == "PATCH" and (content_type, query.get("force", "").lower()) != (
            "application/apply-patch+yaml",
            "true",
        ):
            raise Refusal(415, f"{content_type} with {query}")
        return self._write(method, match["api"], namespace, thing, query)

    def _write(self, method: str, api: str, namespace: str, thing: Object, query: Mapping[str, str]) -> Object:
        key = _key(thing)
        if thing["apiVersion"] != api.removeprefix("apis/").removeprefix("api/") or key[0] != namespace:
            raise Refusal(400, f"the object's version or namespace is not that of the path: {key}")
        if problem := problem_of(thing):
            raise Refusal(422, f"{thing['kind']} {thing['metadata'].get('name')!r} is invalid: {problem}")
        if namespace and ("", "Namespace", namespace) not in self.objects:
            raise Refusal(404, f'namespaces "{namespace}" not found')
        if method == "PATCH" and "fieldManager" not in query:
            raise Refusal(400, "fieldManager is required for apply patch")
        if method == "POST" and key in self.objects:
            raise Refusal(409, f'{thing["kind"]} "{key[2]}" already exists')
        self.objects[key] = thing
        if thing["kind"] == "StatefulSet":
            self._run(thing)
        return thing

    def _run(self, workload: Object) -> None:
        metadata, spec = workload["metadata"], workload["spec"]
        namespace, name = metadata["namespace"], f"{metadata['name']}-0"
        if not spec["replicas"]:
            self.objects.pop((namespace, "Pod", name), None)
            return
        for claim in spec["volumeClaimTemplates"]:
            labels = {**claim["metadata"]["labels"], **spec["selector"]["matchLabels"]}
            self.put({**claim, "metadata": {"name": f"{claim['metadata']['name']}-{name}", "namespace": namespace}})
            self.objects[namespace, claim["kind"], f"{claim['metadata']['name']}-{name}"]["metadata"]["labels"] = labels
        template = spec["template"]
        if self.pod_status:
            at = {"name": name, "namespace": namespace, "labels": template["metadata"]["labels"]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": at, "spec": template["spec"]}
            self.put({**pod, "status": self.pod_status})

    def _found(self, namespace: str, kind: str, name: str) -> Object:
        if (namespace, kind, name) not in self.objects:
            raise Refusal(404, f'{kind} "{name}" not found')
        return self.objects[namespace, kind, name]

    def _list(self, namespace: str, kind: str, query: Mapping[str, str]) -> Object:
        wanted = dict(pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair)
        fields = dict(pair.split("=") for pair in query.get("fieldSelector", "").split(",") if pair)
        items = [
            thing
            for (where, what, _), thing in self.objects.items()
            if (where, what) == (namespace, kind)
            and wanted.items() <= thing["metadata"].get("labels", {}).items()
            and all(_at(thing, path) == value for path, value in fields.items())
        ]
        return {"apiVersion": "v1", "kind": f"{kind}List", "items": items}

    def _delete(self, namespace: str, kind: str, name: str) -> Object:
        self._found(namespace, kind, name)
        del self.objects[namespace, kind, name]
        if kind == "StatefulSet":
            self.objects.pop((namespace, "Pod", f"{name}-0"), None)
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}


@contextmanager
def serving() -> Iterator[Double]:
    """A double on a port of loopback."""
    double = Double()

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                with double.lock:
                    double.requests.append((self.command, self.path))
                    said = double.answer(self.command, self.path, self.headers.get("Content-Type", ""), body)
                status = 200
            except Refusal as refusal:
                status = refusal.status
                said = {"kind": "Status", "status": "Failure", "code": status, "message": str(refusal)}
            content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(said, str) else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_any  # noqa: N815 (http.server's names)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: tests look at `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _key(thing: Mapping[str, Any]) -> tuple[str, str, str]:
    return thing["metadata"].get("namespace", ""), thing["kind"], thing["metadata"]["name"]


def _at(thing: Mapping[str, Any], path: str) -> Any:
    found: Any = thing
    for part in path.split("."):
        found = found.get(part, {})
    return found
