"""
The objects of a project as files for ``kubectl apply``: a base of what all namespaces share, an overlay for each.

::

    kustomization.yaml                          all namespaces
    base/kustomization.yaml                     what is in each of them
    base/shared.yaml                            who may talk to whom, what a drain leaves
    base/environment-<name>.yaml                workload and service
    namespaces/<namespace>/kustomization.yaml   the base in it, with its accounts
    namespaces/<namespace>/namespace.yaml       the namespace itself, and what may be used in it
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from emulator.kubernetes.environment import SECRET, SECRET_KEY, Object, difference, environment_objects
from emulator.kubernetes.names import MANAGED_BY, PROJECT, label
from emulator.kubernetes.namespace import bounds, objects, shared_objects, space_labels
from emulator.kubernetes.options import Options
from emulator.kubernetes.seat import Seat
from emulator.model import Project

ROOT = "kustomization.yaml"
MARK = "# Rendered by `multistack render kubernetes`"
_SHARED = "shared.yaml"
_NAMESPACE = "namespace.yaml"
# Text that every reader of YAML takes for text, also those that know "y" and "089" as something else.
_PLAIN = re.compile(r"(?![yn]$)[A-Za-z/][\w./-]*", re.ASCII | re.IGNORECASE)
_ADVICE = """\
#
#   kubectl apply -k .      makes or changes everything; what is no longer here stays, see `kubectl delete -k .`
#
# Pods wait for a key that each namespace keeps as a Secret, and that is in no file:
#
#   for namespace in $(kubectl get namespaces -l {selector} -o name); do
#     openssl rand -hex 32 | tr -d '\\n' |
#       kubectl -n "${{namespace#*/}}" create secret generic {secret} --from-file={key}=/dev/stdin
#   done
"""


class _Dumper(yaml.CSafeDumper):
    """Writes each object out where it stands, and text so that no reader takes it for anything else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, data: str) -> yaml.ScalarNode:
    style = "|" if "\n" in data else None if _PLAIN.fullmatch(data) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _text)


def mark_of(project: Project) -> str:
    """The first line of every file that is rendered of *project*."""
    return f"{MARK} for service {project.service}: change {project.file.name}, and render again."


def one_file(project: Project, seats: Sequence[Seat], options: Options) -> str:
    """All objects of all *seats*, for ``kubectl apply -f -``."""
    found = [each for seat in seats for each in objects(project, seat, options)]
    return _file(project, found, advice=_advice(project).replace("-k .", "-f -"))


def files_of(project: Project, seats: Sequence[Seat], options: Options) -> Mapping[str, str]:
    """Path in the folder to text; the same for the same project."""
    base = seats[0]
    shared = [_SHARED, *(f"environment-{one.name}.yaml" for one in project.promotion_order)]
    files = {
        f"base/{ROOT}": _file(project, [_kustomization(shared)]),
        f"base/{_SHARED}": _file(project, shared_objects(project, options)),
    }
    for one in project.promotion_order:
        files[f"base/environment-{one.name}.yaml"] = _file(project, environment_objects(project, one, base, options))
    for seat in seats:
        folder = f"namespaces/{seat.namespace}"
        files[f"{folder}/{_NAMESPACE}"] = _file(project, bounds(project, seat, options))
        files[f"{folder}/{ROOT}"] = _file(project, [_overlay(project, base, seat, options)])
    root = _kustomization([f"namespaces/{seat.namespace}" for seat in seats])
    return {**files, ROOT: _file(project, [root], advice=_advice(project))}


def _kustomization(resources: Sequence[str], **more: Any) -> Object:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(resources),
        **more,
    }


def _overlay(project: Project, base: Seat, seat: Seat, options: Options) -> Object:
    more: Object = {"namespace": seat.namespace}
    if labels := space_labels(seat):
        more["labels"] = [
            {"pairs": dict(labels), "fields": [{"path": "spec/template/metadata/labels", "create": False}]}
        ]
    if seat is not base:
        more["patches"] = [{"patch": _yaml([difference(one, base, seat, options)])} for one in project.promotion_order]
    return _kustomization(["../../base", _NAMESPACE], **more)


def _file(project: Project, documents: Sequence[Object], *, advice: str = "") -> str:
    return f"{mark_of(project)}\n{advice}---\n{_yaml(documents)}"


def _advice(project: Project) -> str:
    selector = f"{MANAGED_BY}=multistack,{PROJECT}={label(project.service)}"
    return _ADVICE.format(selector=selector, secret=SECRET, key=SECRET_KEY)


def _yaml(documents: Sequence[Object]) -> str:
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
