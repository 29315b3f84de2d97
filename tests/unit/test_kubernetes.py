"""A project as objects of Kubernetes."""

from __future__ import annotations

import functools
import itertools
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.errors import ConfigError
from emulator.kubernetes.files import files_of, mark_of, one_file
from emulator.kubernetes.folder import write_files
from emulator.kubernetes.names import is_label, label
from emulator.kubernetes.namespace import objects
from emulator.kubernetes.options import Options
from emulator.kubernetes.seat import Seat, seats_of, spaces_called
from emulator.model import ContainerSettings, DriverName, Environment, Project, Quota, Space
from emulator.spaces.creating import series
from tests.kubernetes_schemas import VERSIONS, problem_of

MIB = 2**20
TEST = Environment(name="test", driver=DriverName.EMBEDDED, account_id="111111111111", region="eu-west-1")
PROD = replace(TEST, name="prod", account_id="089999999999", driver=DriverName.LOCALSTACK)
PROJECT = Project(
    file=Path("/orders/multistack.toml"),
    service="orders",
    template=Path("/orders/template.yaml"),
    environments=(TEST, PROD),
)
OPTIONS = Options(image="multistack/embedded:0.1.0")
LIMITED = ContainerSettings(memory=512 * MIB, cpus=0.5)


def seats(count: int | None, project: Project = PROJECT, options: Options = OPTIONS, **listed: Space) -> list[Seat]:
    """The namespaces of *count* spaces; of the project's own environments without one."""
    spaces = None if count is None else spaces_called(series("learner", count, option="--spaces"), listed)
    return seats_of(project, spaces, options)


def made(count: int | None, project: Project = PROJECT, options: Options = OPTIONS) -> list[dict[str, Any]]:
    """All objects of all namespaces."""
    return [each for seat in seats(count, project, options) for each in objects(project, seat, options)]


def find(found: list[dict[str, Any]], kind: str, name: str | None = None) -> dict[str, Any]:
    """The first object of *kind*."""
    return next(each for each in found if each["kind"] == kind and name in (None, each["metadata"]["name"]))


def limited(project: Project = PROJECT) -> Project:
    """The same with bounds for each environment."""
    return replace(project, environments=tuple(replace(one, container=LIMITED) for one in project.environments))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("storage", ["2Gi", None])
@pytest.mark.parametrize("project", [PROJECT, limited()], ids=["unlimited", "limited"])
def test_every_object_is_one_of_the_api(project: Project, storage: str | None, version: str) -> None:
    """Of old and new versions, held to their own schemas, in which a misspelt field is an error."""
    found = made(2, project, replace(OPTIONS, storage=storage))
    problems = [(each["kind"], problem) for each in found if (problem := problem_of(each, version))]
    assert problems == []
    assert {each["kind"] for each in found} == {
        "Namespace",
        "ResourceQuota",
        "LimitRange",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "StatefulSet" if storage else "Deployment",
        "Service",
    }


def test_schemas_find_what_is_wrong() -> None:
    """What the test above is worth."""
    workload = find(made(None), "StatefulSet")
    workload["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["periodSecond"] = 1
    assert "periodSecond" in (problem_of(workload) or "")


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl builds kustomizations")
@pytest.mark.parametrize("storage", ["1Gi", None])
@pytest.mark.parametrize("count", [None, 3])
def test_kustomizations_are_the_same_as_the_objects(count: int | None, storage: str | None, tmp_path: Path) -> None:
    """What `kubectl apply -k` takes from the folder is what stdout says, in a space with a quota of its own too."""
    options, project = replace(OPTIONS, storage=storage), limited()
    narrow = replace(spaces_called(series("learner", 2), {})[1], quota=Quota(memory=300 * MIB, environments=2))
    chosen = seats(count, project, options, **{narrow.name: narrow})
    write_files(tmp_path, files_of(project, chosen, options), mark=mark_of(project))
    built = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    wanted = list(yaml.safe_load_all(one_file(project, chosen, options)))
    assert by_name(list(yaml.safe_load_all(built.stdout))) == by_name(wanted)


def by_name(found: list[dict[str, Any]]) -> Mapping[tuple[str, ...], dict[str, Any]]:
    """Objects by what tells them apart."""
    named = {
        (each["metadata"].get("namespace", ""), each["kind"], each["metadata"]["name"]): each for each in found if each
    }
    assert len(named) == len(found)
    return named


def test_every_environment_has_one_pod_and_never_two(tmp_path: Path) -> None:
    """An emulator is one process with its state: a controller that starts another must know that the first ended."""
    kept = find(made(None), "StatefulSet")["spec"]
    assert (kept["replicas"], kept["volumeClaimTemplates"][0]["spec"]["accessModes"]) == (1, ["ReadWriteOnce"])
    assert kept["podManagementPolicy"] == "Parallel"
    passing = find(made(None, options=replace(OPTIONS, storage=None)), "Deployment")["spec"]
    assert (passing["replicas"], passing["strategy"]) == (1, {"type": "Recreate"})
    assert {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}} in passing["template"]["spec"]["volumes"]


def test_each_environment_of_each_space_is_an_account_of_its_own() -> None:
    """A space that is on the project's list keeps its number; others take those that are free."""
    listed = Space(name="learner-02", number=7, at=spaces_called(series("x", 1), {})[0].at)
    found = seats(3, **{"learner-02": listed})
    assert {seat.namespace: dict(seat.accounts) for seat in found} == {
        "orders-learner-01": {"test": "900000100001", "prod": "900000100002"},
        "orders-learner-02": {"test": "900000700001", "prod": "900000700002"},
        "orders-learner-03": {"test": "900000200001", "prod": "900000200002"},
    }
    assert dict(seats(None)[0].accounts) == {"test": "111111111111", "prod": "089999999999"}


def test_numbers_in_text_stay_text() -> None:
    """Readers of YAML disagree about what 089999999999, y and 1e3 are; in quotes they don't."""
    text = one_file(PROJECT, seats(None), OPTIONS)
    assert 'value: "089999999999"' in text
    called_y = replace(PROJECT, environments=(replace(TEST, name="y"),))
    assert 'name: "y"' in one_file(called_y, seats(None, called_y), OPTIONS)


def test_only_the_proxys_namespace_reaches_an_emulator() -> None:
    """All else is refused in both directions, but for questions to the cluster's DNS."""
    found = made(1, options=replace(OPTIONS, proxy_namespace="gateway"))
    nobody, proxy = find(found, "NetworkPolicy", "nobody")["spec"], find(found, "NetworkPolicy", "proxy")["spec"]
    assert nobody == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert proxy["ingress"] == [
        {
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}}],
            "ports": [{"protocol": "TCP", "port": 4566}],
        }
    ]
    assert [port["port"] for each in proxy["egress"] for port in each["ports"]] == [53, 53]
    pod = find(found, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert proxy["podSelector"]["matchLabels"].items() <= pod.items()


def test_pods_have_no_rights() -> None:
    """As the restricted profile of pod security asks, which the namespace enforces."""
    found = made(1)
    pod = find(found, "StatefulSet")["spec"]["template"]["spec"]
    container = pod["containers"][0]["securityContext"]
    assert find(found, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is container["runAsNonRoot"] is True
    assert container["seccompProfile"] == pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (container["allowPrivilegeEscalation"], container["readOnlyRootFilesystem"]) == (False, True)
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert not {"add", "hostPath", "hostNetwork", "hostPID"} & set(re.findall(r"\w+", str(found)))


def test_the_key_is_only_referred_to() -> None:
    """No file has a secret's value: neither the emulator's key nor one of the project's."""
    secret = "s3cr3t-value"
    project = replace(PROJECT, environments=(replace(TEST, secrets={"Password": secret}, config={"A": secret}),))
    for text in files_of(project, seats(2, project), OPTIONS).values():
        assert secret not in text
        assert not re.search(r"^kind: Secret$", text, re.MULTILINE)
    container = find(made(1), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "MULTISTACK_KEY", "valueFrom": {"secretKeyRef": {"name": "multistack-key", "key": "key"}}} in (
        container["env"]
    )


def test_all_probes_ask_for_the_emulators_health() -> None:
    """Which it tells without its key: no probe can have one."""
    container = find(made(None), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == ("/_localstack/health", container["ports"][0]["name"])


def test_the_emulator_is_told_what_its_environment_is() -> None:
    """What its image reads; the settings that have a default are left to it."""
    strict = replace(TEST, enforce_iam=True, lambda_concurrency=5)
    containers = [
        find(made(None, replace(PROJECT, environments=(one,))), "StatefulSet")["spec"]["template"]["spec"]["containers"]
        for one in (TEST, strict)
    ]
    told = [{one["name"]: one["value"] for one in each[0]["env"] if "value" in one} for each in containers]
    plain = {
        "MULTISTACK_ENVIRONMENT": "test",
        "MULTISTACK_ACCOUNT_ID": "111111111111",
        "MULTISTACK_REGION": "eu-west-1",
    }
    assert told[0] == plain
    assert told[1] == {**plain, "MULTISTACK_ENFORCE_IAM": "true", "MULTISTACK_LAMBDA_CONCURRENCY": "5"}


def test_a_namespace_is_bounded_by_its_spaces_quota() -> None:
    """Its environments share the memory; there are places for those that it may still create."""
    space = replace(spaces_called(series("learner", 1), {})[0], quota=Quota(memory=900 * MIB + 1, environments=3))
    seat = seats_of(limited(), [space], OPTIONS)[0]
    found = objects(limited(), seat, OPTIONS)
    assert find(found, "ResourceQuota")["spec"]["hard"] == {
        "pods": "3",
        "services": "3",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "requests.memory": "384Mi",
        "persistentvolumeclaims": "3",
        "requests.storage": "3Gi",
        "limits.memory": str(900 * MIB + 1),
    }
    limits = find(found, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"cpu": "500m", "memory": "300Mi"}
    assert find(found, "LimitRange")["spec"]["limits"][0]["default"] == {"memory": "300Mi"}


def test_what_has_no_limit_is_not_counted_as_one() -> None:
    """A quota on limits would refuse every pod without one."""
    found = made(1)
    assert "limits.memory" not in find(found, "ResourceQuota")["spec"]["hard"]
    assert "default" not in find(found, "LimitRange")["spec"]["limits"][0]
    assert "limits" not in find(found, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["resources"]


def test_everything_carries_the_labels_that_find_it() -> None:
    """What deletes by label deletes all of it, and the pods of one space can be told from others'."""
    for each in made(2):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "multistack"
        assert labels["dev.multistack/project"] == "orders"
        assert labels["dev.multistack/space"].startswith("learner-0")
        assert all(re.fullmatch(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?", value) for value in labels.values())
    workload = find(made(2), "StatefulSet", "test")
    pod = workload["spec"]["template"]["metadata"]["labels"]
    assert pod["dev.multistack/space"] == "learner-01"
    assert workload["spec"]["selector"]["matchLabels"].items() <= pod.items()
    assert "dev.multistack/space" not in find(made(None), "Namespace")["metadata"]["labels"]


def test_a_selector_does_not_change_with_the_image() -> None:
    """A workload's selector can't be changed: a newer image must not need another one."""
    newer = made(None, options=Options(image="registry.example:5000/multistack/embedded:0.2.0"))
    selectors = [find(found, "StatefulSet")["spec"]["selector"] for found in (made(None), newer)]
    claims = [find(found, "StatefulSet")["spec"]["volumeClaimTemplates"] for found in (made(None), newer)]
    assert (selectors[0], claims[0]) == (selectors[1], claims[1])
    assert find(newer, "StatefulSet")["metadata"]["labels"]["app.kubernetes.io/version"] == "0.2.0"


@pytest.mark.parametrize("text", ["a" * 64, "a" * 200, "Größe", "-a", "a-", "", "日本", "a.b", "A", "a" * 62 + "-b"])
def test_what_is_no_name_becomes_one_with_a_hash(text: str) -> None:
    """It is a label of the domain name system, and another one than that of any similar text."""
    assert is_label(label(text))
    assert label(text) != label(text + "x")
    assert label(text) == label(text)


def test_different_texts_are_different_names() -> None:
    """What differs only in letters that a name can't have, or after the 63rd, stays apart."""
    texts = ["a.b", "a_b", "a-b", "A-b", "ä-b", *("a" * 70 + end for end in "bcd")]
    assert len({label(text) for text in texts}) == len(texts)


def test_namespaces_of_the_longest_names_are_names() -> None:
    """A service has up to 40 characters and a space up to 30: together more than a namespace may."""
    project = replace(PROJECT, service="s" * 40)
    found = seats_of(project, spaces_called(series("p" * 27, 99), {}), OPTIONS)
    assert all(is_label(seat.namespace) for seat in found)
    assert len({seat.namespace for seat in found}) == 99
    assert {seat.namespace for seat in seats(2, options=replace(OPTIONS, namespace_prefix="class"))} == {
        "class-learner-01",
        "class-learner-02",
    }


def test_the_same_project_gives_the_same_bytes() -> None:
    """A rendering in git changes when the project does, and not otherwise."""
    first, second = (files_of(PROJECT, seats(3), OPTIONS) for _ in range(2))
    assert (first, list(first)) == (second, list(second))


def test_a_thousand_spaces_are_a_thousand_namespaces() -> None:
    """No account and no namespace is there twice."""
    found = seats(1000)
    accounts = list(itertools.chain.from_iterable(seat.accounts.values() for seat in found))
    assert (found[0].namespace, found[-1].namespace) == ("orders-learner-0001", "orders-learner-1000")
    assert len(set(accounts)) == len(accounts) == 2000


EXTERNAL = replace(TEST, name="theirs", driver=DriverName.EXTERNAL, url="http://127.0.0.1:4566")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (functools.partial(seats, 0), "--spaces must be 1 to 1000, not 0"),
        (functools.partial(seats, -1), "--spaces must be 1 to 1000, not -1"),
        (functools.partial(seats, 1001), "--spaces must be 1 to 1000, not 1001"),
        (functools.partial(series, "p" * 200, 1), "--prefix .* must be 1 to 30"),
        (functools.partial(series, "größe", 1), "--prefix .* must be 1 to 30"),
        (functools.partial(series, "", 1), "--prefix"),
        (functools.partial(Options, image=""), '--image must be the name of an image, not ""'),
        (functools.partial(Options, image="a b"), "--image must be the name of an image"),
        (functools.partial(Options, image="x" * 300), "--image must be the name of an image"),
        (functools.partial(Options, image="multistack/größe:1"), "--image must be the name of an image"),
        (functools.partial(Options, image="a", namespace_prefix="n" * 200), "--namespace-prefix must be 1 to 63"),
        (functools.partial(Options, image="a", namespace_prefix="größe"), "--namespace-prefix must be 1 to 63"),
        (functools.partial(Options, image="a", namespace_prefix="kube-x"), "those are the cluster's own"),
        (functools.partial(Options, image="a", proxy_namespace="A"), "--proxy-namespace must be 1 to 63"),
        (functools.partial(Options, image="a", storage="much"), "--storage must be a size"),
        (functools.partial(Options, image="a", storage="0Gi"), "--storage must be a size"),
        (
            functools.partial(seats, None, options=Options(image="a", namespace_prefix="multistack")),
            "namespace multistack is somebody else's",
        ),
        (
            functools.partial(seats, None, replace(PROJECT, environments=(EXTERNAL,))),
            "environment theirs can't be in a cluster: somebody else runs its emulator",
        ),
        (
            functools.partial(
                seats,
                None,
                replace(PROJECT, environments=(replace(TEST, container=ContainerSettings(memory=64 * MIB)),)),
            ),
            "environment test may use 64 MiB, and needs 128 MiB",
        ),
    ],
)
def test_what_cannot_be_is_refused(call: Any, message: str) -> None:
    """In one line, before anything is written."""
    with pytest.raises(ConfigError, match=message):
        call()


@pytest.mark.parametrize(
    ("quota", "message"),
    [(Quota(memory=255 * MIB), "127 MiB for each of 2"), (Quota(environments=1), "may have 1 environments")],
)
def test_a_quota_that_is_too_small_is_refused(quota: Quota, message: str) -> None:
    """Pods that the scheduler or the quota would never let run are no rendering."""
    space = replace(spaces_called(series("learner", 1), {})[0], quota=quota)
    with pytest.raises(ConfigError, match=message):
        seats_of(PROJECT, [space], OPTIONS)
